//! The facts of analytics against the orders, and against the ledgers of their payments, to the minor unit.

use super::{
    cluster::{Cluster, Pages, Scope},
    ledgers::{self, Sums, parsed},
    orders::{OrderPhase, contract_name, phase},
    read_model::ReadModel,
    snapshot::{list, number, part, text},
    violation::Examined,
};
use bson::{Document, doc};
use contracts::{
    money::{Error, Money},
    orders::v1::order::State,
};
use std::{collections::BTreeMap, fmt};

const FACTS: ReadModel = ReadModel { service: "analytics", rows: "facts" };

/// Sums of the movements of an order.
#[derive(Debug, PartialEq, Eq)]
struct Earned {
    gross: Money,
    cancelled: Money,
    refunded: Money,
}

impl Earned {
    /// What a fact counts.
    fn of(fact: &Document, currency: &str) -> Result<Self, Error> {
        let sum = |kind: &str| {
            let movements = list(fact, "movements").filter(|one| text(one, "kind") == kind);
            let amounts = movements.filter_map(|one| part(one, "amount"));
            amounts.map(parsed).try_fold(Money::zero(currency)?, |sum, amount| sum.add(&amount?))
        };
        Ok(Self { gross: sum("gross")?, cancelled: sum("cancelled")?, refunded: sum("refunded")? })
    }

    /// What an order says.
    fn expected(order: &Document) -> Result<Self, Error> {
        let total = parsed(part(order, "total").unwrap_or(&Document::new()))?;
        let nothing = Money::zero(&total.currency)?;
        let is_confirmed = list(order, "history").any(|step| text(step, "to") == "Confirmed");
        let cancelled = match text(order, "state") {
            "Cancelled" if is_confirmed => total.clone(),
            "Shipped" | "Delivered" => {
                let left = ledgers::shares(order)?;
                left.map_or(Ok(nothing.clone()), |left| total.minus(&left))?
            }
            _ => nothing.clone(),
        };
        let refunds = list(order, "refunds").filter(|refund| text(refund, "progress") == "Done");
        let amounts = refunds.filter_map(|refund| part(refund, "amount"));
        let refunded = amounts.map(parsed).try_fold(nothing.clone(), |sum, amount| sum.add(&amount?))?;
        Ok(Self { gross: if is_confirmed { total } else { nothing }, cancelled, refunded })
    }

    fn net(&self) -> Result<Money, Error> {
        self.gross.minus(&self.cancelled)?.minus(&self.refunded)
    }
}

impl fmt::Display for Earned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gross {}, cancelled {}, refunded {}", self.gross, self.cancelled, self.refunded)
    }
}

/// Units of each product, and what is paid for them.
#[derive(Debug, PartialEq, Eq)]
struct Sold(BTreeMap<String, (i64, Money)>);

impl Sold {
    /// What a fact says was ordered.
    fn of(fact: &Document) -> Result<Self, Error> {
        let none = Document::new();
        let lines = list(part(fact, "order").unwrap_or(&none), "lines");
        Self::sum(lines.map(|line| Ok((line, number(line, "units"), parsed(part(line, "gross").unwrap_or(&none))?))))
    }

    /// What an order says.
    fn expected(order: &Document) -> Result<Self, Error> {
        Self::sum(list(order, "items").map(|item| Ok((item, number(item, "quantity"), gross(item)?))))
    }

    fn sum<'a>(lines: impl Iterator<Item = Result<(&'a Document, i64, Money), Error>>) -> Result<Self, Error> {
        let mut sold = BTreeMap::new();
        for line in lines {
            let (line, units, gross) = line?;
            let (known, paid) = sold.remove(text(line, "product_id")).unwrap_or((0, Money::zero(&gross.currency)?));
            sold.insert(text(line, "product_id").to_owned(), (known + units, paid.add(&gross)?));
        }
        Ok(Self(sold))
    }
}

impl fmt::Display for Sold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> =
            self.0.iter().map(|(id, (units, gross))| format!("{units} × {id} for {gross}")).collect();
        f.write_str(&lines.join(", "))
    }
}

/// What is paid for the units of an item.
fn gross(item: &Document) -> Result<Money, Error> {
    let amount = parsed(part(item, "amount").unwrap_or(&Document::new()))?;
    let Some(charges) = part(item, "charges") else { return Ok(amount) };
    let charge = |from: &Document, name: &str| part(from, name).map_or_else(|| Money::zero(&amount.currency), parsed);
    let amount = amount.minus(&charge(charges, "discount")?)?;
    match part(charges, "tax").filter(|tax| !tax.get_bool("is_included").unwrap_or_default()) {
        Some(tax) => amount.add(&charge(tax, "amount")?),
        None => Ok(amount),
    }
}

