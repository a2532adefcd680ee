//! Configuration of email.

use crate::{
    content::Pages,
    smtp::Smtp,
    transport::{Directory, Transport},
};
use lettre::message::Mailbox;
use settings::{Error, Key, Settings};
use std::time::Duration;

const SMTP_URL: Key = Key::new(
    "smtp-url",
    "COMPTOIR_SMTP_URL",
    "Mail server: smtp://USER:PASSWORD@HOST:PORT, with ?tls=required for STARTTLS, or smtps://…",
)
.secret();

const SMTP_CA: Key = Key::new(
    "smtp-ca",
    "COMPTOIR_SMTP_CA",
    "File with authorities, PEM, that the mail server's certificate may be signed by, beside those of the web",
);

const SMTP_SECONDS: Key = Key::new(
    "smtp-seconds",
    "COMPTOIR_SMTP_SECONDS",
    "How long the mail server may take for one mail, from the connection to its last answer",
)
.unit("seconds, 1 to 900")
.default("120");

const MAIL_DIRECTORY: Key = Key::new(
    "mail-directory",
    "COMPTOIR_MAIL_DIRECTORY",
    "Directory in which mails are put as .eml files when there is no mail server",
);

const MAIL_FROM: Key = Key::new(
    "mail-from",
    "COMPTOIR_MAIL_FROM",
    "Sender of the mails, such as \"Shop <orders@example.com>\"; must be set with a mail server",
);

const SHOP_PAGES: Key = Key::new(
    "shop-pages",
    "COMPTOIR_SHOP_PAGES",
    "Address of the shop's pages reset-password and verify-email, which mails link to with #token=…; without it a mail has the token alone",
);

/// Who sends when mails go nowhere.
const NOBODY: &str = "Comptoir <comptoir@localhost>";

/// The settings of email, beside those of every service.
pub const KEYS: &[Key] = &[SMTP_URL, SMTP_CA, SMTP_SECONDS, MAIL_DIRECTORY, MAIL_FROM, SHOP_PAGES];

pub struct Config {
    pub service: service::Config,
    /// Where mails go.
    pub transport: Transport,
    /// Who sends them.
    pub from: Mailbox,
    /// The shop's pages that mails link to.
    pub pages: Option<Pages>,
    /// How long the transport may take for a mail.
    pub time_limit: Duration,
}

impl Config {
    pub fn resolve(settings: &Settings) -> Result<Self, Error> {
        let service = service::Config::resolve(settings)?;
        let time_limit = settings.seconds(&SMTP_SECONDS, 1..=900)?;
        let has_server = !settings.value(&SMTP_URL).is_empty();
        let from = match settings.value(&MAIL_FROM) {
            "" if !has_server => NOBODY,
            _ => settings.required(&MAIL_FROM)?,
        };
        let from: Mailbox = from.parse().map_err(|error| settings.bad(&MAIL_FROM, format!("{from:?}: {error}")))?;
        let transport = if has_server {
            let authorities = if settings.value(&SMTP_CA).is_empty() { None } else { Some(settings.file(&SMTP_CA)?) };
            let smtp = Smtp::new(settings.value(&SMTP_URL), authorities.as_deref(), from.email.domain());
            Transport::Smtp(Box::new(smtp.map_err(|error| settings.bad(error.key(&SMTP_URL, &SMTP_CA), error))?))
        } else if settings.value(&MAIL_DIRECTORY).is_empty() {
            return Err(settings.bad(&SMTP_URL, "name a mail server, or a directory in COMPTOIR_MAIL_DIRECTORY"));
        } else {
            let directory = Directory::open(settings.value(&MAIL_DIRECTORY).as_ref());
            Transport::Directory(directory.map_err(|error| settings.bad(&MAIL_DIRECTORY, error))?)
        };
        let pages = match settings.value(&SHOP_PAGES) {
            "" => None,
            address => Some(Pages::new(address).map_err(|error| settings.bad(&SHOP_PAGES, error))?),
        };
        Ok(Self { service, transport, from, pages, time_limit })
    }
}
