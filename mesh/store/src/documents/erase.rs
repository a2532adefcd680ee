//! Taking personal data out of all documents of a person.

use super::{Change, Documents, Versioned};
use crate::{Aggregate, ChangeError, Error, fields::time, now};
use bson::{Document, doc};
use contracts::erasure::v1::ErasureReceipt;
use futures::{StreamExt, TryStreamExt, stream};
use std::convert::Infallible;

/// Most documents that one call erases, so that it ends within the deadline of its caller.
const MOST: i64 = 1_000;

/// Documents that are in memory at a time.
const PAGE: i64 = 100;

/// Documents that are written at a time: their writes share commands.
const AT_A_TIME: usize = 16;

/// What a call has erased, and what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erased {
    pub erased: i64,
    pub remaining: i64,
}

impl Erased {
    /// The receipt of the service of this name in the topology.
    pub fn receipt(self, service: &str) -> ErasureReceipt {
        ErasureReceipt {
            service: service.to_owned(),
            erased_count: self.erased,
            remaining_count: self.remaining,
            receipt_time: Some(time::to_wire(now())),
        }
    }
}

impl<T: Aggregate> Documents<T> {
    /// Changes the documents that `kept` matches by `erase`, 1,000 of them at most. `kept` is a filter of the documents with
    /// personal data of one person, by an index; `erase` returns none for a document that has to keep it for now.
    pub async fn erase(
        &self,
        kept: Document,
        erase: impl Fn(&Versioned<T>) -> Option<Change<T>>,
    ) -> Result<Erased, Error> {
        let (mut erased, mut after) = (0, None);
        while erased < MOST {
            let mut page = kept.clone();
            if let Some(last) = after {
                page.insert("_id", doc! { "$gt": last });
            }
            // One that cannot be read is logged, holds up no other, and remains.
            let found = self.find_readable(page, doc! { "_id": 1 }, PAGE.min(MOST - erased)).await?;
            let Some(last) = found.last() else { break };
            after = Some(last.id.clone());
            let changes = stream::iter(found).map(|document| self.erase_one(document, &erase));
            erased += changes.buffer_unordered(AT_A_TIME).try_fold(0, async |sum, count| Ok(sum + count)).await?;
        }
        let remaining = self.collection.count_documents(kept).await?;
        Ok(Erased { erased, remaining: i64::try_from(remaining).unwrap_or(i64::MAX) })
    }

    async fn erase_one(
        &self,
        found: Versioned<T>,
        erase: impl Fn(&Versioned<T>) -> Option<Change<T>>,
    ) -> Result<i64, Error> {
        let mut count = 0;
        let changed = self.change_found(found, None, |old| -> Result<_, Infallible> {
            let change = erase(old);
            count = i64::from(change.is_some());
            Ok(change)
        });
        crash_at::<T>("writing");
        let changed = changed.await;
        crash_at::<T>("written");
        match changed {
            Ok(_) => Ok(count),
            Err(ChangeError::NotFound) => Ok(0),
            Err(ChangeError::Refused(never)) => match never {},
            Err(ChangeError::Store(error)) => Err(error),
        }
    }
}

/// Where a test kills this process: `orders.erase.writing`. Release builds have none of this.
fn crash_at<T: Aggregate>(moment: &str) {
    if cfg!(debug_assertions) {
        telemetry::crash_point(&format!("{}.erase.{moment}", T::COLLECTION));
    }
}
