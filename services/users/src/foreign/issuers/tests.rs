//! Which configurations of other issuers are taken.

use crate::foreign::issuers::{ForeignIssuer, ForeignIssuers};
use serde_json::{Value, json};

fn parsed(issuers: &Value) -> Result<Vec<ForeignIssuer>, String> {
    issuers.to_string().parse::<ForeignIssuers>().map(|issuers| issuers.0)
}

#[test]
fn an_issuer_needs_its_name_and_an_audience() {
    assert_eq!(parsed(&json!([])), Ok(Vec::new()));
    let whole = json!([{
        "issuer": "https://login.example.com", "audience": "comptoir", "jwksUri": "https://login.example.com/keys",
        "roleClaim": "groups", "roles": { "shop": "staff" },
    }, { "issuer": "http://127.0.0.1:4000", "audience": "comptoir" }]);
    let issuers = parsed(&whole).expect("they are whole");
    assert_eq!(issuers.len(), 2);
    assert_eq!(issuers[0].roles["shop"], "staff");
}

#[test]
fn a_configuration_that_would_admit_others_than_meant_is_refused() {
    let issuer = "https://login.example.com";
    let many: Vec<Value> =
        (0..17).map(|n| json!({ "issuer": format!("https://{n}.example.com"), "audience": "a" })).collect();
    for (wrong, why) in [
        (json!({}), "sequence"),
        (json!([{ "issuer": issuer }]), "audience"),
        (json!([{ "issuer": issuer, "audience": "" }]), "audience is empty"),
        (json!([{ "issuer": "http://login.example.com", "audience": "a" }]), "does not begin with https://"),
        (json!([{ "issuer": "http://localhost.example.com", "audience": "a" }]), "does not begin with https://"),
        (json!([{ "issuer": "login", "audience": "a" }]), "is no URL"),
        (json!([{ "issuer": issuer, "audience": "a", "jwksUri": "http://example.com/keys" }]), "does not begin"),
        (json!([{ "issuer": issuer, "audience": "a", "roleClaim": "groups" }]), "need each other"),
        (json!([{ "issuer": issuer, "audience": "a", "roles": { "x": "staff" } }]), "need each other"),
        (
            json!([{ "issuer": issuer, "audience": "a", "roleClaim": "groups", "roles": { "x": "owner" } }]),
            "\"owner\" is none",
        ),
        (
            json!([{ "issuer": issuer, "audience": "a", "roleClaim": "g", "roles": { "x": "customer" } }]),
            "\"customer\" is none",
        ),
        (json!([{ "issuer": issuer, "audience": "a", "audiance": "b" }]), "unknown field"),
        (json!([{ "issuer": issuer, "audience": "a" }, { "issuer": issuer, "audience": "b" }]), "comes twice"),
        (json!(many), "more than 16"),
    ] {
        let refused = parsed(&wrong).expect_err(why);
        assert!(refused.contains(why), "{refused}");
    }
}
