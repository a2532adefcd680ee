//! The RPCs of recovery: parse, authorise, call, reply.

use crate::{
    error::Error,
    events,
    password::Passwords,
    recovery::{
        domain::{self, Purpose},
        store::EmailTokens,
    },
    refresh::RefreshTokens,
    store::Users,
};
use ::rpc::{principal, status, validated};
use ::store::{Change, fields::time, now};
use contracts::users::v1::{
    CreateEmailTokenRequest, EmailToken, RequestEmailVerificationRequest, RequestPasswordResetRequest,
    ResetPasswordRequest, VerifyEmailRequest, create_email_token_request, recovery_service_server::RecoveryService,
};
use tonic::{Request, Response, Status};

pub struct Handler {
    pub users: Users,
    pub email_tokens: EmailTokens,
    pub refresh_tokens: RefreshTokens,
    pub passwords: Passwords,
}

#[tonic::async_trait]
impl RecoveryService for Handler {
    async fn request_password_reset(
        &self,
        request: Request<RequestPasswordResetRequest>,
    ) -> Result<Response<()>, Status> {
        let email = validated(request)?.email;
        let Some(user) = self.users.by_email(&email).await? else { return Ok(Response::new(())) };
        match self.ask(&user.id, Purpose::PasswordReset).await {
            // Closed meanwhile: it has no account any more.
            Ok(()) | Err(Error::Deleted) => Ok(Response::new(())),
            Err(error) => Err(error.into()),
        }
    }

    async fn reset_password(&self, request: Request<ResetPasswordRequest>) -> Result<Response<()>, Status> {
        let ResetPasswordRequest { token, password } = validated(request)?;
        let proof = self.email_tokens.check(&token, Purpose::PasswordReset).await?;
        let hash = self.passwords.hash(password).await?;
        let id = &proof.user_id;
        let changed = self.users.change(id, None, |old| {
            // The reset raises the generation itself: of two uses of a token the second one is refused here.
            if old.state.token_generation != proof.generation || !old.state.may_sign_in() {
                return Err(Error::TokenInvalid);
            }
            let state = domain::with_password(&old.state, hash.clone(), now());
            let mut change = events::change(id, &old.state, state, events::password_reset(id));
            if !old.state.email_verified {
                change.events.insert(1, events::email_verified(id));
            }
            Ok(Some(change))
        });
        changed.await.map_err(proves_nothing)?;
        telemetry::crash_point("users.password.reset");
        // Housekeeping: tokens of the password before are refused anyway.
        self.refresh_tokens.delete_of(id).await?;
        self.email_tokens.end(&token, Purpose::PasswordReset).await?;
        Ok(Response::new(()))
    }

    async fn request_email_verification(
        &self,
        request: Request<RequestEmailVerificationRequest>,
    ) -> Result<Response<()>, Status> {
        let caller = principal(&request);
        let id = validated(request)?.user_id;
        if !caller.may_act_for(&id) {
            return Err(Error::NotFound(id).into());
        }
        self.ask(&id, Purpose::EmailVerification).await?;
        Ok(Response::new(()))
    }

    async fn verify_email(&self, request: Request<VerifyEmailRequest>) -> Result<Response<()>, Status> {
        let token = validated(request)?.token;
        let id = self.email_tokens.check(&token, Purpose::EmailVerification).await?.user_id;
        let changed = self.users.change(&id, None, |old| {
            let state = domain::verified(&old.state, now());
            Ok(state.map(|state| Change { state, events: vec![events::email_verified(&id)] }))
        });
        changed.await.map_err(proves_nothing)?;
        self.email_tokens.end(&token, Purpose::EmailVerification).await?;
        Ok(Response::new(()))
    }

    async fn create_email_token(
        &self,
        request: Request<CreateEmailTokenRequest>,
    ) -> Result<Response<EmailToken>, Status> {
        let request = validated(request)?;
        let purpose = match request.purpose() {
            create_email_token_request::Purpose::EmailVerification => Purpose::EmailVerification,
            create_email_token_request::Purpose::PasswordReset => Purpose::PasswordReset,
            create_email_token_request::Purpose::Unspecified => {
                return Err(status::violation("purpose", "is required"));
            }
        };
        let user = self.users.find(&request.user_id).await?.ok_or(Error::NotFound(request.user_id))?;
        if !purpose.is_needed(&user.state) {
            return Err(Error::NotNeeded.into());
        }
        let (token, expires_at) = self.email_tokens.create(&user, purpose).await?;
        Ok(Response::new(EmailToken { token, expire_time: Some(time::to_wire(expires_at)) }))
    }
}

impl Handler {
    /// Records that a mail is asked for, unless there is no reason for it.
    async fn ask(&self, id: &str, purpose: Purpose) -> Result<(), Error> {
        let event = match purpose {
            Purpose::PasswordReset => events::password_reset_requested,
            Purpose::EmailVerification => events::email_verification_requested,
        };
        let changed = self.users.change(id, None, |old| {
            let state = domain::asked(&old.state, purpose, now());
            Ok(state.map(|state| Change { state, events: vec![event(id)] }))
        });
        changed.await.map(drop)
    }
}

/// A token whose account is gone is like any other that proves nothing.
fn proves_nothing(error: Error) -> Error {
    match error {
        Error::Deleted | Error::NotFound(_) => Error::TokenInvalid,
        error => error,
    }
}
