//! Clients in MongoDB.

use crate::{
    clients::{authentication::Presented, domain::Client, events},
    error::Error,
};
use ::store::{Aggregate, Change, Database, Documents, Found, Versioned, now, secret};
use bson::doc;
use contracts::id::Kind;

impl Aggregate for Client {
    const COLLECTION: &'static str = "clients";
    const NOUN: &'static str = "client";
}

/// A client that has just been given a secret.
pub struct Issued {
    pub client: Versioned<Client>,
    pub secret: String,
}

#[derive(Clone)]
pub struct Clients(Documents<Client>);

impl Clients {
    pub fn new(database: &Database) -> Self {
        Self(Documents::new(database))
    }

    pub async fn create(&self, name: String, role: &str) -> Result<Issued, Error> {
        let (id, secret) = (Kind::Client.new_id(), secret::random());
        let client = Client::create(name, role, secret::digest(&secret), now())?;
        let created = events::created(&id, &client);
        Ok(Issued { client: self.0.insert(&id, client, vec![created]).await?, secret })
    }

    /// One client, also a deleted one.
    pub async fn find(&self, id: &str) -> Result<Option<Versioned<Client>>, Error> {
        Ok(self.0.load(id).await?)
    }

    /// Clients after `after` that are not deleted, by id.
    pub async fn list(&self, after: Option<String>, limit: i64) -> Result<Found<Versioned<Client>>, Error> {
        let mut filter = doc! { "secret_digest": { "$ne": null } };
        if let Some(after) = after {
            filter.insert("_id", doc! { "$gt": after });
        }
        Ok(self.0.page(filter, doc! { "_id": 1 }, limit).await?)
    }

    /// Ends the secret of a client, and its tokens, and gives it another one.
    pub async fn rotate(&self, id: &str) -> Result<Issued, Error> {
        let secret = secret::random();
        let client = self.change(id, |old| {
            let rotated = old.rotated(secret::digest(&secret), now()).ok_or_else(|| absent(id))?;
            Ok(Some(events::rotated(id, rotated)))
        });
        Ok(Issued { client: client.await?, secret })
    }

    /// Ends a client. No effect on a deleted one.
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        self.change(id, |old| Ok(old.deleted().map(|state| events::deleted(id, state)))).await.map(drop)
    }

    /// The client whose secret this is.
    pub async fn authenticate(&self, Presented { id, secret }: &Presented) -> Result<Versioned<Client>, Error> {
        let found = self.find(id).await?;
        let is_own = |found: &Versioned<Client>| {
            found.state.secret_digest.as_ref().is_some_and(|digest| secret::fits(secret, digest))
        };
        found.filter(is_own).ok_or(Error::InvalidClient)
    }

    async fn change(
        &self,
        id: &str,
        mut decide: impl FnMut(&Client) -> Result<Option<Change<Client>>, Error>,
    ) -> Result<Versioned<Client>, Error> {
        let changed = self.0.change_once(id, None, |old| -> Result<_, Error> { decide(&old.state) });
        changed.await.map_err(|error| error.or(|| absent(id)))
    }
}

fn absent(id: &str) -> Error {
    Error::ClientNotFound(id.to_owned())
}
