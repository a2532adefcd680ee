//! Between the contract and the domain.

use crate::{
    domain::{Draft, Preferences, Profile, Registration, Status, User},
    error::Error,
};
use ::store::{NewEvent, Versioned, fields::time};
use contracts::users::v1::{self as wire, UserCreated, UserDeleted, UserUpdated, user};

/// A stored account on the wire; never its password hash.
pub fn to_wire(found: &Versioned<User>) -> wire::User {
    let user = &found.state;
    wire::User {
        user_id: found.id.clone(),
        email: user.email.clone(),
        name: user.name.clone(),
        profile: Some(profile_to_wire(&user.profile)),
        preferences: Some(preferences_to_wire(&user.preferences)),
        status: status_to_wire(user.status).into(),
        roles: user.roles.clone(),
        create_time: Some(time::to_wire(user.created_at)),
        update_time: Some(time::to_wire(user.updated_at)),
        etag: found.etag(),
    }
}

/// What the caller of CreateUser wants, without the password.
pub fn registration(request: wire::CreateUserRequest) -> Registration {
    let profile = profile_from_wire(request.profile.unwrap_or_default());
    let preferences = preferences_from_wire(request.preferences.unwrap_or_default());
    Registration {
        email: request.email,
        draft: Draft { name: request.name, profile, preferences },
        roles: request.roles,
    }
}

/// `draft` with the fields of `user` that the mask names. What the mask names and `user` lacks gets its default.
pub fn merge(mut draft: Draft, user: wire::User, mask: &[String]) -> Result<Draft, Error> {
    let profile = profile_from_wire(user.profile.unwrap_or_default());
    let preferences = preferences_from_wire(user.preferences.unwrap_or_default());
    for path in mask {
        match path.as_str() {
            "name" => draft.name.clone_from(&user.name),
            "profile" => draft.profile.clone_from(&profile),
            "profile.avatar" => draft.profile.avatar.clone_from(&profile.avatar),
            "profile.bio" => draft.profile.bio.clone_from(&profile.bio),
            "profile.location" => draft.profile.location.clone_from(&profile.location),
            "preferences" => draft.preferences.clone_from(&preferences),
            "preferences.language" => draft.preferences.language.clone_from(&preferences.language),
            "preferences.timezone" => draft.preferences.timezone.clone_from(&preferences.timezone),
            "preferences.email_notifications" => {
                draft.preferences.email_notifications = preferences.email_notifications;
            }
            other => return Err(Error::Immutable(other.to_owned())),
        }
    }
    Ok(draft)
}

/// The event of a new account.
pub fn created(id: &str, user: &User) -> NewEvent {
    let Preferences { language, email_notifications, .. } = user.preferences.clone();
    NewEvent::of("created", &UserCreated { user_id: id.to_owned(), language, email_notifications })
}

/// The event of a changed account.
pub fn updated(id: &str, user: &User, changed_fields: Vec<String>) -> NewEvent {
    let Preferences { language, email_notifications, .. } = user.preferences.clone();
    NewEvent::of("updated", &UserUpdated { user_id: id.to_owned(), language, email_notifications, changed_fields })
}

/// The event of a closed account.
pub fn deleted(id: &str) -> NewEvent {
    NewEvent::of("deleted", &UserDeleted { user_id: id.to_owned() })
}

fn profile_to_wire(profile: &Profile) -> wire::Profile {
    let Profile { avatar, bio, location } = profile.clone();
    wire::Profile { avatar, bio, location }
}

fn profile_from_wire(profile: wire::Profile) -> Profile {
    let wire::Profile { avatar, bio, location } = profile;
    Profile { avatar, bio, location }
}

fn preferences_to_wire(preferences: &Preferences) -> wire::Preferences {
    let Preferences { language, timezone, email_notifications } = preferences.clone();
    wire::Preferences { language, timezone, email_notifications: Some(email_notifications) }
}

fn preferences_from_wire(preferences: wire::Preferences) -> Preferences {
    let default = Preferences::default();
    let or = |value: String, default: String| if value.is_empty() { default } else { value };
    Preferences {
        language: or(preferences.language, default.language),
        timezone: or(preferences.timezone, default.timezone),
        email_notifications: preferences.email_notifications.unwrap_or(default.email_notifications),
    }
}

fn status_to_wire(status: Status) -> user::Status {
    match status {
        Status::Active => user::Status::Active,
        Status::Deleted => user::Status::Deleted,
    }
}
