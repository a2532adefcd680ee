//! Signatures against those that the specification's own libraries publish.

use crate::signature::{header, secret};

#[test]
fn a_signature_is_that_of_the_published_example() {
    // The example of the specification: standard-webhooks, libraries, `test_sign_function`.
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let signed = header([secret].into_iter(), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
    assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn each_secret_signs_and_no_two_secrets_are_the_same() {
    let (one, other) = (secret(), secret());
    let signed = header([one.as_str(), other.as_str()].into_iter(), "evt_1", 1, "{}");
    let signatures: Vec<&str> = signed.split(' ').collect();
    assert!(
        signatures.len() == 2 && signatures[0] != signatures[1] && signatures.iter().all(|one| one.starts_with("v1,"))
    );
    assert!(one != other && one.starts_with("whsec_"));
}
