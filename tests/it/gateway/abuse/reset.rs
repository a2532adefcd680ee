//! Streams of HTTP/2 that are opened and reset (CVE-2023-44487).

use super::{Attacked, BOOK, WAIT, sent_until_closed};
use crate::gateway::foreign::library::STREAMS;
use crate::http2::{ENHANCE_YOUR_CALM, PREFACE, answered, goodbye, request, reset, streams};
use futures::future::join_all;
use tokio::{io::AsyncWriteExt, time::timeout};

#[tokio::test]
async fn a_thousand_streams_reset_at_once_end_the_connection_and_nothing_else() {
    let attacked = Attacked::start(&[]).await;
    let burst: Vec<u8> = streams().take(1_000).flat_map(|id| [request(id, BOOK), reset(id)].concat()).collect();
    for _ in 0..10 {
        let attack = (0..20).map(|_| async { sent_until_closed(attacked.connect(PREFACE).await, &burst).await });
        for told in join_all(attack).await {
            assert_eq!(goodbye(&told), Some(ENHANCE_YOUR_CALM), "{told:?}");
        }
    }
    attacked.ends_well(32).await;
}

#[tokio::test]
async fn streams_reset_in_small_numbers_leave_the_calls_of_others_whole() {
    let attacked = Attacked::start(&[]).await;
    // Fewer at once than a connection is ended for: their calls may have begun when they are reset.
    let attack = (0..20).map(|_| async {
        let (mut stream, mut next) = (attacked.connect(PREFACE).await, streams());
        for _ in 0..50 {
            let ids: Vec<u32> = next.by_ref().take(15).collect();
            let calls: Vec<u8> = ids.iter().flat_map(|id| request(*id, "/v1/shelves/s1/books/slow")).collect();
            let resets: Vec<u8> = ids.iter().flat_map(|id| reset(*id)).collect();
            for bytes in [calls, resets] {
                if stream.write_all(&bytes).await.is_err() {
                    return; // it may have been ended all the same
                }
                tokio::task::yield_now().await;
            }
        }
    });
    join_all(attack).await;
    attacked.ends_well(32).await;
}

#[tokio::test]
async fn streams_reset_while_they_are_answered_free_their_calls() {
    let attacked = Attacked::start(&[]).await;
    let (mut stream, mut next, mut read) = (attacked.connect(PREFACE).await, streams(), Vec::new());
    // Each round takes most of what the service has, so that a call that stays would block a later one.
    for _ in 0..20 {
        let open: Vec<u32> = next.by_ref().take(STREAMS as usize - 10).collect();
        let watches: Vec<u8> = open.iter().flat_map(|id| request(*id, &format!("{BOOK}:watch"))).collect();
        stream.write_all(&watches).await.expect("the connection is whole");
        timeout(WAIT, answered(&mut stream, &mut read, &open)).await.expect("the service has streams left");
        let resets: Vec<u8> = open.iter().flat_map(|id| reset(*id)).collect();
        stream.write_all(&resets).await.expect("the connection is whole");
    }
    attacked.ends_well(32).await;
}
