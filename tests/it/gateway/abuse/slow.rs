//! Callers who send a byte now and then.

use super::{Attacked, BOOK, WAIT, is_long};
use crate::http2::{END_HEADERS, END_STREAM, HEADERS, PREFACE, frame, get};
use futures::future::join_all;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const SOCKETS: usize = 200;

/// The time between two bytes, and settings under which that is too slow: the usual ones where the campaign is long.
fn pace() -> (Duration, &'static [&'static str]) {
    if is_long() {
        (Duration::from_secs(5), &[])
    } else {
        (Duration::from_millis(500), &["--header-timeout-seconds", "3", "--deadline-seconds", "10"])
    }
}

/// Sends a byte each `pause` until the connection is closed; what was answered.
async fn dribbled(mut stream: TcpStream, bytes: &[u8], pause: Duration) -> String {
    let (mut reader, mut writer) = stream.split();
    let mut read = Vec::new();
    let send = async {
        for byte in bytes {
            tokio::time::sleep(pause).await;
            if writer.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let talk = async {
        tokio::select! {
            _ = reader.read_to_end(&mut read) => {} // a reset is an end too
            () = send => {}
        }
    };
    timeout(WAIT, talk).await.expect("the gateway closes it in time");
    String::from_utf8_lossy(&read).into_owned()
}

#[tokio::test]
async fn two_hundred_heads_that_come_byte_by_byte_are_given_up() {
    let (pause, settings) = pace();
    let attacked = Attacked::start(settings).await;
    let http1 = format!("GET {BOOK} HTTP/1.1\r\nHost: shop.example\r\n\r\n").into_bytes();
    let http2 = [PREFACE, &frame(HEADERS, END_STREAM | END_HEADERS, 1, &get(BOOK))].concat();
    let attack = (0..SOCKETS).map(|number| {
        // Nothing at first, half a preface, or half a request.
        let (first, rest) = match number % 3 {
            0 => http1.split_at(0),
            1 => http2.split_at(10),
            _ => http2.split_at(PREFACE.len() + 12),
        };
        let attacked = &attacked;
        async move { dribbled(attacked.connect(first).await, rest, pause).await }
    });
    for told in join_all(attack).await {
        assert!(!told.contains("200"), "no request was complete: {told}");
    }
    attacked.ends_well(32).await;
}

#[tokio::test]
async fn two_hundred_bodies_that_come_byte_by_byte_are_408() {
    let (pause, settings) = pace();
    let attacked = Attacked::start(settings).await;
    let head = "POST /v1/shelves/s1/books HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 900\r\n\r\n".as_bytes();
    let attack = (0..SOCKETS).map(|_| async { dribbled(attacked.connect(head).await, &[b'['; 900], pause).await });
    for told in join_all(attack).await {
        assert!(told.starts_with("HTTP/1.1 408"), "{told}");
    }
    attacked.ends_well(64).await;
}
