//! HTTP/2 by hand (RFC 9113): a client library would not send what is sent by it.

use std::collections::BTreeSet;
use tokio::{io::AsyncReadExt, net::TcpStream};

/// How a connection begins: the preface and empty settings.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const GOAWAY: u8 = 7;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// The error code of a peer that asks for too much.
pub const ENHANCE_YOUR_CALM: u32 = 11;

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is small").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The header block of a GET, with literals that no table keeps.
pub fn get(path: &str) -> Vec<u8> {
    let text = |text: &str| [integer(text.len()), text.as_bytes().to_vec()].concat();
    [b"\x82\x86\x01".as_slice(), &text("shop.example"), b"\x04", &text(path)].concat()
}

/// A number with a prefix of seven bits (RFC 7541, 5.1), which is the length of a text as it is.
pub fn integer(number: usize) -> Vec<u8> {
    let Some(mut rest) = number.checked_sub(127) else { return vec![u8::try_from(number).expect("seven bits")] };
    let mut bytes = vec![127];
    while rest >= 128 {
        bytes.push(128 | u8::try_from(rest % 128).expect("seven bits"));
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).expect("seven bits"));
    bytes
}

/// A GET on a stream.
pub fn request(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &get(path))
}

/// The head of a gRPC call, whose message has yet to come.
pub fn call(stream: u32, path: &str) -> Vec<u8> {
    let text = |text: &str| [integer(text.len()), text.as_bytes().to_vec()].concat();
    let pseudo = [b"\x83\x86\x01".as_slice(), &text("shop.example"), b"\x04", &text(path)].concat();
    let grpc = [b"\x0f\x10".as_slice(), &text("application/grpc"), b"\0", &text("te"), &text("trailers")].concat();
    frame(HEADERS, END_HEADERS, stream, &[pseudo, grpc].concat())
}

/// The end of a stream by its caller, who has lost interest.
pub fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())
}

/// The ids of the streams that a client opens.
pub fn streams() -> impl Iterator<Item = u32> {
    (1..).step_by(2)
}

/// The whole frames of what was read: kind, stream, payload.
pub fn read(mut bytes: &[u8]) -> Vec<(u8, u32, &[u8])> {
    let mut frames = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let Some((payload, after)) = rest.split_at_checked(length) else { break };
        frames.push((head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload));
        bytes = after;
    }
    frames
}

/// The error code of the GOAWAY that ended a connection.
pub fn goodbye(bytes: &[u8]) -> Option<u32> {
    let last = read(bytes).into_iter().rfind(|(kind, ..)| *kind == GOAWAY)?;
    Some(u32::from_be_bytes(last.2.get(4..8)?.try_into().ok()?))
}

/// Waits for the headers of each reply. What was read behind the last whole frame is left in `bytes`.
pub async fn answered(stream: &mut TcpStream, bytes: &mut Vec<u8>, open: &[u32]) {
    let mut left: BTreeSet<u32> = open.iter().copied().collect();
    while !left.is_empty() {
        assert!(stream.read_buf(bytes).await.expect("the connection is whole") > 0, "it was closed");
        let frames = read(bytes);
        let taken: usize = frames.iter().map(|(_, _, payload)| 9 + payload.len()).sum();
        for (_, of, _) in frames.iter().filter(|(kind, ..)| *kind == HEADERS) {
            left.remove(of);
        }
        bytes.drain(..taken);
    }
}
