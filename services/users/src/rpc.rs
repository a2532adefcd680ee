//! The RPCs: parse, authorise, call, reply.

use crate::{
    clients::authentication,
    convert, domain,
    error::Error,
    events,
    password::Passwords,
    recovery::store::EmailTokens,
    refresh::RefreshTokens,
    sign_in::SignIn,
    standing::Standing,
    store::{Created, Users},
};
use ::rpc::{Principal, principal, refused_credential, validated};
use ::store::{Change, Erased, RequestKey, now};
use contracts::{
    Validate,
    erasure::v1::{EraseUserDataRequest, ErasureReceipt},
    users::v1::{
        CreateUserRequest, DeleteUserRequest, GetUserRequest, IssueTokenRequest, LockUserRequest, RevokeTokenRequest,
        SetUserRolesRequest, Token, UnlockUserRequest, UpdateUserRequest, User, token_service_server::TokenService,
        user_service_server::UserService,
    },
};
use tonic::{Request, Response, Status};

pub struct Accounts {
    pub users: Users,
    pub standing: Standing,
    /// Their refresh tokens, which end with the account.
    pub refresh_tokens: RefreshTokens,
    /// What proves that somebody reads their mail; it ends with the account too.
    pub email_tokens: EmailTokens,
    pub passwords: Passwords,
}

#[tonic::async_trait]
impl UserService for Accounts {
    async fn create_user(&self, request: Request<CreateUserRequest>) -> Result<Response<User>, Status> {
        let (caller, refused) = (principal(&request), refused_credential(&request));
        let mut request = validated(request)?;
        let password = std::mem::take(&mut request.password); // and so it is not in the digest
        let key = RequestKey::new(caller.actor(), &request.request_id, &request);
        let registration = convert::registration(request);
        // Only a credential can grant roles, so one that is no good is told here, where everybody else may come without.
        if let Some(refused) = refused.filter(|_| !registration.roles.is_empty()) {
            return Err(refused);
        }
        if !registration.roles.is_empty() {
            self.standing.unrevoked(&caller).await?;
        }
        let registration = registration.checked(caller.role())?;
        let hash = self.passwords.hash(password.clone()).await?;
        let user = match self.users.create(registration, domain::Proof::Password(hash), key.as_ref()).await? {
            Created::New(user) => user,
            // All who are not signed in share their keys, so only the password proves whose request was repeated.
            Created::Before(user) => {
                let (account, hash) = (user.state.email_key.clone(), user.state.password_hash.clone());
                match self.passwords.verify(account, password, hash).await? {
                    true => user,
                    false => return Err(Error::KeyReused.into()),
                }
            }
        };
        Ok(Response::new(convert::to_wire(&user)))
    }

    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<User>, Status> {
        let caller = principal(&request);
        let id = validated(request)?.user_id;
        own(&caller, &id)?;
        let found = self.users.find(&id).await?.ok_or(Error::NotFound(id))?;
        Ok(Response::new(convert::shown(&found, &caller)))
    }

