//! Ledgers of payments: their bounds, what they were told to be, and what they are for the orders.

use super::{
    cluster::{Cluster, Pages, Scope},
    orders::{OrderPhase, phase},
    snapshot::{Snapshot, list, number, part, text},
    violation::Examined,
};
use bson::{Document, doc};
use contracts::{
    google::r#type::Money as WireMoney,
    money::{Error, Money},
    payments::v1::PaymentChanged,
};
use prost::Message;
use std::collections::HashMap;

/// Type of the events that tell amounts.
const CHANGED: &str = "comptoir.payments.v1.PaymentChanged";

#[derive(Debug, PartialEq, Eq)]
pub struct Sums {
    pub authorized: Money,
    pub captured: Money,
    pub voided: Money,
    pub refunded: Money,
    pub charged_back: Money,
}

impl Sums {
    /// Those of a stored payment; none when nothing was ever asked for.
    pub fn of(payment: &Document) -> Option<Result<Self, Error>> {
        let asked = part(payment, "asked").and_then(|asked| part(asked, "amount"))?;
        let currency = text(asked, "currency");
        let sum = |kind: &str| {
            let entries = list(payment, "ledger").filter(|entry| text(entry, "kind") == kind);
            let amounts = entries.filter_map(|entry| part(entry, "amount"));
            amounts.map(parsed).try_fold(Money::zero(currency)?, |sum, amount| sum.add(&amount?))
        };
        let all = || {
            Ok(Self {
                authorized: sum("Authorization")?,
                captured: sum("Capture")?,
                voided: sum("Void")?,
                refunded: sum("Refund")?,
                charged_back: sum("ChargeBack")?,
            })
        };
        Some(all())
    }

    /// What is kept of what was taken.
    pub fn kept(&self) -> Result<Money, Error> {
        self.captured.minus(&self.refunded)
    }

    /// What is wrong with them in a payment of this state.
    fn fault(&self, state: &str) -> Option<&'static str> {
        let open = self.authorized.minus(&self.captured).and_then(|left| left.minus(&self.voided));
        let is_within = |left: Result<Money, Error>| left.is_ok_and(|left| left.minor() >= 0);
        let [captured, refunded] = [self.captured.is_positive(), self.refunded.is_positive()];
        let fits = match state {
            "Authorized" => self.authorized.is_positive() && !captured && !refunded,
            "Captured" => captured && !refunded,
            "Refunded" => refunded,
            "Voided" => self.authorized == self.voided && !captured,
            _ => !self.authorized.is_positive() && !captured && !refunded,
        };
        match (is_within(open), is_within(self.kept())) {
            (false, _) => Some("more is captured and voided than was authorized"),
            (_, false) => Some("more is refunded than was captured"),
            _ if !fits => Some("the state does not fit the ledger"),
            _ => None,
        }
    }
}

impl std::fmt::Display for Sums {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { authorized, captured, voided, refunded, charged_back } = self;
        write!(f, "authorized {authorized}, captured {captured}, voided {voided}, ")?;
        write!(f, "refunded {refunded}, charged back {charged_back}")
    }
}

pub fn parsed(stored: &Document) -> Result<Money, Error> {
    let digits = stored.get("amount").map(ToString::to_string).unwrap_or_default();
    Money::parse(text(stored, "currency"), &digits)
}

/// Refunds ≤ captures ≤ authorizations, the state is what the ledger says, and so are the amounts that were told last.
pub async fn sound(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let (payments, log) = (cluster.collection("payments", "payments")?, cluster.collection("payments", store::LOG)?);
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some((mut snapshot, found)) = pages.read(cluster, &payments, doc! { "token": 0 }).await? {
        let told = told(&mut snapshot, &log, &found).await?;
        for payment in &found {
            let id = text(payment, "_id");
            examined.checked += 1;
            match Sums::of(payment) {
                None => {}
                Some(Err(error)) => examined.suspect(id, "a ledger that can be summed", error.to_string()),
                Some(Ok(sums)) => {
                    if let Some(fault) = sums.fault(text(payment, "state")) {
                        examined.suspect(id, "refunds <= captures <= authorizations, as the state says", fault);
                    } else if let Some(other) = told.get(id).filter(|told| !is_told(&sums, told)) {
                        examined.suspect(id, format!("{sums}, as was told last"), amounts(other));
                    }
                }
            }
        }
    }
    Ok(examined)
}

/// The newest event of each payment that tells its amounts, from the log and from its outbox.
async fn told(
    snapshot: &mut Snapshot,
    log: &mongodb::Collection<Document>,
    payments: &[Document],
) -> anyhow::Result<HashMap<String, PaymentChanged>> {
    let ids: Vec<&str> = payments.iter().map(|payment| text(payment, "_id")).collect();
    let stages = store::log::entries(doc! { "agg": "payment", "aid": { "$in": ids }, "type": CHANGED });
    let logged = snapshot.aggregate(log, stages).await?;
    let mut newest: HashMap<String, (i64, &Document)> = HashMap::new();
    // The newest event may not have left its document yet.
    let waiting =
        payments.iter().flat_map(|payment| list(payment, "outbox").map(move |entry| (text(payment, "_id"), entry)));
    for (id, entry) in logged.iter().map(|entry| (text(entry, "aid"), entry)).chain(waiting) {
        let seq = number(entry, "seq");
        if text(entry, "type") == CHANGED && newest.get(id).is_none_or(|(known, _)| *known < seq) {
            newest.insert(id.to_owned(), (seq, entry));
        }
    }
    let decoded = newest.into_iter().map(|(id, (_, entry))| {
        let data = entry.get_binary_generic("data")?;
        anyhow::Ok((id, PaymentChanged::decode(data.as_slice())?))
    });
    decoded.collect()
}

