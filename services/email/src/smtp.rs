//! A mail server, spoken to by SMTP: one connection for each mail.
//!
//! The exchange is taken in steps, because an answer means something else at each of them: a 550 to the recipient's address
//! is about that address, a 550 to the text of a mail is about that mail, and one to the password is about nobody but us.

#[cfg(test)]
mod tests;

use crate::delivery::Delivery;
use lettre::{
    Address,
    transport::smtp::{
        Error as SmtpError,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, Certificate, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::ClientId,
    },
};
use percent_encoding::percent_decode_str;
use settings::Key;
use std::time::Duration;
use url::Url;

/// How long a server may take to say goodbye: it has the mail, and nothing depends on the answer.
const QUIT_LIMIT: Duration = Duration::from_secs(1);

/// Why the settings name no mail server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    // The URL has a password: it is not told.
    #[error("must be smtp://HOST:PORT, smtp://HOST:PORT?tls=required or smtps://HOST:PORT")]
    Url,
    #[error("has no certificate in PEM")]
    NoAuthority,
    #[error("has an authority that cannot be read: {0}")]
    Authority(#[source] SmtpError),
}

impl Error {
    /// Which setting is at fault.
    pub fn key(&self, url: &'static Key, authorities: &'static Key) -> &'static Key {
        match self {
            Self::Url => url,
            Self::NoAuthority | Self::Authority(_) => authorities,
        }
    }
}

/// When the connection is encrypted.
#[derive(Clone)]
enum Encrypted {
    Never,
    /// After STARTTLS, without which nothing is sent.
    AfterStart(TlsParameters),
    Always(TlsParameters),
}

pub struct Smtp {
    host: String,
    port: u16,
    encrypted: Encrypted,
    credentials: Option<Credentials>,
    /// What EHLO says.
    name: ClientId,
}

/// What was under way when an exchange failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Session,
    Encryption,
    Recipient,
    Content,
}

impl Smtp {
    /// The server of a URL, as lettre's `from_url` reads one, without `tls=opportunistic`: whoever stands between could
    /// choose then that nothing is encrypted. `domain` is that of the sender.
    pub fn new(url: &str, authorities: Option<&str>, domain: &str) -> Result<Self, Error> {
        let url = Url::parse(url).map_err(|_| Error::Url)?;
        let host = url.host_str().ok_or(Error::Url)?.to_owned();
        let options: Vec<_> = url.query_pairs().collect();
        let wants = options.iter().map(|(name, value)| (&**name, &**value)).collect::<Vec<_>>();
        let parameters = || parameters(&host, authorities);
        let (encrypted, usual_port) = match (url.scheme(), &wants[..]) {
            ("smtp", []) => (Encrypted::Never, 25),
            ("smtp", [("tls", "required")]) => (Encrypted::AfterStart(parameters()?), 587),
            ("smtps", []) => (Encrypted::Always(parameters()?), 465),
            _ => return Err(Error::Url),
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(String::from).map_err(|_| Error::Url);
        let credentials = match url.password() {
            Some(password) => Some(Credentials::new(decoded(url.username())?, decoded(password)?)),
            None => None,
        };
        let port = url.port().unwrap_or(usual_port);
        Ok(Self { host, port, encrypted, credentials, name: ClientId::Domain(domain.to_owned()) })
    }

    pub async fn deliver(&self, from: &Address, to: &Address, message: &[u8], limit: Duration) -> Delivery {
        match tokio::time::timeout(limit, self.exchange(from, to, message)).await {
            Ok(Ok(())) => Delivery::Taken,
            Ok(Err((step, error))) => judge(step, &error),
            Err(_) => Delivery::Later("SMTP_TIMEOUT".to_owned()),
        }
    }

    async fn exchange(&self, from: &Address, to: &Address, message: &[u8]) -> Result<(), (Step, SmtpError)> {
        let mut connection = self.connect().await?;
        let opened = connection.command(Mail::new(Some(from.clone()), Vec::new())).await;
        opened.map_err(|error| (Step::Session, error))?;
        let addressed = connection.command(Rcpt::new(to.clone(), Vec::new())).await;
        addressed.map_err(|error| (Step::Recipient, error))?;
        connection.command(Data).await.map_err(|error| (Step::Content, error))?;
        connection.message(message).await.map_err(|error| (Step::Content, error))?;
        drop(tokio::time::timeout(QUIT_LIMIT, connection.quit()).await);
        Ok(())
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, (Step, SmtpError)> {
        let wrapped = match &self.encrypted {
            Encrypted::Always(parameters) => Some(parameters.clone()),
            Encrypted::Never | Encrypted::AfterStart(_) => None,
        };
        let server = (self.host.as_str(), self.port);
        let connected = AsyncSmtpConnection::connect_tokio1(server, None, &self.name, wrapped, None).await;
        let mut connection = connected.map_err(|error| (Step::Session, error))?;
        if let Encrypted::AfterStart(parameters) = &self.encrypted {
            let upgraded = connection.starttls(parameters.clone(), &self.name).await;
            upgraded.map_err(|error| (Step::Encryption, error))?;
        }
        if let Some(credentials) = &self.credentials {
            let known = connection.auth(DEFAULT_MECHANISMS, credentials).await;
            known.map_err(|error| (Step::Session, error))?;
        }
        Ok(connection)
    }
}

fn parameters(host: &str, authorities: Option<&str>) -> Result<TlsParameters, Error> {
    let mut parameters = TlsParameters::builder(host.to_owned());
    if let Some(pem) = authorities {
        if !pem.contains("-----BEGIN CERTIFICATE-----") {
            return Err(Error::NoAuthority);
        }
        let authority = Certificate::from_pem(pem.as_bytes()).map_err(Error::Authority)?;
        parameters = parameters.add_root_certificate(authority);
    }
    parameters.build_rustls().map_err(Error::Authority)
}

/// What a failed exchange says of the mail and of its address.
fn judge(step: Step, error: &SmtpError) -> Delivery {
    let Some(code) = error.status() else {
        let is_of_tls = step == Step::Encryption || error.is_tls();
        let why = if is_of_tls { "SMTP_TLS" } else { "SMTP_UNREACHABLE" };
        return Delivery::Later(why.to_owned());
    };
    let code = code.to_string();
    match step {
        Step::Recipient if error.is_permanent() && is_of_the_address(&code, &error.to_string()) => {
            Delivery::Bounced(code)
        }
        Step::Content if error.is_permanent() => Delivery::Refused(code),
        Step::Session | Step::Encryption | Step::Recipient | Step::Content => Delivery::Later(format!("SMTP_{code}")),
    }
}

/// Whether a permanent refusal is about the address: not one of those that say that the server takes nothing from us, by its
/// code (RFC 5321, RFC 4954) or its enhanced code 5.7.x (RFC 3463: policy, as for a relay that is closed to us).
fn is_of_the_address(code: &str, text: &str) -> bool {
    matches!(code, "550" | "551" | "552" | "553" | "554" | "556") && !text.contains("5.7.")
}
