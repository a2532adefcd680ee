//! Tokens that are no good, at both doors: JSON at the gateway, gRPC at the service.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD},
};
use contracts::users::v1::{GetUserRequest, user_service_client::UserServiceClient};
use jsonwebtoken::{Algorithm, EncodingKey, crypto::sign};
use kit::{Client, Stack, shared};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tonic::{Code, Request};

/// Makes tokens that are right but for one thing.
struct Forge {
    user: String,
    key: String,
    jwks: Value,
    stack: &'static Stack,
}

/// A token, and what is wrong with it.
type Bad = (String, String);

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// `value` with what `change` sets; what it sets to null is left out.
fn with(value: Value, change: Value) -> Value {
    let (Value::Object(mut members), Value::Object(change)) = (value, change) else { panic!("two objects") };
    members.extend(change);
    members.retain(|_, value| !value.is_null());
    members.into()
}

impl Forge {
    fn header(&self) -> Value {
        json!({"typ": "JWT", "alg": "EdDSA", "kid": "user-tokens"})
    }

    fn claims(&self) -> Value {
        json!({"iss": "comptoir", "aud": "comptoir", "sub": self.user, "iat": now(), "exp": now() + 600})
    }

    fn key(&self, name: &str) -> String {
        std::fs::read_to_string(self.stack.data().join(format!("keys/{name}.pem"))).expect("its key")
    }

    fn signed_with(&self, pem: &str, header: &Value, claims: &str) -> String {
        let content = format!("{}.{}", encoded(header), URL_SAFE_NO_PAD.encode(claims));
        let key = EncodingKey::from_ed_pem(pem.as_bytes()).expect("a key");
        let signature = sign(content.as_bytes(), &key, Algorithm::EdDSA).expect("it signs");
        format!("{content}.{signature}")
    }

    /// Signed by the key of users, with these changes of header and claims.
    fn signed(&self, header: Value, claims: Value) -> String {
        self.signed_with(&self.key, &with(self.header(), header), &with(self.claims(), claims).to_string())
    }

    fn right(&self) -> String {
        self.signed(json!({}), json!({}))
    }

    /// What is not signed by the key, or not with the algorithm, that its header must name.
    fn algorithms(&self) -> Vec<Bad> {
        let mut bad = Vec::new();
        let body = encoded(&self.claims());
        for alg in ["none", "None", "NONE", "nOnE"] {
            let header = encoded(&with(self.header(), json!({"alg": alg})));
            bad.push((format!("alg {alg}, unsigned"), format!("{header}.{body}.")));
            bad.push((format!("alg {alg}, signed"), self.signed(json!({"alg": alg}), json!({}))));
        }
        let public = &self.jwks["keys"].as_array().expect("keys").iter().find(|key| key["kid"] == "user-tokens");
        let public = public.expect("the key of users")["x"].as_str().expect("a key").to_owned();
        let raw = URL_SAFE_NO_PAD.decode(&public).expect("base64");
        let secrets = [("its bytes", raw), ("its text", public.into_bytes()), ("nothing", Vec::new())];
        for (name, secret) in secrets {
            for (alg, algorithm) in
                [("HS256", Algorithm::HS256), ("HS384", Algorithm::HS384), ("HS512", Algorithm::HS512)]
            {
                let content = format!("{}.{body}", encoded(&with(self.header(), json!({"alg": alg}))));
                let signature = sign(content.as_bytes(), &EncodingKey::from_secret(&secret), algorithm);
                let signature = signature.expect("it signs");
                bad.push((
                    format!("{alg} with the public key, {name}, as its secret"),
                    format!("{content}.{signature}"),
                ));
            }
        }
        for alg in [json!("RS256"), json!("ES256"), json!("PS256"), json!("HS256"), json!(7), json!(null)] {
            bad.push((format!("alg {alg} over a signature of EdDSA"), self.signed(json!({"alg": alg}), json!({}))));
        }
        bad
    }

