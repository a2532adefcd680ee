//! A mail server of another make: aiosmtpd. What it does with a mail says the recipient's address, see tests/smtp/server.py.

use kit::{Directory, root};
use std::{path::Path, path::PathBuf, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

pub struct Server {
    directory: Directory,
    port: u16,
    _process: Child,
}

impl Server {
    pub async fn start() -> Self {
        Self::with(Directory::new(), &[]).await
    }

    /// One that takes nothing before STARTTLS, with the files `tls.crt` and `tls.key` of a directory.
    pub async fn encrypted(pair: &Path) -> Self {
        Self::with(Directory::new(), &[pair.join("tls.crt"), pair.join("tls.key")]).await
    }

    async fn with(directory: Directory, pair: &[PathBuf]) -> Self {
        let mut command = Command::new("python3");
        command
            .arg(root().join("tests/smtp/server.py"))
            .arg(&directory.0)
            .args(pair)
            .env("PYTHONPATH", kit::library("SMTP_DIR", "smtp"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("python3 is there");
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let port = lines.next_line().await.expect("it can be read").expect("the server prints its port");
        Self { directory, port: port.parse().expect("a port"), _process: process }
    }

    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    pub fn encrypted_url(&self) -> String {
        format!("smtp://localhost:{}?tls=required", self.port)
    }

    /// What it has taken, in the order in which it has.
    pub fn mails(&self) -> Vec<String> {
        let path = |number: usize| self.directory.0.join(format!("{number}.eml"));
        (1..).map(path).map_while(|path| std::fs::read_to_string(path).ok()).collect()
    }

    /// The mails that it has taken for an address.
    pub fn mails_to(&self, address: &str) -> Vec<String> {
        self.mails().into_iter().filter(|mail| header(mail, "X-Rcpt-To") == address).collect()
    }
}

/// A header of a message; empty when it has none.
pub fn header(message: &str, name: &str) -> String {
    let head = message.replace("\r\n", "\n");
    let head = head.split("\n\n").next().unwrap_or_default().replace("\n ", " ");
    let prefix = format!("{name}: ");
    head.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap_or_default().to_owned()
}
