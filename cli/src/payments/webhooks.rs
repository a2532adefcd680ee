//! `comptoir payments webhooks`: the provider's webhooks that were not applied.

use crate::events::{
    connect::{System, explain},
    table::{Table, print},
};
use clap::Args;
use contracts::payments::v1::{
    ListWebhooksRequest, ListWebhooksResponse, Webhook, payment_service_client::PaymentServiceClient, webhook::State,
};
use prost_types::Timestamp;
use serde_json::{Value, json};

/// The service that has the payments.
pub const PAYMENTS: &str = "payments";

/// Webhooks in one answer.
const PAGE: i32 = 200;

/// Options of `comptoir payments webhooks`.
#[derive(Debug, Args)]
pub struct Options {
    /// List those that wait instead of those that expired
    #[arg(long)]
    waiting: bool,
    /// At most so many, the newest
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    limit: usize,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Prints them, and how much waits in all.
pub async fn run(system: &System, options: Options) -> anyhow::Result<()> {
    let mut client = PaymentServiceClient::new(system.channel(PAYMENTS).await?);
    let state = if options.waiting { State::Waiting } else { State::Expired };
    let (mut webhooks, mut page_token) = (Vec::new(), String::new());
    let (waiting_count, waiting_bytes) = loop {
        let request = ListWebhooksRequest { state: state.into(), page_size: PAGE, page_token };
        let page = client.list_webhooks(request).await.map_err(|status| explain(PAYMENTS, &status))?.into_inner();
        let ListWebhooksResponse { webhooks: more, next_page_token, waiting_count, waiting_bytes } = page;
        webhooks.extend(more);
        if next_page_token.is_empty() || webhooks.len() >= options.limit {
            break (waiting_count, waiting_bytes);
        }
        page_token = next_page_token;
    };
    webhooks.truncate(options.limit);
    if options.json {
        let webhooks: Vec<Value> = webhooks.iter().map(as_json).collect();
        let all = json!({ "webhooks": webhooks, "waitingCount": waiting_count, "waitingBytes": waiting_bytes });
        return print(&(serde_json::to_string_pretty(&all)? + "\n"));
    }
    let mut table = Table::new(&["EVENT", "RECEIVED", "STATE", "CHARGE", " BYTES"]);
    for webhook in &webhooks {
        let state = [webhook.state().as_str_name(), &webhook.reason].join(" ").trim().to_owned();
        let event = format!("{}/{}", webhook.provider, webhook.event_id);
        let received = time(webhook.receive_time.as_ref());
        table.row(vec![event, received, state, webhook.charge_key.clone(), webhook.size_bytes.to_string()]);
    }
    print(&format!("{}{waiting_count} wait, {waiting_bytes} bytes\n", table.text()))
}

fn time(time: Option<&Timestamp>) -> String {
    time.map_or_else(String::new, ToString::to_string)
}

fn as_json(webhook: &Webhook) -> Value {
    json!({
        "provider": webhook.provider,
        "eventId": webhook.event_id,
        "chargeKey": webhook.charge_key,
        "state": webhook.state().as_str_name(),
        "reason": webhook.reason,
        "receiveTime": time(webhook.receive_time.as_ref()),
        "expireTime": time(webhook.expire_time.as_ref()),
        "sizeBytes": webhook.size_bytes,
    })
}
