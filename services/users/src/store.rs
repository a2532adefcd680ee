//! Accounts in MongoDB.

use crate::{
    domain::{self, Identity, Proof, Registration, User},
    error::Error,
    events,
};
use ::rpc::Role;
use ::store::{Aggregate, Change, Database, Documents, Index, RequestKey, Versioned, now};
use bson::doc;
use contracts::{id::Kind, text};

impl Aggregate for User {
    const COLLECTION: &'static str = "users";
    const NOUN: &'static str = "user";

    fn is_erased(&self) -> bool {
        self.is_deleted()
    }
}

pub fn indexes() -> [Index; 3] {
    let identity = Index::unique(User::COLLECTION, doc! { "identity.issuer": 1, "identity.subject": 1 }).sparse();
    let [email, request] = ["email_key", "request_key"].map(|key| Index::unique(User::COLLECTION, doc! { key: 1 }));
    [email, request, identity]
}

pub enum Created {
    New(Versioned<User>),
    /// The account that a request of the same key and address made before. The caller has yet to prove that it is theirs.
    Before(Versioned<User>),
}

#[derive(Clone)]
pub struct Users(Documents<User>);

impl Users {
    pub fn new(database: &Database) -> Self {
        Self(Documents::new(database))
    }

    /// Stores a new account, or finds the one that the same request made before.
    pub async fn create(
        &self,
        registration: Registration,
        proof: Proof,
        request: Option<&RequestKey>,
    ) -> Result<Created, Error> {
        let id = Kind::User.new_id();
        // The unique index allows one document without a key, so the own id stands in for it.
        let key = request.map_or(id.as_str(), RequestKey::name).to_owned();
        let mut user = User::create(registration, proof, key.clone(), now());
        user.request_digest = request.map_or_else(String::new, |request| request.digest().to_owned());
        let event = events::created(&id, &user);
        let email_key = user.email_key.clone();
        // The index knows keys of now only: an account that is older has its own.
        if self.by_email(&user.email).await?.is_some_and(|found| found.state.email_key != email_key) {
            return Err(Error::EmailTaken);
        }
        match self.0.insert(&id, user, vec![event]).await {
            Err(::store::Error::Duplicate) => {
                let repeated = self.0.find_one(doc! { "request_key": key }).await?.ok_or(Error::EmailTaken)?;
                let is_same = repeated.state.email_key == email_key
                    && request.is_some_and(|request| request.repeats(&repeated.state.request_digest));
                if is_same { Ok(Created::Before(repeated)) } else { Err(Error::KeyReused) }
            }
            stored => Ok(Created::New(stored?)),
        }
    }

    /// The account of who signs in elsewhere.
    pub async fn by_identity(&self, identity: &Identity) -> Result<Option<Versioned<User>>, Error> {
        let Identity { issuer, subject, .. } = identity;
        Ok(self.0.find_one(doc! { "identity.issuer": issuer, "identity.subject": subject }).await?)
    }

    /// One account, also a deleted one.
    pub async fn find(&self, id: &str) -> Result<Option<Versioned<User>>, Error> {
        Ok(self.0.load(id).await?)
    }

    /// The account of an address, in whatever case and encoding it was typed now or then.
    pub async fn by_email(&self, email: &str) -> Result<Option<Versioned<User>>, Error> {
        let keys = text::email_keys(email);
        let found = self.0.find(doc! { "email_key": { "$in": &keys } }, doc! {}, 0).await?;
        Ok(found.into_iter().min_by_key(|user| keys.iter().position(|key| *key == user.state.email_key)))
    }

    /// Changes an account by `decide`. A deleted one cannot be changed.
    pub async fn change(
        &self,
        id: &str,
        request: Option<&RequestKey>,
        mut decide: impl FnMut(&Versioned<User>) -> Result<Option<Change<User>>, Error>,
    ) -> Result<Versioned<User>, Error> {
        let changed = self.0.change_once(id, request, |old| -> Result<_, Error> {
            if old.state.is_deleted() {
                return Err(Error::Deleted);
            }
            decide(old)
        });
        changed.await.map_err(|error| error.or(|| Error::NotFound(id.to_owned())))
    }

    /// Takes out of a deleted account what a release that did not know it has left.
    pub async fn forget(&self, id: &str) -> Result<(), Error> {
        let forgotten = self.0.change_once(id, None, |old| -> Result<_, Error> {
            let is_left = old.state.is_deleted() && !old.state.addresses.is_empty();
            Ok(is_left.then(|| Change { state: old.state.erase(id, now()), events: Vec::new() }))
        });
        forgotten.await.map(drop).map_err(|error| error.or(|| Error::NotFound(id.to_owned())))
    }

    /// Makes an account an admin, unless there is one who can sign in.
    pub async fn appoint(&self, id: &str) -> Result<(), Error> {
        let admins = doc! { "roles": Role::Admin.name(), "status": "Active" };
        if self.0.find_one(admins).await?.is_some() {
            return Ok(());
        }
        let appointed = self.change(id, None, |old| {
            let roles = [old.state.roles.clone(), vec![Role::Admin.to_string()]].concat();
            let state = old.state.set_roles(roles, false, now())?;
            Ok(state.map(|state| events::roles_changed(id, &old.state, state)))
        });
        appointed.await.map(drop)
    }

    /// Erases an account, when `etag` is empty or that of the current version and `may` agrees. No effect on a deleted one.
    pub async fn delete(
        &self,
        id: &str,
        etag: &str,
        request: Option<&RequestKey>,
        may: impl Fn(&User) -> Result<(), domain::Error>,
    ) -> Result<(), Error> {
        let changed = self.0.change_once(id, request, |old| -> Result<_, Error> {
            if old.state.is_deleted() {
                return Ok(None);
            }
            may(&old.state)?;
            if !old.is_current(etag) {
                return Err(Error::StaleEtag);
            }
            Ok(Some(events::change(id, &old.state, old.state.erase(id, now()), events::deleted(id))))
        });
        changed.await.map_err(|error| error.or(|| Error::NotFound(id.to_owned())))?;
        Ok(())
    }
}
