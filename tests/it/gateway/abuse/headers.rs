//! Heads that are made to fill memory.

use super::{Attacked, BOOK, sent_until_closed};
use crate::http2::{
    CONTINUATION, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS, PREFACE, frame, get, goodbye, integer, streams,
};
use futures::future::join_all;

const SOCKETS: usize = 20;

/// What is told to as many as attack at once with the same bytes.
async fn told(attacked: &Attacked, first: &[u8], bytes: &[u8]) -> Vec<Vec<u8>> {
    join_all((0..SOCKETS).map(|_| async { sent_until_closed(attacked.connect(first).await, bytes).await })).await
}

#[tokio::test]
async fn a_head_of_very_many_or_very_long_headers_is_431() {
    let attacked = Attacked::start(&[]).await;
    let head = format!("GET {BOOK} HTTP/1.1\r\nHost: shop.example\r\n");
    let many: String = (0..500_000).map(|number| format!("x-{number}: y\r\n")).collect();
    let long = format!("x: {}\r\n", "y".repeat(10 << 20));
    for bomb in [many, long] {
        for told in told(&attacked, head.as_bytes(), format!("{bomb}\r\n").as_bytes()).await {
            assert!(told.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&told));
        }
    }
    attacked.ends_well(64).await;
}

#[tokio::test]
async fn a_flood_of_continuations_ends_the_connection() {
    let attacked = Attacked::start(&[]).await;
    let begin = [PREFACE, &frame(HEADERS, END_STREAM, 1, &get(BOOK))].concat();
    // Literals that no table keeps, 25 MB of them; and frames with nothing in them.
    let field = [b"\x00\x01x".as_slice(), &integer(126), &[b'y'; 126]].concat();
    let full = frame(CONTINUATION, 0, 1, &field.repeat(100)).repeat(2_000);
    let empty = frame(CONTINUATION, 0, 1, b"").repeat(1_000_000);
    for flood in [full, empty] {
        for told in told(&attacked, &begin, &flood).await {
            assert_eq!(goodbye(&told), Some(ENHANCE_YOUR_CALM), "{told:?}");
        }
    }
    attacked.ends_well(32).await;
}

#[tokio::test]
async fn a_head_that_unfolds_out_of_the_table_ends_the_connection() {
    let attacked = Attacked::start(&[]).await;
    // An entry that fills the table, then references to it of a byte each: 62 MB of headers in each frame.
    let entry = [b"\x40\x01x".as_slice(), &integer(3_900), &[b'y'; 3_900]].concat();
    let bomb = [get(BOOK), vec![0xbe; 16_000]].concat();
    let mut ids = streams();
    let mut request = |block: &[u8]| frame(HEADERS, END_STREAM | END_HEADERS, ids.next().expect("a stream"), block);
    let first = [PREFACE, &request(&[get(BOOK), entry].concat())].concat();
    let bombs: Vec<u8> = (0..100).flat_map(|_| request(&bomb)).collect();
    for told in told(&attacked, &first, &bombs).await {
        assert_eq!(goodbye(&told), Some(ENHANCE_YOUR_CALM), "{told:?}");
    }
    attacked.ends_well(32).await;
}
