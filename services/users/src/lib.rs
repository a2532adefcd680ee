//! Accounts, OAuth clients and the tokens that speak for them.
//!
//! **Owns** users: e-mail address, name, profile, preferences, roles, password hash; clients: name, role, secret; and refresh
//! tokens.
//! **RPCs** `UserService`: create, read, update, delete, erase, roles, locks. `ClientService`: register, list, rotate the
//! secret, delete. `TokenService`: the password, refresh_token, client_credentials and jwt-bearer grants, revocation.
//! `RecoveryService`: password reset, verification of the address.
//! **Collections** `users` (`_id` usr_…; unique `email_key`, the address's key of `contracts::text` or, once deleted, the
//! id; unique `request_key`), `clients` (`_id` cli_…), `refresh_tokens` (`_id` SHA-256 of the token; by `family`,
//! by `user_id`; gone at `expires_at`), `email_tokens` (`_id` account and purpose; gone at `expires_at`).
//! **Events out** `evt.users.user.{created,updated,roles_changed,locked,unlocked,deleted,tokens_revoked,
//! password_reset_requested,password_reset,email_verification_requested,email_verified}`,
//! `evt.users.client.{created,secret_rotated,deleted,tokens_revoked}`, without personal data. **Events in** none.
//!
//! Invariants: an address names one account, in whatever case and encoding it is typed. A password is kept as its argon2id
//! hash only, a refresh token, the token of a mail or the secret of a client as its SHA-256 only; none is in a reply, an event or a log. A
//! refresh token is exchanged once: within a grace of some seconds its repeat is given the same successor, later it ends the whole family. Wrong
//! passwords of one address are limited in each process, whether it has an account or not. A deleted account keeps its id
//! and dates and nothing that tells who it was; it never comes back.
//!
//! A crash between a write and its reply: repeating CreateUser with the same request_id, address and password answers
//! with the same account; repeating DeleteUser or LockUser finishes what was left, and so does UnlockUser; a refresh token
//! whose reply was lost is given the same successor within the grace; after that the user signs in again.

mod clients;
mod config;
mod convert;
mod domain;
mod error;
mod events;
mod foreign;
mod locale;
mod password;
mod recovery;
mod refresh;
mod rpc;
mod sign_in;
mod standing;
mod store;

use crate::{
    clients::store::Clients, foreign::Foreign, password::Passwords, recovery::store::EmailTokens,
    refresh::RefreshTokens, sign_in::SignIn, standing::Standing, store::Users,
};
use ::rpc::{KeySet, Signer};
use ::store::Pager;
use contracts::users::v1::{
    client_service_server::ClientServiceServer, recovery_service_server::RecoveryServiceServer,
    token_service_server::TokenServiceServer, user_service_server::UserServiceServer,
};
use service::Service;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use clients::domain::Client;
pub use config::{Config, KEYS};
pub use domain::User;

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Service(#[from] service::Error),
    #[error(transparent)]
    Key(#[from] ::rpc::token::Error),
    #[error("what asks other issuers for their keys: {0}")]
    Issuers(#[from] reqwest::Error),
}

pub async fn run(config: Config, listener: TcpListener, shutdown: CancellationToken) -> Result<(), StartError> {
    let signer = Signer::new(&config.user_token_key_id, config.user_token_key.reveal())?;
    let signer = signer.issued_by(config.service.issuer.clone());
    // A key that no verifier has would sign tokens that all of them refuse.
    KeySet::from_jwks(&config.service.jwks)?.issued_by(&config.service.issuer).vouch_for(&signer)?;
    let service = Service::start(config.service, shutdown).await?;
    // Without the unique index of addresses two accounts could be made for one.
    service.indexes(&store::indexes()).await?;
    service.indexes(&refresh::indexes()).await?;
    let users = Users::new(&service.database);
    if let Some(id) = &config.first_admin
        && let Err(error) = users.appoint(id).await
    {
        tracing::error!(%error, user_id = %id, "the account of COMPTOIR_FIRST_ADMIN cannot be made an admin");
    }
    let refresh_tokens = RefreshTokens::new(&service.database, config.refresh_grace);
    refresh_tokens.expire_by_themselves().await;
    let email_tokens = EmailTokens::new(&service.database);
    email_tokens.expire_by_themselves().await;
    let passwords = Passwords::new(config.account_failures);
    let clients = Clients::new(&service.database);
    let standing = Standing { users: users.clone(), clients: clients.clone() };
    let pager = Pager::new(service.config.service_key.reveal(), "clients");
    let registry = clients::rpc::Handler { clients: clients.clone(), standing: standing.clone(), pager };
    let (tokens, pool) = (refresh_tokens.clone(), passwords.clone());
    let foreign = Foreign::new(config.foreign_issuers)?;
    let sign_in = SignIn { users: users.clone(), clients, refresh_tokens: tokens, passwords: pool, foreign, signer };
    let recovery = recovery::rpc::Handler {
        users: users.clone(),
        email_tokens: email_tokens.clone(),
        refresh_tokens: refresh_tokens.clone(),
        passwords: passwords.clone(),
    };
    let accounts = rpc::Accounts { users, standing, refresh_tokens, email_tokens, passwords };
    let routes = Routes::new(UserServiceServer::new(accounts))
        .add_service(RecoveryServiceServer::new(recovery))
        .add_service(ClientServiceServer::new(registry))
        .add_service(TokenServiceServer::new(rpc::Tokens { sign_in }));
    Ok(service.serve(listener, routes).await?)
}
