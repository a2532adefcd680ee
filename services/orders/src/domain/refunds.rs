//! Refunds of an order that has left: what each gives back, to the minor unit, and where its units go. Pure.

use super::{Disposition, Error, Order, Refund, RefundProgress, Returned, State};
use crate::sagas::definitions::{REFUND_ORDER, Sagas};
use ::store::Time;
use contracts::money::Money;
use saga::Status;

/// Most refunds of one order, for all of them are kept in its document.
const MAX_REFUNDS: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// All that was paid and not given back.
    Rest,
    /// An amount, and no units come back.
    Amount(Money),
    Units(Vec<ReturnedUnits>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnedUnits {
    pub product_id: String,
    pub quantity: i32,
    pub disposition: Disposition,
}

/// Units of one product, and the money that belongs to them.
pub(super) struct ProductSum {
    pub units: u32,
    pub amount: Money,
}

impl ProductSum {
    pub fn zero(currency: &str) -> Result<Self, Error> {
        Ok(Self { units: 0, amount: Money::zero(currency)? })
    }

    pub fn add(&mut self, quantity: i32, amount: &Money) -> Result<(), Error> {
        self.units = self.units.saturating_add(quantity.unsigned_abs());
        self.amount = self.amount.add(amount)?;
        Ok(())
    }
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
    /// The order with one more refund. `None` when the request is repeated.
    pub fn refund(&self, sagas: &Sagas, request: RefundRequest, now: Time) -> Result<Option<Self>, Error> {
        let is_repeated = |known: &&Refund| !request.request_id.is_empty() && known.request_id == request.request_id;
        if let Some(known) = self.refunds.iter().find(is_repeated) {
            // The digest of a refund that was erased is empty, and that of every request.
            let is_same = known.digest.is_empty() || known.digest == request.digest;
            return if is_same { Ok(None) } else { Err(Error::KeyReused) };
        }
        match (self.state, &self.frozen) {
            (State::Shipped | State::Delivered, None) => {}
            (State::Shipped | State::Delivered, Some(reason)) => return Err(Error::Frozen(reason.clone())),
            (state, _) => return Err(Error::NotRefundable(state)),
        }
        if self.refunds.len() >= MAX_REFUNDS {
            return Err(Error::TooManyRefunds);
        }
        let (returned, amount) = self.priced(request.extent)?;
        let RefundRequest { id, request_id, digest, extent: _, reason, actor } = request;
        // Nothing erases an order twice.
        let (digest, reason) = if self.is_erased() { (String::new(), String::new()) } else { (digest, reason) };
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

    /// The returned units and the amount of a refund: no more than is left, and above 0 unless the units had cost nothing.
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

    /// Prices units by their share of what the whole product had cost, less what was refunded for other units before. So the
    /// refunds of a product sum to its price in whatever parts the units come back. What is finer than the step of the
    /// provider goes back with the rest.
    fn price_units(&self, units: Vec<ReturnedUnits>) -> Result<(Vec<Returned>, Money), Error> {
        let (mut all, mut sum) = (Vec::new(), Money::zero(&self.total.currency)?);
        for ReturnedUnits { product_id, quantity, disposition } in units {
            let before = self.given_back(&product_id, &all)?;
            let bought = self.bought(&product_id)?;
            let upto = before.units.saturating_add(quantity.unsigned_abs());
            // Units that were stopped before they left are not paid, and cannot come back.
            let left = bought.units.saturating_sub(self.never_left(&product_id));
            if upto > left {
                return Err(Error::MoreThanBought { product_id, left: left.saturating_sub(before.units) });
            }
            let amount = bought.amount.units(0, upto, bought.units)?.floor_to(self.step())?.minus(&before.amount)?;
            sum = sum.add(&amount)?;
            all.push(Returned { product_id, quantity, disposition, amount });
        }
        Ok((all, sum))
    }

    /// Units of a product that were bought, and what was paid for them, without shipping.
    fn bought(&self, product_id: &str) -> Result<ProductSum, Error> {
        let mut sum = ProductSum::zero(&self.total.currency)?;
        for item in self.items.iter().filter(|item| item.product_id == product_id) {
            sum.add(item.quantity, &item.paid()?)?;
        }
        Ok(sum)
    }

    /// Units of a product that were stopped before they left, and never paid.
    fn never_left(&self, product_id: &str) -> u32 {
        let lines = self.stopped().flat_map(|shipment| &shipment.lines).filter(|line| line.product_id == product_id);
        lines.map(|line| line.quantity.unsigned_abs()).sum()
    }

    /// Units of a product that have come back, with those of `also`, and what was refunded for them.
    fn given_back(&self, product_id: &str, also: &[Returned]) -> Result<ProductSum, Error> {
        let kept = self.refunds.iter().filter(|refund| refund.progress != RefundProgress::Refused);
        let lines = kept.flat_map(|refund| &refund.returned).chain(also).filter(|line| line.product_id == product_id);
        let mut sum = ProductSum::zero(&self.total.currency)?;
        for line in lines {
            sum.add(line.quantity, &line.amount)?;
        }
        Ok(sum)
    }

    /// What was paid, less the refunds that are done or under way.
    fn left(&self) -> Result<Money, Error> {
        let kept = self.refunds.iter().filter(|refund| refund.progress != RefundProgress::Refused);
        Ok(kept.map(|refund| &refund.amount).try_fold(self.owed()?, |left, amount| left.minus(amount))?)
    }

    /// The refund of the current saga: the first that has not ended.
    pub fn current_refund(&self) -> Option<&Refund> {
        self.refunds.iter().find(|refund| refund.progress == RefundProgress::Requested)
    }

    /// Ends the current refund as its saga has ended.
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

    /// The order after a charge-back: nothing is refunded any more. `None` when the order is frozen already.
    pub fn freeze(&self, reason: &str, now: Time) -> Option<Self> {
        if self.frozen.is_some() {
            return None;
        }
        Some(Self { frozen: Some(reason.to_owned()), updated_at: now, ..self.clone() })
    }
}
