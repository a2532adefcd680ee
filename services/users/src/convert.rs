//! Between the contract and the domain.

use crate::{
    domain::{Draft, Preferences, Profile, Registration, Status, User},
    error::Error,
};
use ::rpc::{
    Principal,
    update::{self, FieldMask},
};
use ::store::{Versioned, fields::time};
use contracts::users::v1::{self as wire, user};

/// A stored account on the wire, as its owner may see it: never its password hash, nor why it is locked.
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
        lock_reason: String::new(),
        email_verified: user.email_verified,
        addresses: user.addresses.iter().map(Into::into).collect(),
    }
}

/// A stored account as this caller may see it: who acts for all is told why it is locked.
pub fn shown(found: &Versioned<User>, caller: &Principal) -> wire::User {
    let user = to_wire(found);
    if caller.acts_for_all() { wire::User { lock_reason: found.state.lock_reason.clone(), ..user } } else { user }
}

/// What the caller of CreateUser wants, without the password.
pub fn registration(request: wire::CreateUserRequest) -> Registration {
    let profile = profile_from_wire(request.profile.unwrap_or_default());
    let preferences = preferences_from_wire(request.preferences.unwrap_or_default());
    Registration {
        email: request.email,
        email_verified: false,
        draft: Draft { name: request.name, profile, preferences, addresses: Vec::new() },
        roles: request.roles,
    }
}

/// What `wanted` makes of the account `found`, under `mask`.
pub fn merge(found: &Versioned<User>, wanted: &wire::User, mask: Option<&FieldMask>) -> Result<Draft, Error> {
    let user = update::apply(&to_wire(found), wanted, mask, "user").map_err(Error::Update)?;
    let profile = profile_from_wire(user.profile.unwrap_or_default());
    let preferences = preferences_from_wire(user.preferences.unwrap_or_default());
    let addresses = user.addresses.into_iter().map(Into::into).collect();
    Ok(Draft { name: user.name, profile, preferences, addresses })
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
        Status::Locked => user::Status::Locked,
    }
}
