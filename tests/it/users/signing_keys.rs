//! Keys that sign the tokens of users: how they change, as docs/runbooks/signing-keys.md says, and what the gateway tells of them.

use crate::users::revocation::{COUNTS, Own, REFUSED};
use anyhow::ensure;
use ed25519_dalek::{SigningKey, pkcs8::EncodePrivateKey};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use kit::shop::TIMEOUT;
use kit::{Client, DEMO_PASSWORD, Process, binary, eventually, reply, shared};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::PathBuf;

const JWKS: &str = "/.well-known/jwks.json";
const DOCUMENTS: [&str; 2] = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];

/// Processes of one system, and what they are started with.
struct System {
    own: Own,
    issuer: String,
    /// What `comptoir secrets` writes.
    secrets: PathBuf,
    /// The key that users sign with.
    key: &'static str,
    processes: Vec<(&'static str, Process)>,
}

impl System {
    async fn new(issuer: Option<&str>) -> Self {
        let own = Own::new().await;
        let issuer = issuer.unwrap_or(own.stores.gateway()).to_owned();
        let secrets = own.stores.data().with_file_name("secrets");
        let keys = secrets.join("keys");
        std::fs::create_dir_all(&keys).expect("a new directory");
        for entry in own.stores.data().join("keys").read_dir().expect("the keys") {
            let path = entry.expect("a key").path();
            std::fs::copy(&path, keys.join(path.file_name().expect("a name"))).expect("a copy");
        }
        let mut system = System { own, issuer, secrets, key: "user-tokens", processes: Vec::new() };
        for name in ["users", "gateway", "orders"] {
            system.restart(name).await;
        }
        system
    }

    fn file(&self, key: &str) -> PathBuf {
        self.secrets.join(format!("keys/{key}.pem"))
    }

    fn started(&self, name: &str) -> Process {
        let (key, jwks) = (self.file(self.key), self.secrets.join("keys/jwks.json"));
        let (key, jwks) = (key.display().to_string(), jwks.display().to_string());
        let mut more = vec![("COMPTOIR_ISSUER", &*self.issuer), ("COMPTOIR_JWKS_FILE", &jwks)];
        match name {
            "users" => more.push(("COMPTOIR_USER_TOKEN_KEY_FILE", &key)),
            "orders" => more.push(("COMPTOIR_LISTEN", &self.own.orders_at)),
            _ => {}
        }
        self.own.stores.serve_at_its_address(name, &more)
    }

    async fn restart(&mut self, name: &'static str) {
        if let Some(at) = self.processes.iter().position(|(running, _)| *running == name) {
            self.processes.swap_remove(at).1.kill().await;
        }
        self.processes.push((name, self.started(name)));
    }

    /// Runs `comptoir secrets`, which lists the keys that there are, and starts everything anew.
    async fn list(&mut self) {
        let output = self.secrets.display().to_string();
        let done = tokio::process::Command::new(binary()).args(["secrets", "--output", &output]).output().await;
        assert!(done.as_ref().is_ok_and(|done| done.status.success()), "{done:?}");
        for name in ["users", "gateway", "orders"] {
            self.restart(name).await;
        }
    }

    fn anonymous(&self) -> Client {
        Client::at(self.own.stores.gateway())
    }

    /// The reply to a form at the token endpoint, once there is one.
    async fn token(&self, form: &Value) -> Value {
        let token = eventually(TIMEOUT, || async {
            ensure!(
                tokio::net::TcpStream::connect(self.own.stores.gateway().trim_start_matches("http://")).await.is_ok()
            );
            let reply = self.anonymous().post("/oauth2/token", form.clone()).await;
            ensure!(reply.status == 200, "{reply:?}");
            Ok(reply.body)
        });
        token.await
    }

    async fn settle(&self, expected: (u16, tonic::Code), token: &Value) {
        self.own.settle(expected, &self.anonymous().with_token(token["access_token"].as_str())).await;
    }

