//! The facts in MongoDB. Each write holds the effect of an event together with its `seq`.

use crate::{
    domain::{Change, Fact},
    error::Error,
    folding::Folding,
};
use ::events::{Color, InUse, Table};
use ::store::{Batcher, Index};
use bson::doc;
use mongodb::{Collection, Database};

/// Name of the facts' collection.
pub const FACTS: &str = "facts";

/// How often a change is folded anew when somebody else wrote the fact in between, as a second process of this service.
const ATTEMPTS: u32 = 16;

/// What a change counts in a batch; one that names its lines is longer, most are shorter.
const CHANGE_BYTES: usize = 1024;

/// What the read model consists of, in either copy.
pub const TABLES: [Table; 1] = [Table { collection: FACTS, applied: "seq", bookkeeping: &["rev", "mark"] }];

/// Indexes of the facts in the collection called `facts`, one for each report.
pub fn indexes(facts: &str) -> [Index; 3] {
    [
        Index::new(facts, doc! { "movements.at": 1 }),
        Index::new(facts, doc! { "order.at": 1 }),
        Index::new(facts, doc! { "order.total.currency": 1, "confirmed_at": 1, "_id": 1 }),
    ]
}

/// Both copies of the facts, and which of them is in use.
pub struct ReadModel {
    database: Database,
    in_use: InUse,
}

impl ReadModel {
    pub fn new(database: &Database) -> Self {
        Self { database: database.clone(), in_use: InUse::new(database) }
    }

    pub fn color(&self, color: Color) -> Facts {
        Facts(Batcher::new(Folding::new(&self.database, &color.collection(FACTS))))
    }

    /// The facts to answer a request from.
    pub async fn current(&self) -> Result<Collection<Fact>, Error> {
        let color = self.in_use.color().await?;
        Ok(self.database.collection(&color.collection(FACTS)))
    }
}

/// The facts of one copy, as events change them.
pub struct Facts(Batcher<Folding>);

impl Facts {
    /// Folds a change into its fact, again when somebody else wrote in between.
    pub async fn apply(&self, change: &Change) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            if self.0.submit(change.clone(), CHANGE_BYTES).await?? {
                return Ok(());
            }
        }
        Err(Error::Contended(change.order_id.clone()))
    }
}
