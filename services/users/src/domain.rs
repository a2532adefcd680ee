//! What an account is and which changes it allows. Pure.

mod draft;
mod error;

pub use draft::{Draft, Preferences, Profile};
pub use error::Error;

use ::store::Time;
use contracts::{address::Address, role::Role, text};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    Active,
    /// Closed; personal data is erased.
    Deleted,
    /// Cannot sign in.
    Locked,
}

/// The argon2id hash of a password, a PHC string. It is never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

impl PasswordHash {
    pub fn new(phc: String) -> Self {
        Self(phc)
    }

    /// The PHC string, for the one place that verifies.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(redacted)")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Address to sign in with; empty once deleted.
    pub email: String,
    /// The key of the address, by which it is unique; the account's own id once deleted.
    pub email_key: String,
    /// Display name; empty once deleted.
    pub name: String,
    pub profile: Profile,
    pub preferences: Preferences,
    /// Where they have things sent, the first one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Address>,
    pub status: Status,
    /// Why it is locked; empty when it is not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub lock_reason: String,
    /// Names of the roles beyond that of a customer, each once.
    pub roles: Vec<String>,
    /// What its tokens carry; a revocation raises it, so that those of before count no more.
    #[serde(default)]
    pub token_generation: i64,
    pub password_hash: Option<PasswordHash>,
    /// Who signs in elsewhere, and has no password here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// How often the password was set anew; refresh tokens of another count no more.
    #[serde(default)]
    pub password_version: i64,
    /// Whether somebody has proved to read the mail of the address.
    #[serde(default)]
    pub email_verified: bool,
    /// When a mail was last asked for, by what it is for.
    #[serde(default)]
    pub asked: Asked,
    pub created_at: Time,
    pub updated_at: Time,
    /// Key of the request that created it; the document's own id when there was none.
    pub request_key: String,
    /// Digest of that request without its password; empty when there was none, once deleted, and in accounts that are older
    /// than digests.
    #[serde(default)]
    pub request_digest: String,
}

/// Who somebody is to another issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub issuer: String,
    pub subject: String,
    /// When the newest token was issued that its roles are of.
    pub told_at: Time,
}

/// How the owner of an account proves who they are.
#[derive(Debug, Clone)]
pub enum Proof {
    Password(PasswordHash),
    Identity(Identity),
}

/// When the mails of an account were last asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub password_reset: Option<Time>,
    pub email_verification: Option<Time>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    pub email: String,
    /// Whether somebody else has proved that the address is theirs.
    pub email_verified: bool,
    /// The fields that can be changed later.
    pub draft: Draft,
    pub roles: Vec<String>,
}

impl Registration {
    /// With its preferences in canonical form. Refuses what can never become an account; `by` is the role of who registers:
    /// an admin may grant roles.
    pub fn checked(self, by: Role) -> Result<Self, Error> {
        // Forbidden before unknown: only admins learn which roles there are.
        if !self.roles.is_empty() && by < Role::Admin {
            return Err(Error::RolesForbidden);
        }
        let roles = roles(self.roles)?;
        Ok(Self { draft: self.draft.checked("", &Preferences::default(), &[])?, roles, ..self })
    }
}

impl User {
    /// A new account, from a registration that was checked.
    pub fn create(from: Registration, proof: Proof, request_key: String, now: Time) -> Self {
        let (password_hash, identity) = match proof {
            Proof::Password(hash) => (Some(hash), None),
            Proof::Identity(identity) => (None, Some(identity)),
        };
        let Registration { email, email_verified, draft, roles } = from;
        let Draft { name, profile, preferences, addresses } = draft;
        Self {
            email_key: text::email_key(&email),
            email,
            name,
            profile,
            preferences,
            addresses,
            status: Status::Active,
            lock_reason: String::new(),
            roles,
            token_generation: 0,
            password_hash,
            identity,
            password_version: 0,
            email_verified,
            asked: Asked::default(),
            created_at: now,
            updated_at: now,
            request_key,
            request_digest: String::new(),
        }
    }

    /// The account after an update, and the paths of the fields that changed.
    pub fn update(&self, draft: Draft, now: Time) -> Result<(Self, Vec<String>), Error> {
        let draft = draft.checked("user.", &self.preferences, &self.addresses)?;
        let (profile, preferences) = (&self.profile, &self.preferences);
        // The event names the fields that changed and never their content: events carry no personal data.
        let fields = [
            (self.name != draft.name, "name"),
            (profile.avatar != draft.profile.avatar, "profile.avatar"),
            (profile.bio != draft.profile.bio, "profile.bio"),
            (profile.location != draft.profile.location, "profile.location"),
            (preferences.language != draft.preferences.language, "preferences.language"),
            (preferences.timezone != draft.preferences.timezone, "preferences.timezone"),
            (
                preferences.email_notifications != draft.preferences.email_notifications,
                "preferences.email_notifications",
            ),
            (self.addresses != draft.addresses, "addresses"),
        ];
        let changed = fields.iter().filter(|(is_changed, _)| *is_changed).map(|(_, path)| (*path).to_owned()).collect();
        let Draft { name, profile, preferences, addresses } = draft;
        Ok((Self { name, profile, preferences, addresses, updated_at: now, ..self.clone() }, changed))
    }