    async fn update_user(&self, request: Request<UpdateUserRequest>) -> Result<Response<User>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        let key = RequestKey::new(caller.actor(), &request.request_id, &request);
        let user = request.user.unwrap_or_default();
        own(&caller, &user.user_id)?;
        let updated = self.users.change(&user.user_id, key.as_ref(), |old| {
            if !old.is_current(&user.etag) {
                return Err(Error::StaleEtag);
            }
            let draft = convert::merge(old, &user, request.update_mask.as_ref())?;
            let (state, fields) = old.state.update(draft, now())?;
            let event = events::updated(&user.user_id, &state, fields.clone());
            Ok((!fields.is_empty()).then(|| Change { state, events: vec![event] }))
        });
        Ok(Response::new(convert::shown(&updated.await?, &caller)))
    }

    async fn delete_user(&self, request: Request<DeleteUserRequest>) -> Result<Response<()>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        own(&caller, &request.user_id)?;
        let is_own = is_own(&caller, &request.user_id);
        if !is_own {
            self.standing.unrevoked(&caller).await?;
        }
        let key = RequestKey::new(caller.actor(), &request.request_id, &request);
        let may = |user: &domain::User| if is_own { Ok(()) } else { user.within(caller.role()) };
        self.users.delete(&request.user_id, &request.etag, key.as_ref(), may).await?;
        telemetry::crash_point("users.delete.deleted");
        // After the account: a crash in between leaves tokens that no grant accepts any more, and the repeat deletes
        // them.
        self.refresh_tokens.delete_of(&request.user_id).await?;
        self.email_tokens.delete_of(&request.user_id).await?;
        Ok(Response::new(()))
    }

    async fn erase_user_data(
        &self,
        request: Request<EraseUserDataRequest>,
    ) -> Result<Response<ErasureReceipt>, Status> {
        let id = validated(request)?.user_id;
        // The account was erased by its deletion; whose process died at once has left tokens.
        if let Some(user) = self.users.find(&id).await? {
            if !user.state.is_deleted() {
                return Err(Error::NotDeleted.into());
            }
            telemetry::crash_point("users.erase.writing");
            self.users.forget(&id).await?;
            self.refresh_tokens.delete_of(&id).await?;
            self.email_tokens.delete_of(&id).await?;
            telemetry::crash_point("users.erase.written");
        }
        Ok(Response::new(Erased { erased: 0, remaining: 0 }.receipt("users")))
    }

    async fn set_user_roles(&self, request: Request<SetUserRolesRequest>) -> Result<Response<User>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        self.standing.unrevoked(&caller).await?;
        let key = RequestKey::new(caller.actor(), &request.request_id, &request);
        let id = &request.user_id;
        let changed = self.users.change(id, key.as_ref(), |old| {
            if !old.is_current(&request.etag) {
                return Err(Error::StaleEtag);
            }
            let state = old.state.set_roles(request.roles.clone(), is_own(&caller, id), now())?;
            Ok(state.map(|state| events::roles_changed(id, &old.state, state)))
        });
        Ok(Response::new(convert::shown(&changed.await?, &caller)))
    }

    async fn lock_user(&self, request: Request<LockUserRequest>) -> Result<Response<User>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        self.standing.unrevoked(&caller).await?;
        let key = RequestKey::new(caller.actor(), &request.request_id, &request);
        let id = &request.user_id;
        let changed = self.users.change(id, key.as_ref(), |old| {
            old.state.within(caller.role())?;
            let state = old.state.lock(request.reason.clone(), is_own(&caller, id), now())?;
            Ok(state.map(|state| events::change(id, &old.state, state, events::locked(id))))
        });
        let changed = changed.await?;
        // After the account, as with its deletion. The repeat of a lock that has been taken off since ends nothing.
        if changed.state.is_locked() {
            self.refresh_tokens.delete_of(id).await?;
        }
        Ok(Response::new(convert::shown(&changed, &caller)))
    }

    async fn unlock_user(&self, request: Request<UnlockUserRequest>) -> Result<Response<User>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        self.standing.unrevoked(&caller).await?;
        let key = RequestKey::new(caller.actor(), &request.request_id, &request);
        let id = &request.user_id;
        // Before the account: a lock whose process died at once has left tokens, which would count again.
        if self.users.find(id).await?.is_some_and(|user| user.state.is_locked()) {
            self.refresh_tokens.delete_of(id).await?;
        }
        let changed = self.users.change(id, key.as_ref(), |old| {
            old.state.within(caller.role())?;
            let state = old.state.unlock(is_own(&caller, id), now())?;
            Ok(state.map(|state| Change { state, events: vec![events::unlocked(id)] }))
        });
        Ok(Response::new(convert::shown(&changed.await?, &caller)))
    }
}

pub struct Tokens {
    pub sign_in: SignIn,
}

#[tonic::async_trait]
impl TokenService for Tokens {
    async fn issue_token(&self, request: Request<IssueTokenRequest>) -> Result<Response<Token>, Status> {
        let header = authentication::basic(request.metadata())?;
        let request = parameters(request)?;
        let client = authentication::presented(header, &request.client_id, &request.client_secret)?;
        Ok(Response::new(self.sign_in.issue(request, client).await?))
    }

    async fn revoke_token(&self, request: Request<RevokeTokenRequest>) -> Result<Response<()>, Status> {
        let header = authentication::basic(request.metadata())?;
        let request = parameters(request)?;
        let client = authentication::presented(header, &request.client_id, &request.client_secret)?;
        Ok(Response::new(self.sign_in.revoke(&request.token, client).await?))
    }
}

/// The parameters of an endpoint of OAuth 2, which has errors of its own.
fn parameters<T: Validate>(request: Request<T>) -> Result<T, Error> {
    let request = request.into_inner();
    request.validate().map_err(|found| {
        let text: Vec<String> = found.iter().map(|it| format!("{} {}", it.field, it.description)).collect();
        Error::InvalidRequest(text.join("; "))
    })?;
    Ok(request)
}

fn is_own(caller: &Principal, id: &str) -> bool {
    caller.user_id() == Some(id)
}

/// The account is the caller's, or the caller may act for everyone; else it is not found.
fn own(caller: &Principal, id: &str) -> Result<(), Error> {
    if caller.may_act_for(id) { Ok(()) } else { Err(Error::NotFound(id.to_owned())) }
}