/// Each order has its fact, which counts what the order says; there is no other fact.
pub async fn orders(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let orders = cluster.collection("orders", "orders")?;
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some((mut snapshot, found)) = pages.read(cluster, &orders, doc! { "outbox": 0, "saga": 0 }).await? {
        let facts = FACTS.in_use(cluster, &mut snapshot).await?;
        let ids: Vec<&str> = found.iter().map(|order| text(order, "_id")).collect();
        let facts = snapshot.by_id(&facts, &ids, doc! {}).await?;
        for order in &found {
            let id = text(order, "_id");
            examined.checked += 1;
            if let Some((expected, found)) = compare(order, facts.get(id))? {
                examined.suspect(id, expected, found);
            }
        }
    }
    FACTS.strangers(cluster, scope, &mut examined).await?;
    Ok(examined)
}

/// What the order says and what its fact says, when they differ.
fn compare(order: &Document, fact: Option<&Document>) -> Result<Option<(String, String)>, Error> {
    let Some(fact) = fact else { return Ok(Some(("a fact".to_owned(), "no fact".to_owned()))) };
    let (seq, applied) = (number(order, "seq"), number(fact, "seq"));
    if applied != seq {
        return Ok(Some((format!("the fact after event {seq}"), format!("after event {applied}"))));
    }
    let state =
        State::from_str_name(&contract_name(text(order, "state"))).map_or(0, |state| i64::from(i32::from(state)));
    if number(fact, "state") != state {
        return Ok(Some((format!("state {state}"), format!("state {}", number(fact, "state")))));
    }
    let expected = Earned::expected(order)?;
    let found = Earned::of(fact, &expected.gross.currency)?;
    if expected != found {
        return Ok(Some((expected.to_string(), found.to_string())));
    }
    // The event that tells what was ordered may have been given up; such a fact is in no report.
    if part(fact, "order").is_none() {
        return Ok(None);
    }
    let (expected, found) = (Sold::expected(order)?, Sold::of(fact)?);
    Ok((expected != found).then(|| (expected.to_string(), found.to_string())))
}

/// Of an order that is over, or has shipped, the net is what its ledger has kept. Of one that has shipped, the refunds are those
/// of the ledger too; one that is over may have been given back what was taken for it, which is no refund of a sale.
pub async fn ledger(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let (payments, orders) = (cluster.collection("payments", "payments")?, cluster.collection("orders", "orders")?);
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some((mut snapshot, found)) = pages.read(cluster, &payments, doc! { "outbox": 0, "token": 0 }).await? {
        let facts = FACTS.in_use(cluster, &mut snapshot).await?;
        let ids: Vec<&str> = found.iter().map(|payment| text(payment, "order_id")).collect();
        let facts = snapshot.by_id(&facts, &ids, doc! {}).await?;
        let orders = snapshot.by_id(&orders, &ids, doc! { "outbox": 0, "history": 0 }).await?;
        // With an open intent the money may be on either side.
        for payment in found.iter().filter(|payment| part(payment, "intent").is_none()) {
            let id = text(payment, "order_id");
            let (Some(order), Some(fact)) = (orders.get(id), facts.get(id)) else { continue };
            let Some(sums) = Sums::of(payment) else { continue };
            examined.checked += 1;
            if let Some((expected, found)) = unlike(order, fact, &sums?)? {
                examined.suspect(text(payment, "_id"), expected, found);
            }
        }
    }
    Ok(examined)
}

fn unlike(order: &Document, fact: &Document, sums: &Sums) -> Result<Option<(String, String)>, Error> {
    let has_shipped = match phase(order) {
        // What is under way may be in the ledger and not in the fact yet, and what is confirmed may be taken in parts.
        OrderPhase::Moving | OrderPhase::Confirmed | OrderPhase::Unknown => return Ok(None),
        OrderPhase::Shipped | OrderPhase::Delivered => true,
        OrderPhase::Over => false,
    };
    // A fact that is behind its order is what `facts-are-orders` reports.
    if number(fact, "seq") != number(order, "seq") {
        return Ok(None);
    }
    let earned = Earned::of(fact, &sums.captured.currency)?;
    let (net, kept) = (earned.net()?, sums.kept()?);
    let is_equal = net == kept && (!has_shipped || earned.refunded == sums.refunded);
    Ok((!is_equal)
        .then(|| (format!("net {kept}, refunded {}, as the ledger", sums.refunded), format!("net {net}, {earned}"))))
}
