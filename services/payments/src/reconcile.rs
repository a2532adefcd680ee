//! The provider's report against the ledger, both ways. Reads only.
//!
//! What differs at first may be on its way: it is looked at again, after a pause, before it counts.

mod convert;

pub use convert::to_wire;

use crate::{
    commands::{AUTHORIZE, Commands},
    domain::{Amounts, Operation, Payment},
    error::Error,
    provider::{Charge, Reported},
};
use ::store::{Time, Versioned};
use futures::{StreamExt, TryStreamExt, stream};
use std::{collections::HashSet, time::Duration};

/// Payments of one page.
const PAGE: i64 = 500;

/// Looks at what differs, and the pause before each: a reply or webhook that is on its way arrives within these six seconds.
const ROUNDS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);

/// Questions at a time.
const PARALLEL: usize = 8;

#[derive(Debug, Default)]
pub struct Reconciliation {
    pub charges: usize,
    pub payments: usize,
    /// Payments that the provider is being asked about.
    pub under_way: usize,
    pub differences: Vec<Difference>,
}

/// A payment that is not the same here and at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The payment; empty when the charge is none of ours.
    pub payment_id: String,
    /// The provider's name for the charge.
    pub reference: String,
    /// What the ledger sums to; none without a payment.
    pub ledger: Option<Amounts>,
    /// What the provider reports; none without a charge.
    pub provider: Option<Amounts>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A charge that no payment asked for.
    NoPayment,
    /// Entries that the provider knows nothing of.
    NoCharge,
    /// Other amounts.
    Amounts,
}

impl Difference {
    pub fn kind(&self) -> Kind {
        match (&self.ledger, &self.provider) {
            (None, _) => Kind::NoPayment,
            (Some(_), None) => Kind::NoCharge,
            (Some(_), Some(_)) => Kind::Amounts,
        }
    }

    pub fn advice(&self) -> &'static str {
        match (&self.ledger, &self.provider) {
            (None, _) => "find out who made this charge; void or refund it at the provider if nobody owes it",
            (Some(_), None) => "check that the key and the account are those of the payment; then ask the provider",
            (Some(ledger), Some(provider)) if provider.captured.amount > ledger.captured.amount => {
                "the provider took more than the ledger says: look for its webhook, or refund the rest at the provider"
            }
            (Some(ledger), Some(provider)) if provider.refunded.amount < ledger.refunded.amount => {
                "a refund has not reached the payer: ask the provider, and make it there"
            }
            (Some(_), Some(_)) => "look for the webhook in webhook_inbox, and have the provider send it again",
        }
    }
}

enum Compared {
    Same,
    UnderWay,
    Differs(Box<Difference>),
}

