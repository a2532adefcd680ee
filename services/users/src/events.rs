//! Events out: what happens to an account, without personal data.

use crate::domain::{Preferences, User};
use ::store::{Change, NewEvent};
use contracts::users::v1::{
    UserCreated, UserDeleted, UserEmailVerificationRequested, UserEmailVerified, UserLocked, UserPasswordReset,
    UserPasswordResetRequested, UserRolesChanged, UserTokensRevoked, UserUnlocked, UserUpdated,
};

pub fn created(id: &str, user: &User) -> NewEvent {
    let Preferences { language, email_notifications, .. } = user.preferences.clone();
    NewEvent::of("created", &UserCreated { user_id: id.to_owned(), language, email_notifications })
}

pub fn updated(id: &str, user: &User, changed_fields: Vec<String>) -> NewEvent {
    let Preferences { language, email_notifications, .. } = user.preferences.clone();
    NewEvent::of("updated", &UserUpdated { user_id: id.to_owned(), language, email_notifications, changed_fields })
}

pub fn deleted(id: &str) -> NewEvent {
    NewEvent::of("deleted", &UserDeleted { user_id: id.to_owned() })
}

/// The change of the roles of an account from `old` to `state`.
pub fn roles_changed(id: &str, old: &User, state: User) -> Change<User> {
    let event = NewEvent::of("roles_changed", &UserRolesChanged { user_id: id.to_owned(), roles: state.roles.clone() });
    change(id, old, state, event)
}

pub fn locked(id: &str) -> NewEvent {
    NewEvent::of("locked", &UserLocked { user_id: id.to_owned() })
}

pub fn unlocked(id: &str) -> NewEvent {
    NewEvent::of("unlocked", &UserUnlocked { user_id: id.to_owned() })
}

pub fn password_reset_requested(id: &str) -> NewEvent {
    NewEvent::of("password_reset_requested", &UserPasswordResetRequested { user_id: id.to_owned() })
}

pub fn password_reset(id: &str) -> NewEvent {
    NewEvent::of("password_reset", &UserPasswordReset { user_id: id.to_owned() })
}

pub fn email_verification_requested(id: &str) -> NewEvent {
    NewEvent::of("email_verification_requested", &UserEmailVerificationRequested { user_id: id.to_owned() })
}

pub fn email_verified(id: &str) -> NewEvent {
    NewEvent::of("email_verified", &UserEmailVerified { user_id: id.to_owned() })
}

/// The change of an account from `old` to `state`, which `event` tells, and the end of its tokens where they are revoked.
pub fn change(id: &str, old: &User, state: User, event: NewEvent) -> Change<User> {
    let (user_id, generation) = (id.to_owned(), state.token_generation);
    let revoked = NewEvent::of("tokens_revoked", &UserTokensRevoked { user_id, generation });
    let events = [Some(event), (generation > old.token_generation).then_some(revoked)];
    Change { state, events: events.into_iter().flatten().collect() }
}