    /// The account without anything that tells who it was.
    pub fn erase(&self, id: &str, now: Time) -> Self {
        Self {
            email: String::new(),
            email_key: id.to_owned(),
            name: String::new(),
            profile: Profile::default(),
            preferences: Preferences::default(),
            addresses: Vec::new(),
            status: Status::Deleted,
            lock_reason: String::new(),
            roles: Vec::new(),
            token_generation: self.token_generation + 1,
            password_hash: None,
            identity: None,
            password_version: self.password_version + 1,
            email_verified: false,
            asked: Asked::default(),
            created_at: self.created_at,
            updated_at: now,
            // The key stays: its unique index goes on refusing a second account for the request.
            request_key: self.request_key.clone(),
            request_digest: String::new(),
        }
    }

    /// The account as a token of its issuer tells its roles; none when it has told as much, or a newer one has. It may lose the role of an
    /// admin by it.
    pub fn told_roles(&self, wanted: Vec<String>, told_at: Time, now: Time) -> Result<Option<Self>, Error> {
        let Some(identity) = self.identity.as_ref().filter(|identity| identity.told_at < told_at) else {
            return Ok(None);
        };
        let next = self.set_roles(wanted, false, now)?.unwrap_or_else(|| self.clone());
        Ok(Some(Self { identity: Some(Identity { told_at, ..identity.clone() }), ..next }))
    }

    /// The account with these roles and no others, unless it has them already; its tokens are revoked when it loses one. `is_own` tells whether an admin asks for their own.
    pub fn set_roles(&self, wanted: Vec<String>, is_own: bool, now: Time) -> Result<Option<Self>, Error> {
        let wanted = roles(wanted)?;
        if is_own && Role::highest(&wanted) < Role::Admin {
            return Err(Error::OwnAccount);
        }
        let loses = self.roles.iter().any(|held| !wanted.contains(held));
        let token_generation = self.token_generation + i64::from(loses);
        Ok((wanted != self.roles).then(|| Self { roles: wanted, token_generation, updated_at: now, ..self.clone() }))
    }

    /// The account locked and its tokens revoked, unless it is.
    pub fn lock(&self, reason: String, is_own: bool, now: Time) -> Result<Option<Self>, Error> {
        if is_own {
            return Err(Error::OwnAccount);
        }
        Ok((self.status == Status::Active).then(|| Self {
            status: Status::Locked,
            lock_reason: reason,
            token_generation: self.token_generation + 1,
            updated_at: now,
            ..self.clone()
        }))
    }

    /// The account without its lock, if it has one.
    pub fn unlock(&self, is_own: bool, now: Time) -> Result<Option<Self>, Error> {
        if is_own {
            return Err(Error::OwnAccount);
        }
        let unlock = || Self { status: Status::Active, lock_reason: String::new(), updated_at: now, ..self.clone() };
        Ok(self.is_locked().then(unlock))
    }

    /// Refuses who acts on an account with a role above their own.
    pub fn within(&self, role: Role) -> Result<(), Error> {
        if Role::highest(&self.roles) > role { Err(Error::RoleAbove) } else { Ok(()) }
    }

    /// Whether a token with this role can be one of today: the account may sign in, and still has the role or one above it.
    pub fn bears(&self, role: Role) -> bool {
        self.may_sign_in() && Role::highest(&self.roles) >= role
    }

    pub fn is_locked(&self) -> bool {
        self.status == Status::Locked
    }

    pub fn is_deleted(&self) -> bool {
        self.status == Status::Deleted
    }

    pub fn may_sign_in(&self) -> bool {
        self.status == Status::Active
    }
}

/// The roles of these names in their order, each once.
fn roles(names: Vec<String>) -> Result<Vec<String>, Error> {
    let mut roles = Vec::new();
    for name in names {
        match name.parse::<Role>() {
            Ok(role) if role > Role::Customer => roles.push(role),
            _ => return Err(Error::UnknownRole(name)),
        }
    }
    roles.sort();
    roles.dedup();
    Ok(roles.iter().map(Role::to_string).collect())
}
