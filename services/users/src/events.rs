//! Events out: what happens to an account, without personal data.

use crate::domain::{Preferences, User};
use ::store::NewEvent;
use contracts::users::v1::{UserCreated, UserDeleted, UserLocked, UserRolesChanged, UserUnlocked, UserUpdated};

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

pub fn roles_changed(id: &str, user: &User) -> NewEvent {
    NewEvent::of("roles_changed", &UserRolesChanged { user_id: id.to_owned(), roles: user.roles.clone() })
}

pub fn locked(id: &str) -> NewEvent {
    NewEvent::of("locked", &UserLocked { user_id: id.to_owned() })
}

pub fn unlocked(id: &str) -> NewEvent {
    NewEvent::of("unlocked", &UserUnlocked { user_id: id.to_owned() })
}