    fn keys(&self) -> Vec<Bad> {
        let mut bad = Vec::new();
        for service in topology::Topology::get().service.keys() {
            let own = self.signed_with(&self.key(service), &self.header(), &self.claims().to_string());
            bad.push((format!("a token of a user by the key of {service}"), own));
            let header = with(self.header(), json!({"kid": service}));
            let token = self.signed_with(&self.key(service), &header, &self.claims().to_string());
            bad.push((format!("a token of users under the key of {service}"), token));
        }
        let kids = [
            json!(null),
            json!(""),
            json!("other"),
            json!("../keys/users"),
            json!("user-tokens\u{0}"),
            json!("user-tokens-"),
            json!("user-tokens-2"),
            json!("User-Tokens"),
            json!(["user-tokens"]),
        ];
        for kid in kids {
            bad.push((format!("kid {kid}"), self.signed(json!({"kid": kid}), json!({}))));
        }
        // A key that the token brings itself.
        let own = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
        let pem = ed25519_dalek::pkcs8::EncodePrivateKey::to_pkcs8_pem(&own, Default::default()).expect("a key");
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(own.verifying_key())});
        let (away, claims) = (format!("{}/keys", self.stack.gateway()), self.claims().to_string());
        for more in [
            json!({}),
            json!({"jwk": jwk}),
            json!({"jku": away}),
            json!({"x5u": away}),
            json!({"jwk": jwk, "kid": null}),
        ] {
            let token = self.signed_with(&pem, &with(self.header(), more.clone()), &claims);
            bad.push((format!("another key, with {more}"), token));
        }
        // RFC 7515, section 4.1.11: an extension that must be understood, and is not.
        for crit in [json!(["exp"]), json!(["b64"]), json!([])] {
            bad.push((format!("crit {crit}"), self.signed(json!({"crit": crit, "b64": true}), json!({}))));
        }
        bad
    }

    fn claims_that_are_wrong(&self) -> Vec<Bad> {
        let now = now();
        let changes = [
            json!({"iss": null}),
            json!({"iss": "orders"}),
            json!({"iss": "Comptoir"}),
            json!({"iss": 1}),
            json!({"iss": self.stack.gateway()}),
            json!({"iss": ["comptoir"]}),
            json!({"aud": null}),
            json!({"aud": "other"}),
            json!({"aud": ["other"]}),
            json!({"aud": []}),
            json!({"exp": null}),
            json!({"exp": 0}),
            json!({"exp": -1}),
            json!({"exp": now - 1}),
            json!({"exp": now - 86_400}),
            json!({"exp": "tomorrow"}),
            json!({"exp": [now + 600]}),
            json!({"nbf": now + 300}),
            json!({"nbf": "tomorrow"}),
            json!({"sub": null}),
            json!({"sub": ""}),
            json!({"sub": 1}),
            json!({"roles": "staff"}),
            json!({"roles": {"staff": true}}),
            json!({"client_id": ""}),
            json!({"client_id": "cli_other"}),
            json!({"client_id": self.user.to_uppercase()}),
            json!({"client_id": 1}),
            json!({"client_id": [self.user]}),
            json!({"gen": "1"}),
            json!({"gen": 0.5}),
            json!({"gen": [1]}),
        ];
        let mut bad: Vec<Bad> =
            changes.into_iter().map(|change| (format!("claims {change}"), self.signed(json!({}), change))).collect();
        let twice = self.claims().to_string().replacen('{', r#"{"sub":"usr_other","#, 1);
        for (name, claims) in [("no JSON", "x"), ("a list", "[]"), ("nothing", ""), ("a subject twice", &twice)] {
            bad.push((format!("claims that are {name}"), self.signed_with(&self.key, &self.header(), claims)));
        }
        bad
    }

    fn texts(&self) -> Vec<Bad> {
        let (right, other) = (self.right(), self.signed(json!({}), json!({"exp": now() + 601})));
        let [head, body, signature] = parts(&right);
        let staff = encoded(&with(self.claims(), json!({"roles": ["staff"]})));
        let flipped = if signature.starts_with('A') { "B" } else { "A" };
        let mut bytes = URL_SAFE_NO_PAD.decode(signature).expect("base64");
        let whole = URL_SAFE.encode(&bytes);
        bytes.push(0);
        let texts = [
            ("without its signature", format!("{head}.{body}.")),
            ("without its last part", format!("{head}.{body}")),
            ("of one part", head.to_owned()),
            ("with four parts", format!("{right}.{signature}")),
            ("with its last letter cut off", right[..right.len() - 1].to_owned()),
            ("with half a signature", right[..right.len() - signature.len() / 2].to_owned()),
            ("cut off in its claims", format!("{head}.{}", &body[..body.len() / 2])),
            ("with another signature", format!("{head}.{body}.{}", parts(&other)[2])),
            ("with a letter of its signature changed", format!("{head}.{body}.{flipped}{}", &signature[1..])),
            ("with other claims", format!("{head}.{}.{signature}", parts(&other)[1])),
            ("with a role put in", format!("{head}.{staff}.{signature}")),
            ("with another header", format!("{}.{body}.{signature}", encoded(&json!({"alg": "EdDSA"})))),
            ("with padding", format!("{head}.{body}.{whole}")),
            ("with a signature that is too long", format!("{head}.{body}.{}", URL_SAFE_NO_PAD.encode(&bytes))),
            ("with a dot before it", format!(".{right}")),
            (
                "with a header of plain base64",
                format!("{}.{body}.{signature}", STANDARD.encode(self.header().to_string())),
            ),
            ("twice", format!("{right}{right}")),
            ("of text", "token".to_owned()),
            ("of dots", "..".to_owned()),
            ("of 10 kB", format!("{head}.{}.{signature}", "A".repeat(10_000))),
        ];
        texts.into_iter().map(|(name, token)| (format!("a token {name}"), token)).collect()
    }
}

fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().expect("three parts")
}

/// The HTTP status at the gateway, and the code at the service, of who reads the user with this token.
async fn doors(forge: &Forge, grpc: &mut UserServiceClient<tonic::transport::Channel>, token: &str) -> (u16, Code) {
    let client = Client::at(forge.stack.gateway()).with_token(Some(token));
    let shown = client.get(&format!("/v1/users/{}", forge.user)).await;
    let mut request = Request::new(GetUserRequest { user_id: forge.user.clone() });
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("ASCII"));
    request.set_timeout(Duration::from_secs(30));
    let read = grpc.get_user(request).await;
    (shown.status, read.map_or_else(|status| status.code(), |_| Code::Ok))
}

#[tokio::test]
async fn a_token_that_is_no_good_is_refused_through_both_doors() {
    let stack = shared().await;
    let (_, user) = Client::register(stack).await;
    let key = std::fs::read_to_string(stack.data().join("keys/user-tokens.pem")).expect("the key of users");
    let jwks = std::fs::read_to_string(stack.data().join("keys/jwks.json")).expect("the public keys");
    let user = user["userId"].as_str().expect("an id").to_owned();
    let forge = Forge { user, key, jwks: serde_json::from_str(&jwks).expect("JSON"), stack };
    let mut grpc = UserServiceClient::connect(stack.grpc("users").to_owned()).await.expect("it listens");
    // What all of them are but for one thing is good.
    assert_eq!(doors(&forge, &mut grpc, &forge.right()).await, (200, Code::Ok));
    let bad = [forge.algorithms(), forge.keys(), forge.claims_that_are_wrong(), forge.texts()].concat();
    let mut taken = Vec::new();
    for (name, token) in &bad {
        let answers = doors(&forge, &mut grpc, token).await;
        if answers != (401, Code::Unauthenticated) {
            taken.push(format!("{name}: {answers:?}"));
        }
    }
    assert!(bad.len() >= 60, "{}", bad.len());
    assert!(taken.is_empty(), "{} of {}:\n{}", taken.len(), bad.len(), taken.join("\n"));
}
