//! Events out: what happens to a client.

use crate::clients::domain::Client;
use ::store::{Change, NewEvent};
use contracts::users::v1::{ClientCreated, ClientDeleted, ClientSecretRotated, ClientTokensRevoked};

pub fn created(id: &str, client: &Client) -> NewEvent {
    NewEvent::of("created", &ClientCreated { client_id: id.to_owned(), role: client.role.clone() })
}

/// The change to `state`, with another secret.
pub fn rotated(id: &str, state: Client) -> Change<Client> {
    ending_tokens(id, state, NewEvent::of("secret_rotated", &ClientSecretRotated { client_id: id.to_owned() }))
}

/// The change to `state`, which is deleted.
pub fn deleted(id: &str, state: Client) -> Change<Client> {
    ending_tokens(id, state, NewEvent::of("deleted", &ClientDeleted { client_id: id.to_owned() }))
}

fn ending_tokens(id: &str, state: Client, event: NewEvent) -> Change<Client> {
    let (client_id, generation) = (id.to_owned(), state.token_generation);
    let revoked = NewEvent::of("tokens_revoked", &ClientTokensRevoked { client_id, generation });
    Change { state, events: vec![event, revoked] }
}
