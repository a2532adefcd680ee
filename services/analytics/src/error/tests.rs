//! What callers are told of a report that was not made.

use super::Error;
use bson::doc;
use mongodb::error::{CommandError, ErrorKind};
use tonic::{Code, Status};

/// What a caller is told when MongoDB refuses an aggregation with this code.
fn told(code: i32) -> (Code, String) {
    let answer = doc! { "code": code, "codeName": "AName", "errmsg": "operation exceeded time limit" };
    let command: CommandError = bson::deserialize_from_document(answer).expect("a refusal");
    let status = Status::from(Error::of_report(ErrorKind::Command(command).into()));
    (status.code(), rpc::status::reason(&status))
}

#[test]
fn a_report_beyond_the_time_limit_is_for_the_caller_to_shorten() {
    assert_eq!(told(50), (Code::InvalidArgument, "REPORT_TOO_LONG".to_owned()));
    assert_eq!(told(91), (Code::Unavailable, "STORE_UNAVAILABLE".to_owned()), "as of a mongod that stops");
}

#[test]
fn a_currency_that_is_none_is_told_as_its_field() {
    let status = Status::from(Error::Currency);
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().starts_with("currency_code: "), "{}", status.message());
}
