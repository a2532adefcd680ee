//! Very many connections that are kept and not used.

use super::{Attacked, BOOK, WAIT};
use crate::http2::{PREFACE, request};
use tokio::{io::AsyncReadExt, time::timeout};

const CONNECTIONS: usize = 3_000;

#[tokio::test]
async fn three_thousand_idle_connections_are_closed_and_give_their_memory_back() {
    // Long enough for all of them to be there at once.
    let attacked = Attacked::start(&["--header-timeout-seconds", "4", "--idle-timeout-seconds", "6"]).await;
    let http1 = format!("GET {BOOK} HTTP/1.1\r\nHost: shop.example\r\n\r\n").into_bytes();
    let http2 = [PREFACE, &request(1, BOOK)].concat();
    let mut idle = Vec::new();
    for number in 0..CONNECTIONS {
        // Without a request, after one, and after one of HTTP/2 whose pings nobody answers.
        idle.push(attacked.connect([b"".as_slice(), &http1, &http2][number % 3]).await);
    }
    for mut stream in idle {
        let _ = timeout(WAIT, stream.read_to_end(&mut Vec::new())).await.expect("it is closed in time");
    }
    attacked.ends_well(128).await;
}
