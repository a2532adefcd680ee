//! Changes of a document: decided anew when somebody else wrote in between, and once for each request.

use super::{Change, Documents, Versioned};
use crate::{Aggregate, ChangeError, Error, RequestKey, transaction::backoff};
use bson::{Bson, Document, doc};

/// How often a change is decided anew when somebody else wrote in between. With pauses of up to 64 ms, 16 attempts stay
/// below one second.
const ATTEMPTS: u32 = 16;

/// Most request keys that a document remembers. A repeat that comes after this many other requests is a new request.
const REQUESTS: i32 = 16;

impl<T> Versioned<T> {
    /// Whether `request` has been answered by this document; [`Error::KeyReused`] when another request under its key has.
    pub fn has_answered(&self, request: Option<&RequestKey>) -> Result<bool, Error> {
        match request.and_then(|request| Some(request.repeats(self.digest_of(request)?))) {
            Some(false) => Err(Error::KeyReused),
            known => Ok(known.is_some()),
        }
    }

    /// Digest of the request that has used the key of `request`; empty when it is older than digests.
    fn digest_of(&self, request: &RequestKey) -> Option<&str> {
        self.requests.iter().find_map(|known| match known {
            Bson::Document(known) if known.get_str("key").is_ok_and(|key| key == request.name()) => {
                known.get_str("digest").ok()
            }
            Bson::String(key) if key == request.name() => Some(""),
            _ => None,
        })
    }
}

impl<T: Aggregate> Documents<T> {
    /// Loads, decides and saves, again when somebody else wrote in between. `None` from `decide` changes nothing.
    pub async fn change<E>(
        &self,
        id: &str,
        decide: impl FnMut(&Versioned<T>) -> Result<Option<Change<T>>, E>,
    ) -> Result<Versioned<T>, ChangeError<E>> {
        self.change_once(id, None, decide).await
    }

    /// [`Documents::change`] for a request: its repeat is not decided again, also when there was nothing to change, and
    /// another request under its key is [`Error::KeyReused`].
    pub async fn change_once<E>(
        &self,
        id: &str,
        request: Option<&RequestKey>,
        decide: impl FnMut(&Versioned<T>) -> Result<Option<Change<T>>, E>,
    ) -> Result<Versioned<T>, ChangeError<E>> {
        let found = self.load(id).await?.ok_or(ChangeError::NotFound)?;
        self.change_found(found, request, decide).await
    }

    /// [`Documents::change_once`] on `found` if that is current, else on the newest version.
    pub async fn change_found<E>(
        &self,
        found: Versioned<T>,
        request: Option<&RequestKey>,
        mut decide: impl FnMut(&Versioned<T>) -> Result<Option<Change<T>>, E>,
    ) -> Result<Versioned<T>, ChangeError<E>> {
        let mut old = found;
        // Each round looks for the request first: a repeat is answered with what its first attempt led to, whatever
        // has happened to the document since.
        for attempt in 0..ATTEMPTS {
            if old.has_answered(request)? {
                return Ok(old);
            }
            let written = match (decide(&old).map_err(ChangeError::Refused)?, request) {
                (Some(change), _) => self.save_as(&old, change, request).await,
                (None, Some(request)) => self.note(&old, request).await,
                (None, None) => return Ok(old),
            };
            match written {
                Err(Error::Conflict) => tokio::time::sleep(backoff(attempt)).await,
                written => return Ok(written?),
            }
            old = self.load(&old.id).await?.ok_or(ChangeError::NotFound)?;
        }
        Err(Error::Conflict.into())
    }

    /// Remembers a request that found nothing to change. The version stays: callers would take a new one for a change.
    async fn note(&self, old: &Versioned<T>, request: &RequestKey) -> Result<Versioned<T>, Error> {
        let is_current = doc! { "_id": &old.id, "rev": old.rev };
        let noted = self.collection.update_one(is_current, doc! { "$push": { "requests": pushed(request) } }).await?;
        if noted.matched_count == 0 { Err(Error::Conflict) } else { Ok(old.clone()) }
    }

    pub(super) async fn save_as(
        &self,
        old: &Versioned<T>,
        change: Change<T>,
        request: Option<&RequestKey>,
    ) -> Result<Versioned<T>, Error> {
        let (_, update, written) = self.statement_of(old, change, request).await?;
        self.group.update(&old.id, old.rev, update).await?;
        self.send_hint(&written);
        Ok(written)
    }

    /// The filter and update of a change that a request asks for.
    pub(crate) async fn statement_of(
        &self,
        old: &Versioned<T>,
        change: Change<T>,
        request: Option<&RequestKey>,
    ) -> Result<(Document, Document, Versioned<T>), Error> {
        let is_erased = change.state.is_erased();
        let (filter, mut update, mut written) = self.statement(old, change).await?;
        // Digests tell what earlier requests asked for, so they go with the state. The request that erases stays
        // known, for its repeat.
        if is_erased {
            written.requests = request.map(remembered).into_iter().collect();
            operator(&mut update, "$set").insert("requests", written.requests.clone());
        } else if let Some(request) = request {
            operator(&mut update, "$push").insert("requests", pushed(request));
            written.requests.push(remembered(request));
        }
        Ok((filter, update, written))
    }
}

/// A request as its document remembers it.
fn remembered(request: &RequestKey) -> Bson {
    doc! { "key": request.name(), "digest": request.digest() }.into()
}

fn pushed(request: &RequestKey) -> Document {
    doc! { "$each": [remembered(request)], "$slice": -REQUESTS }
}

/// The part of an update under one operator.
fn operator<'a>(update: &'a mut Document, name: &str) -> &'a mut Document {
    let part = update.entry(name.to_owned()).or_insert_with(|| doc! {}.into());
    part.as_document_mut().expect("each operator of an update has a document")
}
