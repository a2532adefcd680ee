//! Messages out of bodies in any pieces.

use super::{Reader, wrap};
use axum::body::Body;
use bytes::Bytes;

/// All messages of a body that comes in pieces of `size` bytes.
async fn read(body: &[u8], size: usize) -> Result<Vec<Bytes>, String> {
    let pieces: Vec<_> = body.chunks(size).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
    let mut reader = Reader::new(Body::from_stream(futures::stream::iter(pieces)), 100);
    let mut messages = Vec::new();
    loop {
        match reader.next().await {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return Ok(messages),
            Err(failure) => return Err(rpc::status::reason(&failure.status)),
        }
    }
}

#[tokio::test]
async fn a_body_in_any_pieces_has_the_same_messages() {
    let body = [wrap(0, b"one"), wrap(0, b""), wrap(0, &[7; 100])].concat();
    for size in 1..=body.len() {
        assert_eq!(read(&body, size).await.unwrap(), [&b"one"[..], b"", &[7; 100]], "{size}");
    }
    for cut in (1..body.len()).filter(|cut| ![8, 13].contains(cut)) {
        assert_eq!(read(&body[..cut], 3).await, Err("BODY_INCOMPLETE".to_owned()), "{cut}");
    }
}

#[tokio::test]
async fn a_message_of_a_wrong_form_is_refused_before_it_is_read() {
    for (body, reason) in [
        (vec![0, 0xff, 0xff, 0xff, 0xff], "BODY_TOO_LARGE"),
        (vec![0, 0, 0, 0, 101], "BODY_TOO_LARGE"),
        (vec![1, 0, 0, 0, 0], "UNSUPPORTED_CONTENT_CODING"),
        (vec![2, 0, 0, 0, 0], "BODY_MALFORMED"),
        (vec![0x80, 0, 0, 0, 0], "BODY_MALFORMED"),
    ] {
        assert_eq!(read(&body, 1).await, Err(reason.to_owned()), "{body:?}");
    }
    assert_eq!(read(&[], 1).await, Ok(vec![]));
}
