//! Sends what is pending: an attempt claims a mail, asks users and orders what to write, hands it over, and writes the outcome.
//!
//! A claim ends by itself (`lease`): a mail whose sender was killed is tried again after that. An attempt hands its mail over
//! only while enough of its claim is left, so that no other attempt begins meanwhile.

use crate::{
    clients::Peers,
    content::{self, Pages},
    delivery::Delivery,
    domain::{Addressed, Email, Outcome, later},
    language::Language,
    message,
    store::Emails,
    templates::{Content, Templates},
    transport::{Letter, Transport},
};
use ::store::now;
use lettre::{Address, message::Mailbox};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// Mails that are sent at the same time, so that one that waits for a slow server holds up few others.
const AT_A_TIME: usize = 8;

/// Pause between two looks for mails that are due; one that was just written does not wait for it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long an attempt may take to find out what to write. The answers of the peers take 5 s each at most.
const PREPARATION: Duration = Duration::from_secs(12);

/// What is left of a claim after an attempt that took all the time it may.
const MARGIN: Duration = Duration::from_secs(5);

/// Attempts to write an outcome, one a second: an outcome that is lost is a mail that is sent twice.
const WRITES: u32 = 30;

pub struct Sender {
    pub emails: Emails,
    pub peers: Peers,
    pub templates: Arc<Templates>,
    pub transport: Arc<Transport>,
    pub from: Mailbox,
    /// The shop's pages that mails link to.
    pub pages: Option<Pages>,
    /// How long the transport may take for a mail.
    pub time_limit: Duration,
}

