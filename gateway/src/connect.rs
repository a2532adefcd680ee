//! The Connect protocol (connectrpc.com/docs/protocol): unary calls whose body is the message, in JSON or protobuf, and
//! streams of messages with five bytes in front of each.

mod codec;
mod envelope;
mod error;
mod streaming;
mod unary;

pub(crate) use envelope::Reader;
pub(crate) use streaming::stream;
pub(crate) use unary::unary;