    async fn key_ids(&self) -> Vec<String> {
        let listed = self.anonymous().get(JWKS).await.expect(200);
        let keys = listed["keys"].as_array().expect("a list").iter();
        keys.map(|key| key["kid"].as_str().expect("a text").to_owned()).collect()
    }
}

fn key_id(token: &Value) -> String {
    let header = decode_header(token["access_token"].as_str().expect("a token")).expect("a token");
    header.kid.expect("it names its key")
}

fn grant(user: &Value) -> Value {
    json!({ "grant_type": "password", "username": user["email"], "password": DEMO_PASSWORD })
}

#[tokio::test]
async fn keys_of_users_change_and_no_token_is_refused_before_its_key_is_gone() {
    let mut system = System::new(Some("comptoir")).await;
    let grant = grant(&system.own.register().await);
    let old = system.token(&grant).await;
    assert_eq!((key_id(&old), system.key_ids().await), ("user-tokens".to_owned(), vec!["user-tokens".to_owned()]));

    // A key that is not listed signs nothing.
    let pem = SigningKey::from_bytes(&rand::random()).to_pkcs8_pem(Default::default()).expect("a key");
    std::fs::write(system.file("user-tokens-2"), pem.as_bytes()).expect("a file");
    let file = system.file("user-tokens-2").display().to_string();
    let early = system.own.stores.serve("users", &[("COMPTOIR_USER_TOKEN_KEY_FILE", &file)]);
    early.ended(TIMEOUT).await.expect("it does not start");
    assert!(early.output().contains("the JWKS does not list the key"), "{}", early.output());

    // Step 1: listed by all, signed with by nobody.
    system.list().await;
    let still = system.token(&grant).await;
    assert_eq!((key_id(&still), system.key_ids().await.len()), ("user-tokens".to_owned(), 2));
    system.settle(COUNTS, &old).await;

    // Step 2: users sign with it.
    system.key = "user-tokens-2";
    system.restart("users").await;
    let new = system.token(&grant).await;
    assert_eq!(key_id(&new), "user-tokens-2");
    for token in [&old, &still, &new] {
        system.settle(COUNTS, token).await;
    }

    // Step 3: the old one is gone.
    std::fs::remove_file(system.file("user-tokens")).expect("it was there");
    system.list().await;
    system.settle(COUNTS, &new).await;
    for token in [&old, &still] {
        system.settle(REFUSED, token).await;
    }
    assert_eq!(system.key_ids().await, ["user-tokens-2"]);
    let refresh = json!({ "grant_type": "refresh_token", "refresh_token": old["refresh_token"] });
    assert_eq!(key_id(&system.token(&refresh).await), "user-tokens-2", "nobody has to sign in again");
}

#[tokio::test]
async fn an_issuer_with_an_address_describes_itself_so_that_others_verify_its_tokens() {
    let system = System::new(None).await;
    let grant = grant(&system.own.register().await);
    let token = system.token(&grant).await;
    system.settle(COUNTS, &token).await;
    let issuer = system.own.stores.gateway();
    for path in DOCUMENTS {
        let shown = system.anonymous().get(path).await;
        assert_eq!(
            (&shown.headers["cache-control"], &shown.headers["content-type"]),
            (&"public, max-age=300".parse().expect("a header"), &"application/json".parse().expect("a header"),)
        );
        let document = shown.expect(200);
        assert_eq!(document["issuer"], issuer, "RFC 8414, section 3.3");
        assert_eq!(document["jwks_uri"], format!("{issuer}{JWKS}"));
        let of = |member: &str| {
            document[member].as_str().expect("an address").strip_prefix(issuer).expect("ours").to_owned()
        };
        let again = system.anonymous().request(Method::POST, &of("token_endpoint")).form(&grant);
        reply(again).await.expect(200);
        let revoked =
            system.anonymous().request(Method::POST, &of("revocation_endpoint")).form(&[("token", "unknown")]);
        reply(revoked).await.expect(200);
    }

    let keys: JwkSet = serde_json::from_value(system.anonymous().get(JWKS).await.expect(200)).expect("a JWKS");
    let key = DecodingKey::from_jwk(keys.find(&key_id(&token)).expect("its key")).expect("a key");
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&["comptoir"]);
    let claims = decode::<Value>(token["access_token"].as_str().expect("a token"), &key, &validation)
        .expect("it is good")
        .claims;
    assert_eq!(claims["iss"], issuer);

    // Who operates the system without an address goes on.
    system.own.settle(COUNTS, &system.own.signed("usr_operator", &["staff"])).await;
}

#[tokio::test]
async fn the_keys_are_told_to_everybody_and_private_ones_and_those_of_services_are_not() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    let shown = anonymous.get(JWKS).await;
    let text = |name: &str| shown.headers[name].to_str().expect("ASCII").to_owned();
    assert_eq!(
        (text("content-type"), text("cache-control")),
        ("application/jwk-set+json".to_owned(), "public, max-age=300".to_owned(),)
    );
    let keys = shown.body["keys"].as_array().expect("a list");
    assert_eq!(keys.len(), 1, "{keys:?}");
    let members: Vec<&String> = keys[0].as_object().expect("a key").keys().collect();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x"]);
    let kept = anonymous.request(Method::GET, JWKS).header("if-none-match", text("etag"));
    assert_eq!(reply(kept).await.status, 304);
    let of_nobody = anonymous.request(Method::GET, JWKS).header("authorization", "Bearer x");
    reply(of_nobody).await.expect(200);
    anonymous.post(JWKS, json!({})).await.expect(405);
    for path in DOCUMENTS {
        anonymous.get(path).await.expect(404);
    }
}
