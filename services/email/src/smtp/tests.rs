//! Which URLs name a mail server, and what its answers say.

use crate::smtp::{Smtp, is_of_the_address};

#[test]
fn a_url_names_a_server_and_when_its_connection_is_encrypted() {
    for url in [
        "smtp://localhost",
        "smtp://127.0.0.1:2525",
        "smtp://user:p%40ss@mail.example.com?tls=required",
        "smtps://user:pass@mail.example.com",
    ] {
        assert!(Smtp::new(url, None, "example.com").is_ok(), "{url}");
    }
}

#[test]
fn what_names_no_server_or_lets_others_choose_encryption_is_refused() {
    for url in [
        "localhost:25",
        "https://mail.example.com",
        "smtp://mail.example.com?tls=opportunistic",
        "smtps://mail.example.com?tls=none",
        "smtp://mail.example.com?tls=required&tls=none",
        "smtp://user:%ff@mail.example.com",
    ] {
        let error = Smtp::new(url, None, "example.com").err().unwrap_or_else(|| panic!("{url} was taken"));
        assert!(!error.to_string().contains("example"), "an URL may have a password: {error}");
    }
    assert!(Smtp::new("smtps://mail.example.com", Some("no certificate"), "example.com").is_err());
}

#[test]
fn a_refusal_is_about_the_address_only_when_it_can_be() {
    assert!(is_of_the_address("550", "permanent error (550): 5.1.1 no such user"));
    assert!(is_of_the_address("553", "permanent error (553): mailbox name not allowed"));
    for (code, text) in
        [("550", "5.7.1 relaying denied"), ("530", "5.7.0 authentication required"), ("503", "bad sequence")]
    {
        assert!(!is_of_the_address(code, text), "{code} {text}");
    }
}
