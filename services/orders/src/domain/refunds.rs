//! Refunds of an order that has left: what each gives back, to the minor unit, and where its units go. Pure.

use super::{Disposition, Error, Order, Refund, RefundProgress, Returned, State};
use crate::sagas::definitions::{REFUND_ORDER, Sagas};
use ::store::Time;
use contracts::money::Money;
use saga::Status;

/// Most refunds of one order.
const MOST: usize = 100;

/// How much is to be given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    Rest,
    /// So much, and nothing comes back.
    Amount(Money),
    /// What these units have cost.
    Units(Vec<(String, i32, Disposition)>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundRequest {
    pub id: String,
    /// Key of the request; may be empty.
    pub request_id: String,
    pub digest: String,
    pub extent: Extent,
    pub reason: String,
    pub actor: String,
}

impl Order {
    /// What a request to refund does. `None`: the same request was taken before.
    pub fn refund(&self, sagas: &Sagas, request: RefundRequest, now: Time) -> Result<Option<Self>, Error> {
        let is_same = |known: &&Refund| !request.request_id.is_empty() && known.request_id == request.request_id;
        if let Some(known) = self.refunds.iter().find(is_same) {
            return if known.digest == request.digest { Ok(None) } else { Err(Error::KeyReused) };
        }
        match (self.state, &self.frozen) {
            (State::Shipped | State::Delivered, None) => {}
            (State::Shipped | State::Delivered, Some(reason)) => return Err(Error::Frozen(reason.clone())),
            (state, _) => return Err(Error::NotRefundable(state)),
        }
        if self.refunds.len() >= MOST {
            return Err(Error::TooManyRefunds);
        }
        let (returned, amount) = self.priced(request.extent)?;
        let RefundRequest { id, request_id, digest, extent: _, reason, actor } = request;
        let (progress, refusal) = (RefundProgress::Requested, String::new());
        let mut next = self.clone();
        next.refunds.push(Refund {
            id,
            request_id,
            digest,
            returned,
            amount,
            reason,
            actor,
            progress,
            refusal,
            at: now,
        });
        next.updated_at = now;
        next.refund_next(sagas, now);
        Ok(Some(next))
    }

    /// What comes back, and how much is given: no more than is left, and above 0 unless units come back that had cost
    /// nothing.
    fn priced(&self, extent: Extent) -> Result<(Vec<Returned>, Money), Error> {
        let left = self.left()?;
        let (returned, amount) = match extent {
            Extent::Rest => (Vec::new(), left.clone()),
            Extent::Amount(amount) if amount.currency != left.currency => {
                return Err(Error::RefundCurrency(left.currency));
            }
            Extent::Amount(amount) if !amount.is_multiple_of(self.step()) => {
                return Err(Error::RefundTooFine(Money::from_minor(&left.currency, self.step().into())?));
            }
            Extent::Amount(amount) => (Vec::new(), amount),
            Extent::Units(units) => self.price_units(units)?,
        };
        if !returned.is_empty() && amount.amount.is_zero() {
            return Ok((returned, amount));
        }
        if !left.is_positive() || amount.amount > left.amount {
            return Err(Error::MoreThanPaid(left));
        }
        if amount.is_positive() { Ok((returned, amount)) } else { Err(Error::RefundNotPositive) }
    }

    /// Units cost their share of what all of the product had cost, less what was given for others before: whatever the
    /// units are parted into, the parts sum to the whole; less what the provider cannot give back for being too fine, which
    /// goes back with the rest.
    fn price_units(&self, units: Vec<(String, i32, Disposition)>) -> Result<(Vec<Returned>, Money), Error> {
        let (mut all, mut sum) = (Vec::new(), Money::zero(&self.total.currency)?);
        for (product_id, quantity, disposition) in units {
            let before = self.given_back(&product_id, &all)?;
            let bought = self.bought(&product_id)?;
            let upto = before.0.saturating_add(quantity.unsigned_abs());
            let left = bought.0.saturating_sub(self.never_left(&product_id));
            if upto > left {
                return Err(Error::MoreThanBought { product_id, left: left.saturating_sub(before.0) });
            }
            let amount = bought.1.units(0, upto, bought.0)?.floor_to(self.step())?.minus(&before.1)?;
            sum = sum.add(&amount)?;
            all.push(Returned { product_id, quantity, disposition, amount });
        }
        Ok((all, sum))
    }

    /// Units of a product that were bought, and what was paid for them: shipping is not in it.
    fn bought(&self, product_id: &str) -> Result<(u32, Money), Error> {
        let lines = self.items.iter().filter(|item| item.product_id == product_id);
        let none = (0, Money::zero(&self.total.currency)?);
        lines.map(|item| Ok((item.quantity, item.paid()?))).try_fold(none, |sum, line: Result<_, Error>| {
            let (quantity, paid) = line?;
            add(sum, (quantity, &paid))
        })
    }

    /// Units of a product that were stopped before they left, and never paid.
    fn never_left(&self, product_id: &str) -> u32 {
        let lines = self.stopped().flat_map(|shipment| &shipment.lines).filter(|line| line.product_id == product_id);
        lines.map(|line| line.quantity.unsigned_abs()).sum()
    }

    /// Units of a product that have come back, with those of `also`, and what was given for them.
    fn given_back(&self, product_id: &str, also: &[Returned]) -> Result<(u32, Money), Error> {
        let kept = self.refunds.iter().filter(|refund| refund.progress != RefundProgress::Refused);
        let lines = kept.flat_map(|refund| &refund.returned).chain(also).filter(|line| line.product_id == product_id);
        let none = (0, Money::zero(&self.total.currency)?);
        lines.map(|line| (line.quantity, &line.amount)).try_fold(none, add)
    }

    /// What was paid and is neither given back nor about to be.
    fn left(&self) -> Result<Money, Error> {
        let kept = self.refunds.iter().filter(|refund| refund.progress != RefundProgress::Refused);
        Ok(kept.map(|refund| &refund.amount).try_fold(self.owed()?, |left, amount| left.minus(amount))?)
    }

    /// The refund that the saga is about: the first that has not ended.
    pub fn current_refund(&self) -> Option<&Refund> {
        self.refunds.iter().find(|refund| refund.progress == RefundProgress::Requested)
    }

    /// Notes how the saga of a refund has ended.
    pub(super) fn follow_refunding(&mut self) {
        let progress = match self.saga.status {
            Status::Completed => RefundProgress::Done,
            Status::Compensated => RefundProgress::Refused,
            Status::Running | Status::Compensating | Status::Parked => return,
        };
        let refusal = self.saga.reason.clone().filter(|_| progress == RefundProgress::Refused);
        if let Some(refund) = self.refunds.iter_mut().find(|refund| refund.progress == RefundProgress::Requested) {
            refund.progress = progress;
            refund.refusal = refusal.unwrap_or_default();
        }
    }

    /// Starts the saga of the next refund, once no other is under way.
    pub(super) fn refund_next(&mut self, sagas: &Sagas, now: Time) {
        let has_left = matches!(self.state, State::Shipped | State::Delivered);
        if has_left && self.saga.has_ended() && self.current_refund().is_some() {
            self.start(sagas, &REFUND_ORDER, now);
            self.saga.wake(now);
        }
    }

    /// The payer's bank took money back. `None` when that is known.
    pub fn freeze(&self, reason: &str, now: Time) -> Option<Self> {
        if self.frozen.is_some() {
            return None;
        }
        Some(Self { frozen: Some(reason.to_owned()), updated_at: now, ..self.clone() })
    }
}

fn add((units, sum): (u32, Money), (quantity, amount): (i32, &Money)) -> Result<(u32, Money), Error> {
    Ok((units.saturating_add(quantity.unsigned_abs()), sum.add(amount)?))
}
