//! The ledger: what the provider did, append-only, and the sums that follow from it. Pure.

use ::store::Time;
use contracts::money::Money;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The amount was set aside.
    Authorization,
    /// The amount was taken.
    Capture,
    /// The authorization was given back.
    Void,
    /// The amount was given back after capture.
    Refund,
    /// The payer's bank took the amount back.
    ChargeBack,
}

/// One thing that the provider did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub kind: Kind,
    /// How much, above 0.
    #[serde(with = "::store::fields::money")]
    pub amount: Money,
    pub provider_reference: String,
    /// The key it was asked under; unique in the ledger.
    pub key: String,
    pub at: Time,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ledger(Vec<Entry>);

/// Why a ledger does not take an entry, or has no sums.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// More would be taken or given back than there is.
    #[error("refuses this {0:?}: it exceeds what is there")]
    Refused(Kind),
    #[error("cannot be summed: {0}")]
    Arithmetic(#[source] contracts::money::Error),
}

/// The sums of a ledger, by kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amounts {
    pub authorized: Money,
    pub captured: Money,
    pub voided: Money,
    pub refunded: Money,
    pub charged_back: Money,
}

impl Ledger {
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// Appends `entry`, unless its key is there already. Refuses an entry that gives or takes more than there is.
    pub fn append(&mut self, entry: Entry) -> Result<(), Error> {
        if self.0.iter().any(|known| known.key == entry.key) {
            return Ok(());
        }
        let (kind, currency) = (entry.kind, entry.amount.currency.clone());
        // Appended, then summed: the sums that callers are told are those that decide.
        self.0.push(entry);
        if self.amounts(&currency).and_then(|sums| sums.check(kind)).is_err() {
            self.0.pop();
            return Err(Error::Refused(kind));
        }
        Ok(())
    }

    pub fn amounts(&self, currency: &str) -> Result<Amounts, Error> {
        let zero = Money::zero(currency).map_err(Error::Arithmetic)?;
        let sum = |kind| {
            let mut entries = self.0.iter().filter(|entry| entry.kind == kind);
            entries.try_fold(zero.clone(), |sum, entry| sum.add(&entry.amount)).map_err(Error::Arithmetic)
        };
        Ok(Amounts {
            authorized: sum(Kind::Authorization)?,
            captured: sum(Kind::Capture)?,
            voided: sum(Kind::Void)?,
            refunded: sum(Kind::Refund)?,
            charged_back: sum(Kind::ChargeBack)?,
        })
    }
}

impl Amounts {
    /// Authorized and neither captured nor voided.
    pub fn open(&self) -> Result<Money, Error> {
        minus(&minus(&self.authorized, &self.captured)?, &self.voided)
    }

    /// Captured and neither given nor taken back; below 0 when the payer's bank took back what had been given back.
    pub fn refundable(&self) -> Result<Money, Error> {
        minus(&minus(&self.captured, &self.refunded)?, &self.charged_back)
    }

    fn check(&self, added: Kind) -> Result<(), Error> {
        let left = [self.open()?, minus(&self.captured, &self.refunded)?, minus(&self.captured, &self.charged_back)?];
        let is_sound = left.iter().all(|left| left.amount >= Decimal::ZERO);
        if is_sound { Ok(()) } else { Err(Error::Refused(added)) }
    }
}

fn minus(from: &Money, amount: &Money) -> Result<Money, Error> {
    from.minus(amount).map_err(Error::Arithmetic)
}
