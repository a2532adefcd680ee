//! Callers who ask for streams and take nothing of them.

use super::{Attacked, BOOK, WAIT};
use crate::gateway::foreign::library::STREAMS;
use crate::http2::{PREFACE, answered, request, streams};
use reqwest::Method;
use tokio::{io::AsyncWriteExt, time::timeout};

/// What another caller takes of a watch meanwhile. Those that nobody takes are sent as many each: more small ones than h2 keeps of
/// a connection by itself, and more bytes of large ones than its usual window.
const TAKEN: usize = 250;

/// Opens watches of a book on a connection whose window is never opened, while another caller takes a watch.
async fn unread(name: &str) {
    let attacked = Attacked::start(&[]).await;
    let mut stream = attacked.connect(PREFACE).await;
    let open: Vec<u32> = streams().take(STREAMS as usize - 10).collect();
    let path = format!("/v1/shelves/s1/books/{name}:watch");
    let watches: Vec<u8> = open.iter().flat_map(|id| request(*id, &path)).collect();
    stream.write_all(&watches).await.expect("the connection is whole");
    timeout(WAIT, answered(&mut stream, &mut Vec::new(), &open)).await.expect("it is answered");
    let taken = async {
        let request = attacked.gateway.client().request(Method::GET, &format!("{BOOK}:watch"));
        let mut watch = request.send().await.expect("the gateway answers");
        let (mut read, mut count) = (Vec::new(), 0);
        while count < TAKEN {
            read.extend(watch.chunk().await.expect("the watch is whole").expect("the watch goes on"));
            count = read.iter().filter(|byte| **byte == b'\n').count();
        }
        String::from_utf8(read).expect("text")
    };
    let taken = timeout(WAIT, taken).await.expect("another watch goes on");
    assert!(!taken.contains("error"), "{taken}");
    attacked.ends_well(64).await;
}

#[tokio::test]
async fn small_messages_that_nobody_takes_leave_the_calls_of_others_alone() {
    unread("b1").await;
}

#[tokio::test]
async fn large_messages_that_nobody_takes_leave_the_calls_of_others_alone() {
    unread(&"b".repeat(8_000)).await;
}
