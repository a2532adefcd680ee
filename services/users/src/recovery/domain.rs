//! What the proof of an address may do to an account. Pure.

use crate::domain::{Asked, PasswordHash, User};
use ::store::Time;
use std::time::Duration;

/// An account is sent one mail of a purpose in this time.
const PAUSE_MILLIS: i64 = 60_000;

/// What a token of a mail is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    PasswordReset,
    EmailVerification,
}

impl Purpose {
    /// Name, of which identifiers are made, so it stays.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PasswordReset => "password_reset",
            Self::EmailVerification => "email_verification",
        }
    }

    /// How long a token counts.
    pub const fn life(self) -> Duration {
        match self {
            Self::PasswordReset => Duration::from_secs(3600),
            Self::EmailVerification => Duration::from_secs(3 * 24 * 3600),
        }
    }

    /// Whether there is a reason to send such a mail to the account.
    pub fn is_needed(self, user: &User) -> bool {
        let has_cause = match self {
            // Who signs in elsewhere has no password here.
            Self::PasswordReset => user.identity.is_none(),
            Self::EmailVerification => !user.email_verified,
        };
        user.may_sign_in() && has_cause
    }
}

/// The account once a mail was asked for; none when there is no reason for it, or one was asked for a moment ago.
pub fn asked(user: &User, purpose: Purpose, now: Time) -> Option<User> {
    let last = match purpose {
        Purpose::PasswordReset => user.asked.password_reset,
        Purpose::EmailVerification => user.asked.email_verification,
    };
    let is_recent = |last: Time| now.timestamp_millis().saturating_sub(last.timestamp_millis()) < PAUSE_MILLIS;
    if !purpose.is_needed(user) || last.is_some_and(is_recent) {
        return None;
    }
    let asked = match purpose {
        Purpose::PasswordReset => Asked { password_reset: Some(now), ..user.asked.clone() },
        Purpose::EmailVerification => Asked { email_verification: Some(now), ..user.asked.clone() },
    };
    Some(User { asked, ..user.clone() })
}

/// The account with another password, which its owner has set: all of its tokens are revoked, and its address is verified.
pub fn with_password(user: &User, hash: PasswordHash, now: Time) -> User {
    User {
        password_hash: Some(hash),
        password_version: user.password_version + 1,
        token_generation: user.token_generation + 1,
        email_verified: true,
        updated_at: now,
        ..user.clone()
    }
}

/// The account with a verified address, unless it is.
pub fn verified(user: &User, now: Time) -> Option<User> {
    (!user.email_verified).then(|| User { email_verified: true, updated_at: now, ..user.clone() })
}
