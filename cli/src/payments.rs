//! `comptoir payments`: whether the ledger and the provider say the same, and which webhooks were not applied.
//!
//! Every command is a call of `comptoir.payments.v1.PaymentService`, so it works on this machine and on a cluster alike.

mod webhooks;

use crate::{
    Environment,
    events::{
        connect::{System, Target, explain},
        since::Since,
        table::{Table, print},
    },
};
use anyhow::bail;
use clap::{Args, Subcommand};
use contracts::{
    google::r#type::Money as WireMoney,
    money::Money,
    payments::v1::{
        Difference, LedgerSums, ReconcilePaymentsRequest, ReconcilePaymentsResponse,
        payment_service_client::PaymentServiceClient,
    },
};
use serde_json::{Value, json};
use webhooks::PAYMENTS;

/// Options of `comptoir payments`.
#[derive(Debug, Args)]
pub struct Options {
    /// Which system.
    #[command(flatten)]
    pub target: Target,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compare the provider's report with the ledger, both ways, and say what to do about each difference; reads only
    ///
    /// Ends with 1 when something differs. What differs is looked at again before it is told, so a webhook that is on its
    /// way does not count. Payments compares by itself each night at 03:00 UTC and logs an error when something differs.
    Reconcile {
        /// Only what has changed at or after this time (2026-01-31T09:00:00Z), or so long ago (90s, 15m, 2h, 7d);
        /// everything when not set
        #[arg(long, value_name = "TIME|DURATION")]
        since: Option<Since>,
        /// Print JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// List the provider's webhooks that were never applied: they waited for a day, or too much waited at once
    ///
    /// The provider can send one again: it is then heard as if it were new. What they would have told, `reconcile` finds.
    Webhooks(webhooks::Options),
}

pub async fn run(options: Options, environment: &Environment) -> anyhow::Result<()> {
    let system = System::open(&options.target, environment)?;
    let (since, json) = match options.command {
        Command::Reconcile { since, json } => (since, json),
        Command::Webhooks(options) => return webhooks::run(&system, options).await,
    };
    let mut client = PaymentServiceClient::new(system.channel(PAYMENTS).await?);
    let request = ReconcilePaymentsRequest { since: since.map(Since::to_wire) };
    let found = client.reconcile_payments(request).await.map_err(|status| explain(PAYMENTS, &status))?.into_inner();
    print(&if json { serde_json::to_string_pretty(&as_json(&found))? + "\n" } else { as_text(&found) })?;
    // The exit code makes the command usable in a nightly job.
    match found.difference_count {
        0 => Ok(()),
        1 => bail!("1 difference"),
        count => bail!("{count} differences"),
    }
}

fn as_text(found: &ReconcilePaymentsResponse) -> String {
    let ReconcilePaymentsResponse { charges, payments, under_way, differences, difference_count } = found;
    let mut text =
        format!("{charges} charges, {payments} payments, {under_way} under way, {difference_count} differences\n");
    for difference in differences {
        let subject = [&difference.payment_id, &difference.provider_reference].map(String::as_str);
        let subject = subject.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(", ");
        text += &format!("\n{} {subject}\n", difference.kind().as_str_name());
        let mut table = Table::new(&["  ", " LEDGER", " PROVIDER"]);
        for (name, ledger, provider) in rows(difference) {
            table.row(vec![format!("  {name}"), ledger, provider]);
        }
        text += &table.text();
        text += &format!("  to do: {}\n", difference.advice);
    }
    text
}

/// Name and both amounts of each sum that is not the same.
fn rows(difference: &Difference) -> Vec<(&'static str, String, String)> {
    let (ledger, provider) = (shown(difference.ledger.as_ref()), shown(difference.provider.as_ref()));
    let names = ["authorized", "captured", "voided", "refunded", "charged back"];
    let rows = names.into_iter().zip(ledger).zip(provider).map(|((name, ledger), provider)| (name, ledger, provider));
    rows.filter(|(_, ledger, provider)| ledger != provider).collect()
}

fn shown(sums: Option<&LedgerSums>) -> [String; 5] {
    let Some(sums) = sums else { return std::array::from_fn(|_| "-".to_owned()) };
    amounts(sums).map(|amount| {
        let money = amount.as_ref().and_then(|amount| Money::from_wire(amount).ok());
        money.map_or_else(|| "-".to_owned(), |money| money.to_string())
    })
}

fn amounts(sums: &LedgerSums) -> [&Option<WireMoney>; 5] {
    let LedgerSums { authorized_amount, captured_amount, voided_amount, refunded_amount, charged_back_amount } = sums;
    [authorized_amount, captured_amount, voided_amount, refunded_amount, charged_back_amount]
}

fn as_json(found: &ReconcilePaymentsResponse) -> Value {
    let sums = |sums: Option<&LedgerSums>| {
        let [authorized, captured, voided, refunded, charged_back] = shown(sums);
        let all = json!({
            "authorized": authorized, "captured": captured, "voided": voided,
            "refunded": refunded, "chargedBack": charged_back,
        });
        sums.map(|_| all)
    };
    let differences = found.differences.iter().map(|difference| {
        json!({
            "kind": difference.kind().as_str_name(),
            "paymentId": difference.payment_id,
            "providerReference": difference.provider_reference,
            "ledger": sums(difference.ledger.as_ref()),
            "provider": sums(difference.provider.as_ref()),
            "advice": difference.advice,
        })
    });
    json!({
        "charges": found.charges,
        "payments": found.payments,
        "underWay": found.under_way,
        "differenceCount": found.difference_count,
        "differences": differences.collect::<Vec<_>>(),
    })
}
