//! Where mails go: to a mail server, or into a directory.

use crate::{delivery::Delivery, smtp::Smtp};
use lettre::Address;
use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

pub enum Transport {
    Smtp(Box<Smtp>),
    Directory(Directory),
}

/// A message and its envelope.
pub struct Letter<'a> {
    pub email_id: &'a str,
    pub from: &'a Address,
    pub to: &'a Address,
    pub message: Vec<u8>,
}

impl Transport {
    /// Hands a mail over, and waits for this long at most.
    pub async fn deliver(&self, letter: Letter<'_>, limit: Duration) -> Delivery {
        match self {
            Self::Smtp(smtp) => smtp.deliver(letter.from, letter.to, &letter.message, limit).await,
            Self::Directory(directory) => match directory.keep(letter.email_id, letter.message).await {
                Ok(()) => Delivery::Taken,
                Err(error) => {
                    tracing::warn!(%error, "a mail cannot be written into the directory for mails");
                    Delivery::Later("DIRECTORY_UNWRITABLE".to_owned())
                }
            },
        }
    }
}

impl Transport {
    /// Removes what was kept of these mails. What a mail server has taken is not here.
    pub async fn remove(&self, email_ids: Vec<String>) -> io::Result<()> {
        match self {
            Self::Smtp(_) => Ok(()),
            Self::Directory(directory) => directory.remove(email_ids).await,
        }
    }
}

/// A directory that only its owner reads. A mail has a file of its own there, so that it lies there once however often it is
/// sent.
pub struct Directory(PathBuf);

impl Directory {
    /// Makes the directory when it is absent.
    pub fn open(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Ok(Self(path.to_owned()))
    }

    async fn keep(&self, email_id: &str, message: Vec<u8>) -> io::Result<()> {
        let [fresh, file] = self.files(email_id);
        let write = move || {
            File::options().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?.write_all(&message)?;
            fs::rename(&fresh, &file)
        };
        tokio::task::spawn_blocking(write).await?
    }

    async fn remove(&self, email_ids: Vec<String>) -> io::Result<()> {
        let files: Vec<PathBuf> = email_ids.iter().flat_map(|email_id| self.files(email_id)).collect();
        let remove = move || {
            files.iter().try_for_each(|file| match fs::remove_file(file) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                removed => removed,
            })
        };
        tokio::task::spawn_blocking(remove).await?
    }

    /// The file of a mail while it is written, which a crash leaves, and after that.
    fn files(&self, email_id: &str) -> [PathBuf; 2] {
        ["new", "eml"].map(|extension| self.0.join(format!("{email_id}.{extension}")))
    }
}
