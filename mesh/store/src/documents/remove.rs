//! The end of a document whose time is over.

use super::{Documents, Versioned};
use crate::{Aggregate, Error, outbox};
use bson::doc;

impl<T: Aggregate> Documents<T> {
    /// Removes a document, unless somebody has changed it or the log lacks one of its events: false when it stays. The topology
    /// says that the service `removes` documents of this collection, else the relay takes it for somebody's hand.
    pub async fn remove(&self, old: &Versioned<T>) -> Result<bool, Error> {
        if let Some(last) = old.outbox.iter().map(outbox::seq_of).max()
            && outbox::archived(&self.log, T::NOUN, &old.id, &old.outbox).await? < last
        {
            return Ok(false);
        }
        let removed = self.collection.delete_one(doc! { "_id": &old.id, "rev": old.rev }).await?;
        Ok(removed.deleted_count == 1)
    }
}
