//! Read your writes: waits until the history has what its reader has seen of an order.

use crate::{
    error::Error,
    store::{Folded, ReadModel},
    version::Version,
};
use ::rpc::{Principal, deadline};
use std::time::Duration;
use tokio::time::Instant;

/// Longest wait for a version; a caller with a shorter deadline waits that long. With the time of a list it is less than the 5 s after which
/// a mesh asks another pod.
const WAIT: Duration = Duration::from_secs(2);

/// What is left of a caller's deadline for the answer that the version is not there.
const MARGIN: Duration = Duration::from_millis(200);

/// First and longest pause between two looks: an order is folded within half a second most often.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(160)];

impl ReadModel {
    /// Waits until the version, or a later one, is folded. What the caller may not see is never there.
    pub async fn reach(&self, version: &Version, caller: &Principal) -> Result<(), Error> {
        let until = Instant::now() + deadline::remaining(WAIT + MARGIN).saturating_sub(MARGIN);
        let [mut pause, longest] = PAUSES;
        loop {
            let folded = self.current().await?.folded(&version.order_id).await?;
            let visible = folded.filter(|folded| caller.may_act_for(&folded.user_id));
            let seq = visible.map_or(0, |Folded { seq, .. }| seq);
            if seq >= version.seq {
                return Ok(());
            }
            if Instant::now() + pause >= until {
                return Err(Error::Behind { wanted: version.clone(), seq });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }
}
