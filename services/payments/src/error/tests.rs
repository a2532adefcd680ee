//! What callers are told of a refusal.

use super::Error;
use crate::provider::Unavailable;
use tonic::{Code, Status};

#[test]
fn what_a_parser_or_a_client_says_of_a_provider_stays_inside() {
    for cause in ["invalid digit found in string", "error sending request for url (http://sandbox-psp:9014/)"] {
        let status = Status::from(Error::Unavailable(Unavailable(cause.to_owned())));
        assert_eq!((status.code(), status.message()), (Code::Unavailable, "the payment provider does not answer now"));
        assert_eq!(rpc::status::reason(&status), "PROVIDER_SILENT");
    }
}
