//! What stands before a service and holds up what it is sent.

use super::{WAIT, library::Running};
use crate::http2::read;
use anyhow::ensure;
use kit::eventually;
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// What stands before a service. While it is shut, what the gateway sends waits, and then arrives at once.
pub struct Dam {
    pub uri: String,
    pub is_open: watch::Sender<bool>,
    /// Told when all connections are to end.
    pub end: watch::Sender<()>,
    /// What has come on each connection.
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
    _library: Option<Running>,
}

impl Dam {
    /// Before a library that ends with it.
    pub async fn of(library: Running) -> Self {
        let dam = Self::before(&library.uri).await;
        Self { _library: Some(library), ..dam }
    }

    /// Before the service at this address, which may speak TLS.
    pub async fn before(uri: &str) -> Self {
        let (scheme, service) = uri.split_once("://").expect("an address with a scheme");
        let (scheme, service) = (scheme.to_owned(), service.to_owned());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let uri = format!("{scheme}://{}", listener.local_addr().expect("bound"));
        let (is_open, opened) = watch::channel(true);
        let (end, ends) = watch::channel(());
        let sent = Arc::new(Mutex::new(Vec::new()));
        let record = sent.clone();
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let (mut replies, calls) = TcpStream::connect(&service).await.expect("it listens").into_split();
                let (reader, mut writer) = caller.into_split();
                tokio::spawn(async move { copy(&mut replies, &mut writer).await });
                let number = record.lock().expect("no holder panics").len();
                record.lock().expect("no holder panics").push(Vec::new());
                let record = record.clone();
                let note = move |bytes: &[u8]| {
                    record.lock().expect("no holder panics")[number].extend_from_slice(bytes);
                };
                let (opened, mut ends) = (opened.clone(), ends.clone());
                ends.mark_unchanged();
                tokio::spawn(async move {
                    tokio::select! {
                        () = pass(reader, calls, opened, note) => {}
                        _ = ends.changed() => {}
                    }
                });
            }
        });
        Self { uri, is_open, end, sent, _library: None }
    }

    /// How many connections there have been.
    pub fn connections(&self) -> usize {
        self.sent.lock().expect("no holder panics").len()
    }

    /// How many frames of this kind the gateway has sent on the connection of its calls, beside which it has one for probes.
    pub fn frames(&self, wanted: u8) -> usize {
        let sent = self.sent.lock().expect("no holder panics");
        assert!(sent.len() <= 2, "the gateway has had to connect again");
        read(&sent[0][24..]).into_iter().filter(|(kind, ..)| *kind == wanted).count()
    }

    /// Waits until there are at least so many.
    pub async fn has(&self, kind: u8, count: usize) {
        eventually(WAIT, || async {
            let sent = self.frames(kind);
            ensure!(sent >= count, "{sent} of {count} frames of kind {kind}");
            Ok(())
        })
        .await;
    }
}

/// Passes on what one connection of a caller sends, while the dam is open.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut opened: watch::Receiver<bool>,
    note: impl Fn(&[u8]),
) {
    let mut waiting = Vec::new();
    loop {
        let is_open = *opened.borrow_and_update();
        if is_open && to.write_all(&std::mem::take(&mut waiting)).await.is_err() {
            return;
        }
        let from_here = waiting.len();
        tokio::select! {
            changed = opened.changed() => if changed.is_err() { return },
            read = from.read_buf(&mut waiting) => match read {
                Ok(1..) => note(&waiting[from_here..]),
                _ => return,
            },
        }
    }
}
