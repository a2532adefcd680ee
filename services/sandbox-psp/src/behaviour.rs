//! What each token makes the sandbox do. Names in camelCase are those of Stripe's test tokens.
//!
//! | token | what happens |
//! |---|---|
//! | `tok_visa`, `tok_mastercard` | authorizes |
//! | `tok_declined`, `tok_chargeDeclined` | declined: `CARD_DECLINED` |
//! | `tok_insufficient_funds`, `tok_chargeDeclinedInsufficientFunds` | declined: `INSUFFICIENT_FUNDS` |
//! | `tok_timeout` | authorizes, and the first reply is lost |
//! | `tok_timeout_before` | the first request is lost; its repeat authorizes |
//! | `tok_error_after` | authorizes, and the first reply is a 500 |
//! | `tok_slow` | authorizes after 1.5 s |
//! | `tok_webhook_first` | authorizes; the webhook is delivered before the reply |
//! | `tok_webhook_twice` | authorizes; each webhook is delivered twice |
//! | `tok_webhook_late` | authorizes; webhooks come 5 s late |
//! | `tok_webhook_reordered` | authorizes; the first webhook comes after those of the next three seconds |
//! | `tok_action_required`, `tok_threeDSecure2Required` | waits for the payer, for 15 minutes |
//! | `tok_action_expires` | waits for the payer, for 2 s |
//! | `tok_expires` | authorizes, for 2 s |
//! | `tok_dispute`, `tok_createDispute` | authorizes; what is captured is charged back at once |
//! | any other | declined: `INVALID_TOKEN` |

use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Authorize,
    Decline(&'static str),
    Ask,
}

/// What becomes of the reply to the authorization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    Prompt,
    Slow,
    /// The charge is made, and the connection breaks off.
    Lost,
    /// The first request makes no charge, and the connection breaks off.
    LostBefore,
    /// A 500, although the charge is made.
    Failed,
}

/// When the webhooks of a charge are delivered, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum WebhookMode {
    #[default]
    Soon,
    /// That of the authorization comes before the reply.
    BeforeReply,
    Twice,
    Late,
    Reordered,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behaviour {
    pub verdict: Verdict,
    pub reply: Reply,
    pub webhooks: WebhookMode,
    pub is_disputed: bool,
    /// How long the authorization, or the wait for the payer, lasts.
    pub lasts: Duration,
}

/// Life of an authorization, as card schemes give it.
const AUTHORIZATION_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Time for the payer to act: as long as orders waits for the payment, 15 minutes.
const ACTION_LIFE: Duration = Duration::from_secs(15 * 60);

/// Life of what expires soon: a test can wait for it.
const SHORT_LIFE: Duration = Duration::from_secs(2);

const AUTHORIZES: Behaviour = Behaviour {
    verdict: Verdict::Authorize,
    reply: Reply::Prompt,
    webhooks: WebhookMode::Soon,
    is_disputed: false,
    lasts: AUTHORIZATION_LIFE,
};

const ASKS: Behaviour = Behaviour { verdict: Verdict::Ask, lasts: ACTION_LIFE, ..AUTHORIZES };

const fn declines(reason: &'static str) -> Behaviour {
    Behaviour { verdict: Verdict::Decline(reason), ..AUTHORIZES }
}

impl Behaviour {
    pub fn of(token: &str) -> Self {
        match token {
            "tok_visa" | "tok_mastercard" => AUTHORIZES,
            "tok_declined" | "tok_chargeDeclined" => declines("CARD_DECLINED"),
            "tok_insufficient_funds" | "tok_chargeDeclinedInsufficientFunds" => declines("INSUFFICIENT_FUNDS"),
            "tok_timeout" => Behaviour { reply: Reply::Lost, ..AUTHORIZES },
            "tok_timeout_before" => Behaviour { reply: Reply::LostBefore, ..AUTHORIZES },
            "tok_error_after" => Behaviour { reply: Reply::Failed, ..AUTHORIZES },
            "tok_slow" => Behaviour { reply: Reply::Slow, ..AUTHORIZES },
            "tok_webhook_first" => Behaviour { webhooks: WebhookMode::BeforeReply, ..AUTHORIZES },
            "tok_webhook_twice" => Behaviour { webhooks: WebhookMode::Twice, ..AUTHORIZES },
            "tok_webhook_late" => Behaviour { webhooks: WebhookMode::Late, ..AUTHORIZES },
            "tok_webhook_reordered" => Behaviour { webhooks: WebhookMode::Reordered, ..AUTHORIZES },
            "tok_action_required" | "tok_threeDSecure2Required" => ASKS,
            "tok_action_expires" => Behaviour { lasts: SHORT_LIFE, ..ASKS },
            "tok_expires" => Behaviour { lasts: SHORT_LIFE, ..AUTHORIZES },
            "tok_dispute" | "tok_createDispute" => Behaviour { is_disputed: true, ..AUTHORIZES },
            _ => declines("INVALID_TOKEN"),
        }
    }
}
