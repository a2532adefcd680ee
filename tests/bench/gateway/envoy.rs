//! Configurations of Envoy.

use anyhow::Context;
use serde_json::{Value, json};
use std::path::Path;

/// What Envoy does before it routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filters {
    /// JSON to gRPC.
    Transcoder,
    /// The same, with verification of tokens and an access log in JSON.
    Full,
    /// gRPC-Web and Connect to gRPC.
    Rpc,
}

/// Listens at the second address, before the upstream at the first.
pub fn config(
    filters: Filters,
    (upstream, address): (&str, &str),
    (descriptors, jwks): (&Path, &Path),
) -> anyhow::Result<Value> {
    let router = typed("envoy.filters.http.router", json!({}), "envoy.extensions.filters.http.router.v3.Router");
    let is_full = filters == Filters::Full;
    let filters = match filters {
        Filters::Transcoder => vec![transcoder(descriptors), router],
        Filters::Full => vec![tokens(jwks)?, transcoder(descriptors), router],
        Filters::Rpc => [web().to_vec(), vec![router]].concat(),
    };
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "30s"}}]);
    let manager = typed(
        "envoy.filters.network.http_connection_manager",
        json!({
            "stat_prefix": "in", "http_filters": filters, "access_log": if is_full { vec![log()] } else { vec![] },
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        }),
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    );
    let options = json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }});
    let endpoint = json!({"endpoint": {"address": socket(upstream)?}});
    Ok(json!({"static_resources": {
        "listeners": [{"name": "in", "address": socket(address)?, "filter_chains": [{"filters": [manager]}]}],
        "clusters": [{"name": "upstream", "type": "STATIC", "typed_extension_protocol_options": options,
                      "load_assignment": {"cluster_name": "upstream", "endpoints": [{"lb_endpoints": [endpoint]}]}}],
    }}))
}

fn socket(address: &str) -> anyhow::Result<Value> {
    let (host, port) = address.rsplit_once(':').context("an address")?;
    Ok(json!({"socket_address": {"address": host, "port_value": port.parse::<u16>()?}}))
}

fn typed(name: &str, mut config: Value, kind: &str) -> Value {
    config["@type"] = format!("type.googleapis.com/{kind}").into();
    json!({"name": name, "typed_config": config})
}

fn transcoder(descriptors: &Path) -> Value {
    let services =
        ["comptoir.products.v1.ProductService", "comptoir.users.v1.UserService", "comptoir.orders.v1.OrderService"];
    typed(
        "envoy.filters.http.grpc_json_transcoder",
        json!({
            "proto_descriptor": descriptors,
            "services": services,
            "print_options": {"always_print_primitive_fields": true},
        }),
        "envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
    )
}

fn web() -> [Value; 2] {
    [
        typed("envoy.filters.http.grpc_web", json!({}), "envoy.extensions.filters.http.grpc_web.v3.GrpcWeb"),
        typed(
            "envoy.filters.http.connect_grpc_bridge",
            json!({}),
            "envoy.extensions.filters.http.connect_grpc_bridge.v3.FilterConfig",
        ),
    ]
}

fn tokens(jwks: &Path) -> anyhow::Result<Value> {
    let jwks: Value = serde_json::from_slice(&std::fs::read(jwks)?)?;
    Ok(typed(
        "envoy.filters.http.jwt_authn",
        json!({
            "providers": {"comptoir": {"issuer": "comptoir", "audiences": ["comptoir"], "forward": true,
                                       "local_jwks": {"inline_string": jwks.to_string()}}},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "comptoir"}}],
        }),
        "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
    ))
}

fn log() -> Value {
    typed(
        "envoy.access_loggers.stdout",
        json!({"log_format": {"json_format": {
            "method": "%REQ(:METHOD)%", "status": "%RESPONSE_CODE%", "duration": "%DURATION%", "bytes_in": "%BYTES_RECEIVED%",
            "bytes_out": "%BYTES_SENT%", "request_id": "%REQ(X-REQUEST-ID)%", "start": "%START_TIME%",
        }}}),
        "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
    )
}
