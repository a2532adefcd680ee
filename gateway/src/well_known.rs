//! What the gateway tells those who verify or fetch tokens of users: the public keys (RFC 7517), and where the endpoints are
//! (OpenID Connect Discovery 1.0, RFC 8414). Without sign-in, and the same until the gateway is started with other keys.

use crate::{Error, pages::Pages};
use rpc::{Issuer, issuer::speaks_for_users};
use serde_json::{Map, Value, json};

const JWKS: &str = "/.well-known/jwks.json";
const OPENID: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";

/// A verifier learns of a new key within this time, and so it is listed for as long before it signs.
const CACHE_CONTROL: &str = "public, max-age=300";

/// The members of a public key that are told.
const PUBLIC: [&str; 6] = ["kty", "crv", "x", "kid", "use", "alg"];

/// The documents: none without keys, and those of an issuer where it has an address.
pub(crate) fn pages(jwks: Option<&str>, issuer: &Issuer) -> Result<Pages, Error> {
    let Some(jwks) = jwks else { return Ok(Pages::default()) };
    let set: Value = serde_json::from_str(jwks).map_err(rpc::token::Error::from)?;
    let keys = keys(&set);
    let issuer = issuer.url().map(document);
    let mut pages = vec![(JWKS, "application/jwk-set+json", &keys)];
    if let Some(document) = &issuer {
        pages.extend([OPENID, OAUTH].map(|path| (path, "application/json", document)));
    }
    Ok(Pages::kept(pages, CACHE_CONTROL))
}

/// The keys that speak for users; those of services are nobody else's business.
fn keys(set: &Value) -> Value {
    let is_of_users = |key: &&Value| key["kid"].as_str().is_some_and(speaks_for_users);
    let public = |key: &Value| -> Map<String, Value> {
        PUBLIC.iter().filter_map(|name| Some(((*name).to_owned(), key.get(*name)?.clone()))).collect()
    };
    let keys = set["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    json!({ "keys": keys.iter().filter(is_of_users).map(public).collect::<Vec<_>>() })
}

/// The document of both standards. There is no endpoint for browsers to be sent to, so no response type.
fn document(issuer: &str) -> Value {
    let methods = ["client_secret_basic", "client_secret_post", "none"];
    json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}/oauth2/token"),
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint": format!("{issuer}/oauth2/revoke"),
        "revocation_endpoint_auth_methods_supported": methods,
        "jwks_uri": format!("{issuer}{JWKS}"),
        "grant_types_supported": ["password", "refresh_token", "client_credentials"],
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
        "claims_supported": ["iss", "sub", "aud", "iat", "exp", "roles", "client_id"],
        "service_documentation": format!("{issuer}/docs"),
    })
}

/// Puts them into an OpenAPI document.
pub(crate) fn describe(document: &mut Value) {
    let tag = "WellKnown";
    let page = |id: &str, summary: &str, content_type: &str| {
        let content = json!({ content_type: { "schema": { "type": "object", "additionalProperties": true } } });
        json!({ "get": {
            "operationId": id,
            "tags": [tag],
            "summary": summary,
            "description": format!("{summary} Anyone may call, without a token."),
            "security": [],
            "responses": {
                "200": { "description": summary, "content": content },
                "304": { "description": "If-None-Match names the version that there is." },
                "default": { "$ref": "#/components/responses/Error" },
            },
        } })
    };
    let keys = "The public keys of the tokens of users (RFC 7517); several while keys change.";
    let openid =
        "Where tokens are given and keys are found (OpenID Connect Discovery 1.0), once COMPTOIR_ISSUER is an address.";
    let oauth = "The same document (RFC 8414).";
    document["paths"][JWKS] = page("GetJwks", keys, "application/jwk-set+json");
    document["paths"][OPENID] = page("GetOpenIdConfiguration", openid, "application/json");
    document["paths"][OAUTH] = page("GetAuthorizationServer", oauth, "application/json");
    if let Some(tags) = document["tags"].as_array_mut() {
        tags.push(json!({ "name": tag, "description": "What verifiers and fetchers of tokens look up." }));
    }
}
