//! What is said of files that cannot be used.

use super::Authority;
use kit::{Directory, binary};
use std::process::Command;

/// The line with which a gateway ends that has these files.
fn refused(arguments: &[&str]) -> String {
    let own = ["serve", "gateway", "--listen", "127.0.0.1:0", "--jwks-file", "/dev/null"];
    let output = Command::new(binary()).args(own).args(arguments).env_clear().output().expect("the binary runs");
    let line = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), line.lines().count()), (Some(64), 1), "{line}");
    line
}

#[test]
fn one_file_without_the_other_is_told() {
    let line = refused(&["--tls-certificate", "tls.crt"]);
    assert!(line.contains("COMPTOIR_TLS_KEY (or --tls-key) is not set"), "{line}");
    let line = refused(&["--tls-key", "tls.key"]);
    assert!(line.contains("COMPTOIR_TLS_CERTIFICATE (or --tls-certificate) is not set"), "{line}");
}

#[test]
fn files_that_cannot_be_used_are_named_with_what_is_wrong() {
    let (authority, directory) = (Authority::new(), Directory::new());
    let (good, other) = (authority.issue(), authority.issue());
    let (old, future) = (authority.issue_between(2019, 2020), authority.issue_between(4000, 4001));
    let body = "bm90IERFUg==";
    let cases = [
        (String::new(), good.key.clone(), "tls.crt has no certificate in PEM form"),
        (good.key.clone(), good.key.clone(), "tls.crt has no certificate in PEM form"),
        (pem("CERTIFICATE", body), good.key.clone(), "tls.crt has a certificate that cannot be read"),
        (pem("CERTIFICATE", "?"), good.key.clone(), "tls.crt has a certificate that cannot be read"),
        (good.chain.clone(), String::new(), "tls.key has no private key in PEM form"),
        (good.chain.clone(), pem("ENCRYPTED PRIVATE KEY", body), "one with a passphrase cannot be used"),
        (good.chain.clone(), pem("PRIVATE KEY", body), "tls.key has a key that cannot be used"),
        (good.chain.clone(), other.key, "tls.key is not that of the certificate in"),
        (old.chain, old.key, "tls.crt expired"),
        (future.chain, future.key, "tls.crt is not valid before"),
    ];
    let [certificate, key] = ["tls.crt", "tls.key"].map(|name| directory.0.join(name).display().to_string());
    let arguments = ["--tls-certificate", &certificate, "--tls-key", &key];
    let line = refused(&arguments);
    assert!(line.contains("COMPTOIR_TLS_CERTIFICATE") && line.contains("tls.crt: No such file"), "{line}");
    std::fs::write(&certificate, &good.chain).expect("it can be written");
    let line = refused(&arguments);
    assert!(line.contains("COMPTOIR_TLS_KEY") && line.contains("tls.key: No such file"), "{line}");
    for (chain, private, why) in cases {
        std::fs::write(&certificate, chain).expect("it can be written");
        std::fs::write(&key, private).expect("it can be written");
        let line = refused(&arguments);
        let setting = if why.contains("key") { "COMPTOIR_TLS_KEY" } else { "COMPTOIR_TLS_CERTIFICATE" };
        assert!(line.contains(setting) || why.contains("passphrase"), "{line}");
        assert!(line.contains(why), "{why}: {line}");
    }
}

fn pem(label: &str, body: &str) -> String {
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}
