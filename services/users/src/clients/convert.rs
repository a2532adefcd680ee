//! Between the contract and the clients.

use crate::clients::{domain::Client, store::Issued};
use ::store::{Versioned, fields::time};
use contracts::users::v1 as wire;

/// A stored client on the wire, without its secret.
pub fn to_wire(found: &Versioned<Client>) -> wire::Client {
    let client = &found.state;
    wire::Client {
        client_id: found.id.clone(),
        name: client.name.clone(),
        role: client.role.clone(),
        create_time: Some(time::to_wire(client.created_at)),
        secret_create_time: Some(time::to_wire(client.secret_created_at)),
    }
}

/// The client with its secret, this once.
pub fn issued(issued: Issued) -> wire::ClientCredentials {
    wire::ClientCredentials { client: Some(to_wire(&issued.client)), client_secret: issued.secret }
}