impl Sender {
    /// Sends until `shutdown`, then waits for the attempts that are under way.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let (seats, mut attempts) = (Arc::new(Semaphore::new(AT_A_TIME)), JoinSet::new());
        while let Some(Ok(seat)) = shutdown.run_until_cancelled(seats.clone().acquire_owned()).await {
            let began = Instant::now();
            match self.emails.claim(now(), later(now(), self.lease())).await {
                Ok(Some(email)) => {
                    let sender = self.clone();
                    attempts.spawn(async move {
                        sender.attempt(&email, began).await;
                        drop(seat);
                    });
                }
                Ok(None) => self.pause(&shutdown).await,
                Err(error) => {
                    tracing::warn!(%error, "mails that are due cannot be found");
                    self.pause(&shutdown).await;
                }
            }
            while attempts.try_join_next().is_some() {}
        }
        while attempts.join_next().await.is_some() {}
    }

    /// Waits until a mail was written, or for the next look.
    async fn pause(&self, shutdown: &CancellationToken) {
        let written = tokio::time::timeout(LOOK_EVERY, self.emails.written.notified());
        let _ = shutdown.run_until_cancelled(written).await;
    }

    fn lease(&self) -> Duration {
        PREPARATION + self.time_limit + MARGIN
    }

    async fn attempt(&self, email: &Email, began: Instant) {
        telemetry::crash_point("email.claimed");
        let (addressed, outcome) = if email.is_given_up(now()) && email.attempts > 1 {
            (None, Outcome::Failed("GAVE_UP"))
        } else {
            self.send(email, began).await
        };
        if let Outcome::Later(why) = &outcome {
            tracing::info!(email = %email.id, attempts = email.attempts, %why, "a mail was not sent; it is tried again");
        }
        let ending = email.ending(outcome, now());
        for _ in 0..WRITES {
            match self.emails.end(email, addressed.as_ref(), &ending, now()).await {
                Ok(true) => break,
                Ok(false) => {
                    tracing::warn!(email = %email.id, "another attempt at a mail began before this one had ended");
                    break;
                }
                Err(error) => tracing::warn!(email = %email.id, %error, "the outcome of a mail cannot be written"),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        telemetry::crash_point("email.ended");
    }

    /// Writes the mail and hands it over; tells to whom, once that is known.
    async fn send(&self, email: &Email, began: Instant) -> (Option<Addressed>, Outcome) {
        let user = match self.peers.user(&email.user_id).await {
            Ok(Some(user)) => user,
            Ok(None) => return (None, Outcome::Suppressed("USER_DELETED")),
            Err(status) => return (None, unavailable("USERS_UNAVAILABLE", &status)),
        };
        let preferences = user.preferences.clone().unwrap_or_default();
        if preferences.email_notifications == Some(false) && !email.template.is_of_account() {
            return (None, Outcome::Suppressed("NOT_WANTED"));
        }
        let language = Language::of(&preferences.language);
        let content = match self.content(email, (&user.name, &user.email), language).await {
            Ok(content) => content,
            Err(outcome) => return (None, outcome),
        };
        let rendered = match self.templates.render(email.template, language, &content) {
            Ok(rendered) => rendered,
            Err(error) => {
                tracing::error!(email = %email.id, %error, "a template cannot be rendered");
                return (None, Outcome::Later("TEMPLATE".to_owned()));
            }
        };
        let (to, subject) = (user.email.clone(), rendered.subject.clone());
        let addressed = Addressed { to, language: language.code().to_owned(), subject };
        let Ok(to) = user.email.parse::<Address>() else {
            return (Some(addressed), Outcome::Failed("ADDRESS_INVALID"));
        };
        let Ok(message) = message::build(email, &self.from, (&user.name, to.clone()), rendered) else {
            return (Some(addressed), Outcome::Failed("ADDRESS_INVALID"));
        };
        let outcome = self.hand_over(email, &to, message, began).await;
        (Some(addressed), outcome)
    }

    /// What the mail says to a customer of this name; else what becomes of it.
    async fn content(
        &self,
        email: &Email,
        (name, address): (&str, &str),
        language: Language,
    ) -> Result<Content, Outcome> {
        if email.template.is_of_account() {
            // A new token ends the one before: none is made for a mail that is not sent.
            match self.emails.is_bounced(address).await {
                Ok(false) => {}
                Ok(true) => return Err(Outcome::Suppressed("ADDRESS_BOUNCED")),
                Err(error) => return Err(store_failed(email, &error)),
            }
            let token = self.peers.token(&email.user_id, email.template).await;
            let token = token.map_err(|status| unavailable("USERS_UNAVAILABLE", &status))?;
            let token = token.ok_or(Outcome::Suppressed("NOT_NEEDED"))?;
            return Ok(content::of_account(email.template, name, &token, self.pages.as_ref(), &self.from));
        }
        let order = self.peers.order(&email.order_id).await;
        let order = order.map_err(|status| unavailable("ORDERS_UNAVAILABLE", &status))?;
        let order = order.ok_or(Outcome::Failed("NO_ORDER"))?;
        Ok(content::of(email, name, &order, language, &self.from))
    }

    async fn hand_over(&self, email: &Email, to: &Address, message: Vec<u8>, began: Instant) -> Outcome {
        let address = to.as_ref();
        match self.emails.is_bounced(address).await {
            Ok(false) => {}
            Ok(true) => return Outcome::Suppressed("ADDRESS_BOUNCED"),
            Err(error) => return store_failed(email, &error),
        }
        if began.elapsed() > PREPARATION {
            return Outcome::Later("TOO_SLOW".to_owned());
        }
        telemetry::crash_point("email.sending");
        let letter = Letter { email_id: &email.id, from: &self.from.email, to, message };
        let delivery = self.transport.deliver(letter, self.time_limit).await;
        telemetry::crash_point("email.delivered");
        match delivery {
            Delivery::Taken => Outcome::Sent,
            Delivery::Bounced(code) => match self.emails.bounce(address, email, &code, now()).await {
                Ok(()) => Outcome::Failed("BOUNCED"),
                Err(error) => store_failed(email, &error),
            },
            Delivery::Refused(code) => {
                tracing::warn!(email = %email.id, %code, "the mail server refused the content of a mail");
                Outcome::Failed("REFUSED")
            }
            Delivery::Later(why) => Outcome::Later(why),
        }
    }
}

fn unavailable(why: &str, status: &tonic::Status) -> Outcome {
    tracing::debug!(%status, %why, "a peer did not answer");
    Outcome::Later(why.to_owned())
}

fn store_failed(email: &Email, error: &::store::Error) -> Outcome {
    tracing::warn!(email = %email.id, %error, "the addresses that bounced cannot be read or written");
    Outcome::Later("STORE_UNAVAILABLE".to_owned())
}
