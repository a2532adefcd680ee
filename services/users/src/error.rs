//! Why an account or a token was refused, and how callers are told.

use crate::domain;
use contracts::validate::Violation;
use rpc::{attempts, status};
use std::time::Duration;
use tonic::{Code, Status};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Refused(#[from] domain::Error),
    /// Fields that cannot be changed, or do not exist.
    #[error("{} fields of an update are at fault", .0.len())]
    Update(Vec<Violation>),
    #[error("the e-mail address is taken")]
    EmailTaken,
    #[error("the request_id was used for another account")]
    KeyReused,
    #[error("user {0:?} was not found")]
    NotFound(String),
    #[error("the account is deleted and cannot be changed")]
    Deleted,
    #[error("the account is not deleted: delete it first")]
    NotDeleted,
    #[error("the etag is stale")]
    StaleEtag,
    /// Too many passwords wait to be hashed.
    #[error("too many sign-ins at once; try again")]
    Busy,
    /// The password of this address was wrong too often.
    #[error("too many wrong passwords; try again in {0:?}")]
    TooManyAttempts(Duration),
    #[error("a password could not be hashed: {0}")]
    Hashing(#[from] argon2::password_hash::Error),
    /// A token request lacks a parameter or breaks its bounds (RFC 6749, section 5.2).
    #[error("{0}")]
    InvalidRequest(String),
    /// Wrong name, password or refresh token (RFC 6749, section 5.2). It does not tell which.
    #[error("{0}")]
    InvalidGrant(&'static str),
    /// No client, or one that has not proved who it is (RFC 6749, section 5.2). It does not tell which.
    #[error("the client is unknown, or its secret is wrong or missing")]
    InvalidClient,
    /// A client asks for what only users are given (RFC 6749, section 5.2).
    #[error("a client is given tokens by the grant client_credentials alone")]
    UnauthorizedClient,
    #[error("client {0:?} was not found")]
    ClientNotFound(String),
    /// Not a grant of this server (RFC 6749, section 5.2).
    #[error(
        "grant_type must be password, refresh_token, client_credentials or urn:ietf:params:oauth:grant-type:jwt-bearer"
    )]
    UnsupportedGrantType,
    /// Not a token that can be revoked (RFC 7009, section 2.2.1).
    #[error("only refresh tokens can be revoked; access tokens end by themselves")]
    UnsupportedTokenType,
    /// A token of a mail that proves nothing. It does not tell why.
    #[error("the token is unknown, used or expired; have another mail sent")]
    TokenInvalid,
    /// A mail that there is no reason to send.
    #[error("the account is closed or locked, or its address is verified already")]
    NotNeeded,
    /// The keys of another issuer are not known yet.
    #[error("the issuer of the assertion does not answer; try again")]
    IssuerUnavailable,
    #[error("an access token could not be signed: {0}")]
    Signing(#[from] rpc::token::Error),
    #[error(transparent)]
    Store(#[from] ::store::Error),
}

impl From<mongodb::error::Error> for Error {
    fn from(error: mongodb::error::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::Update(faults) => status::violations(faults),
            Error::EmailTaken => status::error(Code::AlreadyExists, "EMAIL_TAKEN", message),
            Error::KeyReused => status::key_reused(),
            Error::NotFound(id) => status::not_found("users", &id),
            Error::Deleted => status::precondition("USER_DELETED", message),
            Error::NotDeleted => status::precondition("USER_NOT_DELETED", message),
            Error::StaleEtag => status::stale_etag(),
            Error::IssuerUnavailable => status::not_yet("ISSUER_UNAVAILABLE", message, &[]),
            Error::Busy => status::unavailable("BUSY", message),
            Error::TooManyAttempts(wait) => attempts::too_many(wait),
            Error::InvalidRequest(_) => status::error(Code::InvalidArgument, "invalid_request", message),
            Error::InvalidGrant(_) => status::error(Code::InvalidArgument, "invalid_grant", message),
            Error::InvalidClient => status::error(Code::Unauthenticated, "invalid_client", message),
            Error::UnauthorizedClient => status::error(Code::InvalidArgument, "unauthorized_client", message),
            Error::ClientNotFound(id) => status::not_found("clients", &id),
            Error::UnsupportedTokenType => status::error(Code::InvalidArgument, "unsupported_token_type", message),
            Error::UnsupportedGrantType => status::error(Code::InvalidArgument, "unsupported_grant_type", message),
            Error::TokenInvalid => status::precondition("TOKEN_INVALID", message),
            Error::NotNeeded => status::precondition("NOT_NEEDED", message),
            Error::Hashing(_) | Error::Signing(_) => {
                tracing::error!(error = %message, "a password or a token cannot be made");
                status::internal()
            }
            Error::Store(cause) => service::store_status(cause),
        }
    }
}

impl From<domain::Error> for Status {
    fn from(error: domain::Error) -> Self {
        use domain::Error;
        let message = error.to_string();
        match error {
            Error::Field(field, why) => status::violation(&field, why),
            Error::Address(faults) => status::violations(faults),
            Error::OwnAccount => status::precondition("OWN_ACCOUNT", message),
            Error::RolesForbidden | Error::RoleAbove => status::error(Code::PermissionDenied, "FORBIDDEN", message),
            Error::UnknownRole(_) => status::violation("roles", message),
        }
    }
}
