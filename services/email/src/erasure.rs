//! Taking a person out of the mails to them.

use crate::{error::Error, store::Emails, transport::Transport};
use ::store::Erased;
use std::sync::Arc;

/// Most mails that one call erases, so that it ends within the deadline of its caller.
const MOST: i64 = 1_000;

/// Mails of which the identifiers are in memory at a time.
const PAGE: i64 = 200;

pub struct Eraser {
    pub emails: Emails,
    pub transport: Arc<Transport>,
}

impl Eraser {
    /// Erases what a user was sent. A mail that may be under way stays: its attempt would write the address again.
    pub async fn erase(&self, user_id: &str) -> Result<Erased, Error> {
        let (mut looked_at, mut erased) = (0, 0);
        while looked_at < MOST {
            let found = self.emails.ended_of(user_id, PAGE).await?;
            let ids: Vec<String> = found.iter().map(|email| email.id.clone()).collect();
            if ids.is_empty() {
                break;
            }
            // The mails last: as long as they are not marked, a repeat looks at all of this again.
            telemetry::crash_point("email.erase.removing");
            self.transport.remove(ids.clone()).await.map_err(Error::Directory)?;
            self.emails.forget_bounces(&ids).await?;
            telemetry::crash_point("email.erase.marking");
            self.emails.erase(&ids).await?;
            telemetry::crash_point("email.erase.marked");
            let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
            looked_at += count(ids.len());
            erased += count(found.iter().filter(|email| email.addressed.is_some()).count());
        }
        Ok(Erased { erased, remaining: self.emails.count_kept(user_id).await? })
    }
}
