//! The totals that the payment provider can take, as payments answers; remembered by currency.
//!
//! When payments does not answer, an order is accepted all the same: the provider refuses an amount that it cannot take.

use crate::{clients::Peers, error::Error};
use contracts::{money::Money, payments::v1::PayableAmounts};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tonic::{Code, Status};

/// Life of an answer: bounds change with a contract of the provider, and an outdated answer costs one declined payment.
const ANSWER_TTL: Duration = Duration::from_secs(300);

/// For this time after payments did not answer it is not asked again, so that an outage slows down one order in a while.
const NO_ANSWER_TTL: Duration = Duration::from_secs(5);

/// Longest wait for an answer; the customer waits for it too.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// Multiples of the step, from the least to the most.
    Payable {
        step: Money,
        least: Money,
        most: Money,
    },
    /// No amount of the currency.
    NotPayable,
    Unknown,
}

#[derive(Clone)]
pub struct Payable {
    peers: Peers,
    answers: Arc<Mutex<HashMap<String, (Instant, Answer)>>>,
}

impl Payable {
    pub fn new(peers: Peers) -> Self {
        Self { peers, answers: Arc::default() }
    }

    /// Refuses a total that the provider cannot take. Else the step, in minor units, of which captures and refunds must be
    /// multiples. Nothing to pay is always payable.
    pub async fn check(&self, total: &Money) -> Result<i64, Error> {
        if !total.is_positive() {
            return Ok(1);
        }
        match self.answer(&total.currency).await {
            Answer::Unknown => Ok(1),
            Answer::NotPayable => Err(Error::CurrencyNotPayable(total.currency.clone())),
            Answer::Payable { step, least, most } => {
                let minor = i64::try_from(step.minor()).unwrap_or(1);
                let is_within = least.amount <= total.amount && total.amount <= most.amount;
                if is_within && total.is_multiple_of(minor) {
                    return Ok(minor);
                }
                let [total, step, least, most] = [total, &step, &least, &most].map(ToString::to_string);
                Err(Error::AmountNotPayable { total, step, least, most })
            }
        }
    }

    async fn answer(&self, currency: &str) -> Answer {
        if let Some(known) = self.known(currency) {
            return known;
        }
        let asked = tokio::time::timeout(ANSWER_TIMEOUT, self.peers.payable_amounts(currency)).await;
        let answer = asked.map_or(Answer::Unknown, |answered| parsed(answered).unwrap_or(Answer::Unknown));
        let mut answers = self.answers.lock().expect("no holder panics");
        // While payments does not answer, its last answer still holds.
        let before = answers.get(currency).map(|(_, answer)| answer.clone());
        let answer = if answer == Answer::Unknown { before.unwrap_or(answer) } else { answer };
        answers.insert(currency.to_owned(), (Instant::now(), answer.clone()));
        answer
    }

    fn known(&self, currency: &str) -> Option<Answer> {
        let answers = self.answers.lock().expect("no holder panics");
        let (at, answer) = answers.get(currency)?;
        let lasts = if *answer == Answer::Unknown { NO_ANSWER_TTL } else { ANSWER_TTL };
        (at.elapsed() < lasts).then(|| answer.clone())
    }
}

/// The content of an answer; none when it cannot be parsed.
fn parsed(answered: Result<PayableAmounts, Status>) -> Option<Answer> {
    let payable = match answered {
        Ok(payable) => payable,
        Err(status) if status.code() == Code::FailedPrecondition => return Some(Answer::NotPayable),
        Err(status) => {
            tracing::warn!(error = %status.message(), "payments does not tell which amounts can be paid");
            return None;
        }
    };
    let [step, least, most] =
        [payable.step, payable.minimum, payable.maximum].map(|amount| Money::from_wire(&amount?).ok());
    Some(Answer::Payable { step: step.filter(Money::is_positive)?, least: least?, most: most? })
}