fn is_told(sums: &Sums, told: &PaymentChanged) -> bool {
    let fold = [&sums.authorized, &sums.captured, &sums.refunded].map(|sum| Some(sum.to_wire()));
    [&told.authorized_amount, &told.captured_amount, &told.refunded_amount] == fold.each_ref()
}

fn amounts(told: &PaymentChanged) -> String {
    let text = |amount: &Option<WireMoney>| {
        amount
            .as_ref()
            .and_then(|amount| Money::from_wire(amount).ok())
            .map_or_else(String::new, |money| money.to_string())
    };
    let (authorized, captured) = (text(&told.authorized_amount), text(&told.captured_amount));
    format!("told were authorized {authorized}, captured {captured}, refunded {}", text(&told.refunded_amount))
}

/// What was captured and not refunded is what the order owes: the shares of its shipments that have left, and nothing
/// otherwise.
pub async fn owed(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let (payments, orders) = (cluster.collection("payments", "payments")?, cluster.collection("orders", "orders")?);
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some((mut snapshot, found)) = pages.read(cluster, &payments, doc! { "outbox": 0, "token": 0 }).await? {
        let ids: Vec<&str> = found.iter().map(|payment| text(payment, "order_id")).collect();
        let orders = snapshot.by_id(&orders, &ids, doc! { "outbox": 0, "history": 0 }).await?;
        // With an open intent the money may be on either side.
        for payment in found.iter().filter(|payment| part(payment, "intent").is_none()) {
            let Some(order) = orders.get(text(payment, "order_id")) else { continue };
            let Some(sums) = Sums::of(payment) else { continue };
            examined.checked += 1;
            if let Some((expected, found)) = unsettled(order, &sums?)? {
                examined.suspect(text(payment, "_id"), expected, found);
            }
        }
    }
    Ok(examined)
}

fn unsettled(order: &Document, sums: &Sums) -> Result<Option<(String, String)>, Error> {
    let kept = sums.kept()?;
    let owed = match phase(order) {
        OrderPhase::Moving | OrderPhase::Unknown => return Ok(None),
        OrderPhase::Over => Money::zero(&kept.currency)?,
        OrderPhase::Confirmed => shares(order)?.unwrap_or(Money::zero(&kept.currency)?),
        OrderPhase::Shipped | OrderPhase::Delivered => left(order)?,
    };
    let is_settled = owed == kept;
    Ok((!is_settled).then(|| (format!("{owed}, as {} owes", text(order, "_id")), format!("{kept} captured and kept"))))
}

/// What the shipments that have left owe; none when none has, or when the order is older than shares.
pub fn shares(order: &Document) -> Result<Option<Money>, Error> {
    let captures = list(order, "shipments").filter_map(|shipment| part(shipment, "capture"));
    let mut amounts = captures.filter_map(|capture| part(capture, "amount")).map(parsed);
    let Some(first) = amounts.next() else { return Ok(None) };
    amounts.try_fold(first?, |sum, amount| sum.add(&amount?)).map(Some)
}

/// What the order owes less what was refunded.
fn left(order: &Document) -> Result<Money, Error> {
    let total = shares(order)?.map_or_else(|| parsed(part(order, "total").unwrap_or(&Document::new())), Ok)?;
    let refunds = list(order, "refunds").filter(|refund| text(refund, "progress") == "Done");
    let amounts = refunds.filter_map(|refund| part(refund, "amount"));
    amounts.map(parsed).try_fold(total, |left, amount| left.minus(&amount?))
}

/// Where the sums of a charge at the sandbox differ from those of the ledger.
pub fn differing(charge: &Document, payment: &Document) -> Option<(String, String)> {
    let currency = part(charge, "amount").map(|amount| text(amount, "currency")).unwrap_or_default();
    let minor = |amount: i64| Money::from_minor(currency, amount.into());
    let field = |name: &str| minor(number(charge, name));
    let authorizations = list(charge, "operations").filter(|operation| text(operation, "kind") == "authorized");
    let authorized: i64 = authorizations.map(|operation| number(operation, "amount")).sum();
    let reported = || {
        Ok::<_, Error>(Sums {
            authorized: minor(authorized)?,
            captured: field("captured")?,
            voided: field("voided")?,
            refunded: field("refunded")?,
            charged_back: field("charged_back")?,
        })
    };
    match (Sums::of(payment)?, reported()) {
        (Ok(ledger), Ok(reported)) if ledger == reported => None,
        (Ok(ledger), Ok(reported)) => {
            Some((format!("{ledger}, as the ledger"), format!("the provider has {reported}")))
        }
        (Err(error), _) | (_, Err(error)) => Some(("amounts".to_owned(), error.to_string())),
    }
}
