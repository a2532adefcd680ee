//! `comptoir saga list`.

use super::{
    client::{ORDERS, client},
    filter::Filter,
    show,
};
use crate::events::{
    connect::{System, explain},
    json::timestamp,
    table::{Table, print},
};
use contracts::orders::v1::{ListSagasRequest, Saga};
use serde_json::Value;

/// Sagas in one answer.
const PAGE: i32 = 200;

pub async fn run(system: &System, filter: &Filter, limit: u32, as_json: bool) -> anyhow::Result<()> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (sagas, is_cut_off) = find(system, filter, limit).await?;
    if as_json {
        let all: Vec<Value> = sagas.iter().map(show::json).collect();
        return print(&(serde_json::to_string_pretty(&all)? + "\n"));
    }
    if sagas.is_empty() {
        return print("no such sagas\n");
    }
    let mut table = Table::new(&["ORDER", "KIND", "STATE", "STEP", " ATTEMPTS", "STARTED", "LAST ERROR"]);
    for saga in &sagas {
        table.row(row(saga));
    }
    let more = if is_cut_off { "… and more: raise --limit, or filter\n" } else { "" };
    print(&(table.text() + more))
}

async fn find(system: &System, filter: &Filter, limit: usize) -> anyhow::Result<(Vec<Saga>, bool)> {
    let mut client = client(system).await?;
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListSagasRequest { filter: Some(filter.to_wire()), page_size: PAGE, page_token };
        let page = client.list_sagas(request).await.map_err(|status| explain(ORDERS, &status))?.into_inner();
        found.extend(page.sagas);
        page_token = page.next_page_token;
        // With exactly as many as wanted, the token of a next page tells that there are more.
        let is_cut_off = found.len() > limit || (found.len() == limit && !page_token.is_empty());
        if page_token.is_empty() || is_cut_off {
            found.truncate(limit);
            return Ok((found, is_cut_off));
        }
    }
}

fn row(saga: &Saga) -> Vec<String> {
    let step = saga.steps.iter().find(|step| step.name == saga.step).cloned().unwrap_or_default();
    let attempts = if saga.reason.is_empty() { step.attempts } else { step.undo_attempts };
    let error = if saga.parked_reason.is_empty() { step.error } else { saga.parked_reason.clone() };
    vec![
        saga.order_id.clone(),
        saga.kind.clone(),
        saga.state().as_str_name().to_owned(),
        saga.step.clone(),
        attempts.to_string(),
        saga.start_time.as_ref().map(timestamp).unwrap_or_default(),
        error,
    ]
}
