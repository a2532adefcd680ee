//! What a payment is, what may be asked of the provider next, and what its answer means. Pure.

mod answer;
mod command;
mod error;
mod ledger;
mod operation;
mod outcome;
mod state;
#[cfg(test)]
mod tests;
mod token;

pub use command::{Command, Portion};
pub use error::Error;
pub use ledger::{Amounts, Entry, Kind, Ledger};
pub use operation::{Intent, Operation};
pub use outcome::{Movement, Outcome, ProviderEvent};
pub use state::{State, transition};
pub use token::Token;

use ::saga::{StepCall, StepCalls};
use ::store::Time;
use contracts::money::{MOST_OF_A_SUM, Money};
use serde::{Deserialize, Serialize};

/// Reason of a payment that the payer gave up.
const ABANDONED: &str = "ACTION_ABANDONED";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Above 0.
    #[serde(with = "::store::fields::money")]
    pub amount: Money,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    pub order_id: String,
    pub user_id: String,
    pub state: State,
    /// What was asked for; none when it was cancelled before anything was.
    pub asked: Option<Asked>,
    /// The means of payment, until the provider's first answer.
    pub token: Option<Token>,
    /// The provider's name for the charge, once it gave one.
    pub provider_reference: Option<String>,
    /// Why the provider refused; empty unless DECLINED.
    pub decline_reason: String,
    pub ledger: Ledger,
    pub intent: Option<Intent>,
    /// How often the provider has refused to move the money: what is tried again then is another request.
    #[serde(default)]
    pub refusals: i32,
    /// When the provider is asked how things are, because they end by themselves.
    pub check_at: Option<Time>,
    /// Why nothing may be moved any more; people must see to it.
    pub frozen: Option<String>,
    #[serde(default, rename = "callers")]
    pub calls: StepCalls,
    pub created_at: Time,
    pub updated_at: Time,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    pub order_id: String,
    pub user_id: String,
    pub amount: Money,
    pub token: Token,
    pub call: StepCall,
}

impl Payment {
    /// A new payment that intends to be authorized.
    pub fn begin(id: &str, start: Start, now: Time) -> Result<Self, Error> {
        if !start.amount.is_positive() {
            return Err(Error::NotPositive);
        }
        start.amount.at_most(MOST_OF_A_SUM).map_err(Error::Amount)?;
        transition(None, State::Authorizing)?;
        let mut payment = Self::blank(start.order_id, start.user_id, State::Authorizing, &start.call, now);
        let key = Operation::Authorize.key(id);
        payment.intent = Some(Intent::new(Operation::Authorize, key, start.amount.clone(), now));
        payment.asked = Some(Asked { amount: start.amount });
        payment.token = Some(start.token);
        Ok(payment)
    }

    /// The mark of a cancellation that came before its payment.
    pub fn cancelled(order_id: String, user_id: String, call: &StepCall, now: Time) -> Self {
        Self::blank(order_id, user_id, State::Voided, call, now)
    }

    fn blank(order_id: String, user_id: String, state: State, call: &StepCall, now: Time) -> Self {
        Self {
            order_id,
            user_id,
            state,
            asked: None,
            token: None,
            provider_reference: None,
            decline_reason: String::new(),
            ledger: Ledger::default(),
            intent: None,
            refusals: 0,
            check_at: None,
            frozen: None,
            calls: StepCalls::default().with(call),
            created_at: now,
            updated_at: now,
        }
    }

    /// Whether this payment can answer a repeated `start`.
    pub fn repeats(&self, start: &Start) -> Result<(), Error> {
        self.belongs_to(&start.order_id, &start.user_id)?;
        self.calls.admit(&start.call)?;
        if self.asked.as_ref().is_some_and(|asked| asked.amount != start.amount) {
            return Err(Error::Mismatch);
        }
        // A cancellation that came first has left its mark, or has undone the payment.
        if self.state == State::Voided { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Refuses a request that names another order or user.
    pub fn belongs_to(&self, order_id: &str, user_id: &str) -> Result<(), Error> {
        if self.order_id == order_id && self.user_id == user_id { Ok(()) } else { Err(Error::Mismatch) }
    }

    pub fn intends(&self, operation: Operation) -> bool {
        self.intent.as_ref().is_some_and(|intent| intent.operation == operation)
    }

    /// The sums of the ledger; none when nothing was ever asked for.
    pub fn amounts(&self) -> Result<Option<Amounts>, Error> {
        Ok(self.asked.as_ref().map(|asked| self.ledger.amounts(&asked.amount.currency)).transpose()?)
    }

    fn enter(&mut self, state: State) -> Result<(), Error> {
        transition(Some(self.state), state)?;
        self.state = state;
        Ok(())
    }
}