/// Compares everything that has changed since.
pub async fn run(commands: &Commands, since: Time) -> Result<Reconciliation, Error> {
    let mut found = Reconciliation::default();
    let (mut seen, mut suspects) = (HashSet::new(), Vec::new());
    let mut from: Option<String> = None;
    loop {
        let page = commands.provider.report(since, from.as_deref()).await?;
        for reported in page.charges {
            found.charges += 1;
            let id = payment_of(&reported).to_owned();
            if let Some(payment) = readable(&id, commands.get(&id).await)? {
                note(&mut found, &mut suspects, compare(&id, payment.as_ref(), Some(&reported))?, reported.charge_key);
            }
            seen.insert(id);
        }
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    // The other way round: what the ledger has and the report lacks.
    unreported(commands, since, &seen, (&mut found, &mut suspects)).await?;
    for _ in 0..ROUNDS {
        if suspects.is_empty() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        suspects = look_again(commands, suspects).await?;
    }
    found.differences = suspects.into_iter().map(|(_, difference)| difference).collect();
    found.differences.sort_by(|a, b| (&a.payment_id, &a.reference).cmp(&(&b.payment_id, &b.reference)));
    Ok(found)
}

/// What was read. A payment that cannot be read is told of, and holds up no other.
fn readable<T>(id: &str, read: Result<T, Error>) -> Result<Option<T>, Error> {
    match read {
        Err(Error::Store(::store::Error::Bson(error))) => {
            tracing::error!(payment = id, %error, "a payment cannot be read, and is not compared");
            Ok(None)
        }
        read => read.map(Some),
    }
}

/// What differs, each with the key of its charge.
type Suspects = Vec<(String, Difference)>;

/// Payments that have moved, and that the report has nothing of: is there a charge at all?
async fn unreported(
    commands: &Commands,
    since: Time,
    seen: &HashSet<String>,
    (found, suspects): (&mut Reconciliation, &mut Suspects),
) -> Result<(), Error> {
    let mut after = String::new();
    loop {
        let page = commands.payments.moved(since, &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(&last.id);
        let unseen = page.into_iter().filter(|payment| !seen.contains(&payment.id));
        let asked = unseen.map(|payment| async move { Ok::<_, Error>((ask(commands, &payment).await?, payment)) });
        let answers: Vec<_> = stream::iter(asked).buffer_unordered(PARALLEL).try_collect().await?;
        for (reported, payment) in answers {
            let compared = compare(&payment.id, Some(&payment), reported.as_ref())?;
            note(found, suspects, compared, Operation::Authorize.key(&payment.id));
        }
    }
}

async fn ask(commands: &Commands, payment: &Versioned<Payment>) -> Result<Option<Reported>, Error> {
    let key = Operation::Authorize.key(&payment.id);
    let charge = Charge { key: &key, reference: payment.state.provider_reference.as_deref() };
    Ok(commands.provider.find(charge).await?)
}

/// Those that still differ.
async fn look_again(commands: &Commands, suspects: Suspects) -> Result<Suspects, Error> {
    let looks = suspects.into_iter().map(|(key, before)| async move {
        let id = key.strip_suffix(AUTHORIZE).unwrap_or_default().to_owned();
        let payment = commands.get(&id).await?;
        let reference = Some(before.reference.as_str()).filter(|reference| !reference.is_empty());
        let reported = commands.provider.find(Charge { key: &key, reference }).await?;
        Ok::<_, Error>((compare(&id, payment.as_ref(), reported.as_ref())?, key))
    });
    let looked: Vec<_> = stream::iter(looks).buffer_unordered(PARALLEL).try_collect().await?;
    let differs = looked.into_iter().filter_map(|(compared, key)| match compared {
        Compared::Differs(difference) => Some((key, *difference)),
        Compared::Same | Compared::UnderWay => None,
    });
    Ok(differs.collect())
}

fn note(found: &mut Reconciliation, suspects: &mut Suspects, compared: Compared, key: String) {
    match compared {
        Compared::Same => found.payments += 1,
        Compared::UnderWay => found.under_way += 1,
        Compared::Differs(difference) => {
            found.payments += usize::from(difference.ledger.is_some());
            suspects.push((key, *difference));
        }
    }
}

/// A charge under which no money was ever set aside need not have a payment.
fn compare(id: &str, payment: Option<&Versioned<Payment>>, reported: Option<&Reported>) -> Result<Compared, Error> {
    let is_empty = |sums: &Amounts| !sums.authorized.is_positive();
    let ledger = payment.map(|payment| payment.state.amounts()).transpose()?.flatten();
    let provider = reported.map(|reported| reported.sums.clone());
    // With an open intent the two sides may differ for a moment, which the resolver ends.
    if payment.is_some_and(|payment| payment.state.intent.is_some()) {
        return Ok(Compared::UnderWay);
    }
    let is_same = match (&ledger, &provider) {
        (Some(ledger), Some(provider)) => ledger == provider,
        (sums, None) | (None, sums) => sums.as_ref().is_none_or(is_empty),
    };
    let reference = reported.map(|reported| reported.reference.clone());
    let own = || payment.and_then(|payment| payment.state.provider_reference.clone()).unwrap_or_default();
    let difference = || Difference {
        payment_id: if payment.is_some() { id.to_owned() } else { String::new() },
        reference: reference.unwrap_or_else(own),
        ledger,
        provider,
    };
    Ok(if is_same { Compared::Same } else { Compared::Differs(Box::new(difference())) })
}

/// The payment that a charge belongs to; empty when it is none of ours.
fn payment_of(reported: &Reported) -> &str {
    reported.charge_key.strip_suffix(AUTHORIZE).unwrap_or_default()
}
