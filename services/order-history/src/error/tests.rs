//! What callers are told of a list or a version that they do not get.

use crate::{error::Error, version::Version};
use bson::doc;
use mongodb::error::{CommandError, ErrorKind};
use rpc::status;
use tonic::{Code, Status};

/// What a caller is told when MongoDB refuses a list with this code.
fn told(code: i32) -> (Code, String) {
    let answer = doc! { "code": code, "codeName": "AName", "errmsg": "operation exceeded time limit" };
    let command: CommandError = bson::deserialize_from_document(answer).expect("a refusal");
    let status = Status::from(Error::of_list(ErrorKind::Command(command).into()));
    (status.code(), status::reason(&status))
}

#[test]
fn a_list_beyond_the_time_limit_is_for_the_caller_to_narrow() {
    assert_eq!(told(50), (Code::InvalidArgument, "LIST_TOO_LONG".to_owned()));
    assert_eq!(told(91), (Code::Unavailable, "STORE_UNAVAILABLE".to_owned()), "as of a mongod that stops");
}

#[test]
fn a_version_that_is_not_there_yet_is_told_with_the_one_that_is() {
    let wanted = Version { order_id: "ord_1".to_owned(), seq: 3 };
    let status = Status::from(Error::Behind { wanted, seq: 2 });
    assert_eq!((status.code(), status::reason(&status).as_str()), (Code::Aborted, "PROJECTION_BEHIND"));
    let of = |key: &str| status::metadata(&status, key).unwrap_or_default();
    assert_eq!((of("min_version").as_str(), of("version").as_str()), ("ord_1:3", "ord_1:2"));
}
