//! The grants of RFC 6749 that the token endpoint knows.

use crate::{
    clients::{authentication::Presented, domain::Client, store::Clients},
    domain::User,
    error::Error,
    foreign::{Foreign, accounts},
    password::Passwords,
    refresh::RefreshTokens,
    store::Users,
};
use ::rpc::{Signer, revocations::USER_TOKEN_LIFE, token::Account};
use ::store::Versioned;
use contracts::{
    text,
    users::v1::{IssueTokenRequest, Token},
};

/// RFC 7523, section 2.1.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

const WRONG: Error = Error::InvalidGrant("the username or the password is wrong");
const LOCKED: Error = Error::InvalidGrant("the account is locked; ask the shop");
const REVOKED: Error = Error::InvalidGrant("the account's tokens were revoked meanwhile; sign in again");

const NOT_ITS_OWN: Error = Error::InvalidGrant("the token was not issued to this client");

/// Exchanges what a user or a client knows or holds for tokens.
pub struct SignIn {
    pub users: Users,
    pub clients: Clients,
    pub refresh_tokens: RefreshTokens,
    pub passwords: Passwords,
    pub foreign: Foreign,
    pub signer: Signer,
}

impl SignIn {
    pub async fn issue(&self, request: IssueTokenRequest, client: Option<Presented>) -> Result<Token, Error> {
        let client = self.authenticated(client).await?;
        match (request.grant_type.as_str(), client) {
            ("client_credentials", client) => self.token_of(&client.ok_or(Error::InvalidClient)?),
            ("password" | "refresh_token" | JWT_BEARER, Some(_)) => Err(Error::UnauthorizedClient),
            ("password", None) => {
                required("username", &request.username)?;
                required("password", &request.password)?;
                self.by_password(&request.username, request.password).await
            }
            ("refresh_token", None) => {
                required("refresh_token", &request.refresh_token)?;
                self.by_refresh_token(&request.refresh_token).await
            }
            (JWT_BEARER, None) => {
                required("assertion", &request.assertion)?;
                self.by_assertion(&request.assertion).await
            }
            ("", _) => required("grant_type", "").and(Err(Error::UnsupportedGrantType)),
            _ => Err(Error::UnsupportedGrantType),
        }
    }

    /// Ends what a refresh token led to. An access token, which has three parts, is none of those that are kept here. A client was
    /// given none of these, and so may end none.
    pub async fn revoke(&self, token: &str, client: Option<Presented>) -> Result<(), Error> {
        let client = self.authenticated(client).await?;
        required("token", token)?;
        if token.contains('.') {
            return Err(Error::UnsupportedTokenType);
        }
        match client {
            None => self.refresh_tokens.revoke(token).await,
            Some(_) if self.refresh_tokens.is_there(token).await? => Err(NOT_ITS_OWN),
            Some(_) => Ok(()),
        }
    }

    async fn authenticated(&self, client: Option<Presented>) -> Result<Option<Versioned<Client>>, Error> {
        match client {
            Some(presented) => self.clients.authenticate(&presented).await.map(Some),
            None => Ok(None),
        }
    }

    /// An unknown address costs the same hash as a wrong password, so that the time does not tell them apart, and
    /// is limited as much.
    async fn by_password(&self, email: &str, password: String) -> Result<Token, Error> {
        let user = self.users.by_email(email).await?;
        let account = user.as_ref().map_or_else(|| text::email_key(email), |user| user.state.email_key.clone());
        let hash = user.as_ref().and_then(|user| user.state.password_hash.clone());
        let is_right = self.passwords.verify(account, password, hash).await?;
        let user = admitted(user.filter(|_| is_right))?;
        let refresh_token = self.refresh_tokens.first(&user.id, user.state.password_version).await?;
        // Read again after the insert: a lock or a deletion while the password was hashed has not found this token.
        match self.unrevoked(&user).await {
            Ok(user) => self.token(&user, refresh_token),
            Err(refused) => {
                self.refresh_tokens.revoke(&refresh_token).await?;
                Err(refused)
            }
        }
    }

    /// The account of `before` as it is now, when it may still sign in and its tokens were not revoked since.
    async fn unrevoked(&self, before: &Versioned<User>) -> Result<Versioned<User>, Error> {
        let user = admitted(self.users.find(&before.id).await?)?;
        if user.state.token_generation == before.state.token_generation { Ok(user) } else { Err(REVOKED) }
    }

    async fn by_refresh_token(&self, token: &str) -> Result<Token, Error> {
        let used = self.refresh_tokens.take(token).await?;
        let user = self.users.find(&used.user_id).await?.filter(|user| user.state.may_sign_in());
        let user = user.ok_or(Error::InvalidGrant("the account is closed or locked"))?;
        if user.state.password_version != used.password_version {
            return Err(Error::InvalidGrant("the password was set anew since; sign in again"));
        }
        let refresh_token = self.refresh_tokens.next(used).await?;
        self.token(&user, refresh_token)
    }

    /// The issuer stays the one that says who may sign in, and as what: there is no refresh token, and another assertion is exchanged
    /// for the next access token.
    async fn by_assertion(&self, assertion: &str) -> Result<Token, Error> {
        let claimed = self.foreign.identify(assertion).await?;
        let user = telemetry::by_itself(accounts::of(&self.users, claimed)).await?;
        self.token(&admitted(Some(user))?, String::new())
    }

    fn token(&self, user: &Versioned<User>, refresh_token: String) -> Result<Token, Error> {
        let User { roles, token_generation, .. } = &user.state;
        let account = Account { id: &user.id, roles, generation: *token_generation, is_client: false };
        self.signed(account, refresh_token)
    }

    /// A client asks again with its secret: it is given no refresh token (RFC 6749, section 4.4.3).
    fn token_of(&self, client: &Versioned<Client>) -> Result<Token, Error> {
        let Client { role, token_generation, .. } = &client.state;
        let roles = std::slice::from_ref(role);
        let account = Account { id: &client.id, roles, generation: *token_generation, is_client: true };
        self.signed(account, String::new())
    }

    fn signed(&self, account: Account<'_>, refresh_token: String) -> Result<Token, Error> {
        let access_token = self.signer.account_token(account, USER_TOKEN_LIFE)?;
        let expires_in = i32::try_from(USER_TOKEN_LIFE.as_secs()).unwrap_or(i32::MAX);
        Ok(Token { access_token, token_type: "Bearer".to_owned(), expires_in, refresh_token })
    }
}

/// The account whose password was right, when it may sign in. Only who knows the password is told of a lock.
fn admitted(user: Option<Versioned<User>>) -> Result<Versioned<User>, Error> {
    let user = user.filter(|user| !user.state.is_deleted()).ok_or(WRONG)?;
    if user.state.may_sign_in() { Ok(user) } else { Err(LOCKED) }
}

fn required(name: &str, value: &str) -> Result<(), Error> {
    if value.is_empty() { Err(Error::InvalidRequest(format!("{name} is required"))) } else { Ok(()) }
}
