//! Whether a caller is still what their token says.

use crate::{clients::store::Clients, store::Users};
use ::rpc::{Principal, access, token};
use tonic::Status;

#[derive(Clone)]
pub struct Standing {
    pub users: Users,
    pub clients: Clients,
}

impl Standing {
    /// Refuses a caller whose own account is locked, deleted or below the role of the token, or whose client is deleted or has another
    /// secret: the gate may not have heard of it, and nobody undoes it with the token they still hold. Who has no account
    /// here, such as an operator, passes.
    pub async fn unrevoked(&self, caller: &Principal) -> Result<(), Status> {
        let is_of_today = match caller {
            Principal::User { id, role, .. } => {
                self.users.find(id).await?.is_none_or(|account| account.state.bears(*role))
            }
            Principal::Client { id, generation, .. } => {
                self.clients.find(id).await?.is_some_and(|client| client.state.bears(*generation))
            }
            Principal::Anonymous | Principal::Service(_) => true,
        };
        if is_of_today { Ok(()) } else { Err(access::unauthenticated(token::Error::Revoked.to_string())) }
    }
}
