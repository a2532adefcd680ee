//! The accounts of those who sign in elsewhere.

use super::Claimed;
use crate::{
    domain::{Draft, Identity, Preferences, Profile, Proof, Registration, User},
    error::Error,
    events, locale,
    store::{Created, Users},
};
use ::rpc::Role;
use ::store::{Change, Time, Versioned, now};
use contracts::{Normalize as _, Validate as _, users::v1::CreateUserRequest};

const NO_ADDRESS: Error =
    Error::InvalidGrant("the assertion has no verified e-mail address; ask the issuer for the scope email");
const TAKEN: Error = Error::InvalidGrant("an account with this address is there already, and is not this issuer's");

/// The account, which the first sign-in makes, with the roles that the issuer gives.
pub async fn of(users: &Users, claimed: Claimed) -> Result<Versioned<User>, Error> {
    let Claimed { issuer, subject, issued_at, roles, .. } = claimed.clone();
    let identity = Identity { issuer, subject, told_at: issued_at };
    let user = match users.by_identity(&identity).await? {
        Some(user) => user,
        None => created(users, identity, claimed).await?,
    };
    match roles {
        Some(roles) if user.state.may_sign_in() => with_roles(users, &user.id, roles, issued_at).await,
        _ => Ok(user),
    }
}

async fn created(users: &Users, identity: Identity, claimed: Claimed) -> Result<Versioned<User>, Error> {
    let registration = registration(claimed)?;
    match users.create(registration, Proof::Identity(identity.clone()), None).await {
        Ok(Created::New(user) | Created::Before(user)) => Ok(user),
        // The same person signs in twice at once, or the address is that of another account.
        Err(Error::EmailTaken) => users.by_identity(&identity).await?.ok_or(TAKEN),
        Err(error) => Err(error),
    }
}

/// What the issuer tells of a person, within the bounds of a registration.
fn registration(claimed: Claimed) -> Result<Registration, Error> {
    let Claimed { email, name, language, roles, email_verified, .. } = claimed;
    // Whoever may tell any address could keep it from the one who reads its mail.
    if !email_verified {
        return Err(NO_ADDRESS);
    }
    let name: String = if name.trim().is_empty() { email.clone() } else { name }.chars().take(200).collect();
    // No account has this password: it makes the request one that can be checked.
    let mut request = CreateUserRequest { email, name, password: "not a password".to_owned(), ..Default::default() };
    request.normalize();
    request.validate().map_err(|_| NO_ADDRESS)?;
    let language = locale::language(&language).unwrap_or_else(|_| Preferences::default().language);
    let preferences = Preferences { language, ..Preferences::default() };
    let draft = Draft { name: request.name, profile: Profile::default(), preferences, addresses: Vec::new() };
    let registration = Registration { email: request.email, email_verified, draft, roles: roles.unwrap_or_default() };
    Ok(registration.checked(Role::Admin)?)
}

async fn with_roles(users: &Users, id: &str, roles: Vec<String>, told_at: Time) -> Result<Versioned<User>, Error> {
    let changed = users.change(id, None, |old| {
        let Some(state) = old.state.told_roles(roles.clone(), told_at, now())? else { return Ok(None) };
        if state.roles == old.state.roles {
            return Ok(Some(Change { state, events: Vec::new() }));
        }
        Ok(Some(events::roles_changed(id, &old.state, state)))
    });
    changed.await
}
