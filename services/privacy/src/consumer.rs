//! Events in: an account that was deleted starts its erasure.

use crate::{error::Error, store::Erasures};
use ::events::{Event, Handler, HandlerError};
use contracts::users::v1::UserDeleted;
use saga::Runner;

/// Starts erasures. There is one of each user, so a second delivery of the event starts none.
pub struct Consumer {
    pub erasures: Erasures,
    pub runner: Runner<Erasures>,
}

#[tonic::async_trait]
impl Handler for Consumer {
    async fn apply(&self, event: &Event) -> Result<(), HandlerError> {
        if let Some(message) = event.decode::<UserDeleted>() {
            self.start(&message?.user_id).await?;
        }
        Ok(())
    }
}

impl Consumer {
    async fn start(&self, user_id: &str) -> Result<(), Error> {
        // When this process dies here, the end of the saga's lease brings the erasure to another one.
        if let Some(started) = self.erasures.start(user_id, self.runner.owner()).await? {
            drop(self.runner.spawn(started));
        }
        Ok(())
    }
}
