//! What the owner of an account says of themselves, and may change. Pure.

use super::Error;
use crate::locale;
use contracts::address::Address;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// URL of a picture.
    pub avatar: String,
    pub bio: String,
    pub location: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preferences {
    /// BCP 47 tag.
    pub language: String,
    /// IANA time zone.
    pub timezone: String,
    pub email_notifications: bool,
}

impl Default for Preferences {
    fn default() -> Self {
        Self { language: "en".to_owned(), timezone: "UTC".to_owned(), email_notifications: true }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Display name, not empty.
    pub name: String,
    pub profile: Profile,
    pub preferences: Preferences,
    pub addresses: Vec<Address>,
}

impl Draft {
    /// With its preferences in canonical form; those of `before` may be older than the check, and may stay, as may the addresses
    /// `known`. `path` is that of the account in the request.
    pub fn checked(mut self, path: &str, before: &Preferences, known: &[Address]) -> Result<Self, Error> {
        if self.name.trim().is_empty() {
            return Err(Error::Field(format!("{path}name"), "is required".to_owned()));
        }
        let Preferences { language, timezone, .. } = &mut self.preferences;
        let fault = |field: &str, why| Error::Field(format!("{path}preferences.{field}"), why);
        if *language != before.language {
            *language = locale::language(language).map_err(|why| fault("language", why))?;
        }
        if *timezone != before.timezone {
            *timezone = locale::time_zone(timezone).map_err(|why| fault("timezone", why))?;
        }
        for (index, address) in self.addresses.iter_mut().enumerate().filter(|(_, address)| !known.contains(address)) {
            *address = address.clone().checked(&format!("{path}addresses[{index}]")).map_err(Error::Address)?;
        }
        Ok(self)
    }
}
