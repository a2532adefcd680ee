//! What is asked by the names of RPCs: gRPC-Web, Connect and gRPC, beside Envoy's filters for them.

use crate::{
    proxies::Proxy,
    shapes::{Request, Shape},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use contracts::products::v1::GetProductRequest;
use prost::Message;

const PATH: &str = "/comptoir.products.v1.ProductService/GetProduct";

const PROXIES: &[Proxy] = &[Proxy::Floor, Proxy::Gateway, Proxy::EnvoyRpc];

/// A product of 300 B and one of 10 KB over each protocol.
pub fn all() -> Vec<Shape> {
    let protocols = [
        Protocol::Web,
        Protocol::WebText,
        Protocol::ConnectProto,
        // The gateway transcodes; Envoy's bridge leaves the JSON to the service.
        Protocol::ConnectJson,
        Protocol::Grpc,
    ];
    protocols
        .into_iter()
        .flat_map(|protocol| [(300, "300 B"), (10_000, "10 KB")].map(|size| shape(protocol, size)))
        .collect()
}

#[derive(Clone, Copy)]
enum Protocol {
    Web,
    WebText,
    ConnectProto,
    ConnectJson,
    Grpc,
}

fn shape(protocol: Protocol, (size, told): (usize, &str)) -> Shape {
    let product_id = format!("prd_{size}");
    let json = serde_json::json!({ "productId": product_id }).to_string().into_bytes();
    let message = GetProductRequest { product_id }.encode_to_vec();
    let length = u32::try_from(message.len()).expect("a small message").to_be_bytes();
    let framed = [&[0], length.as_slice(), &message].concat();
    let is_http2 = matches!(protocol, Protocol::Grpc);
    let request = |kind: &str, body: Vec<u8>, version: bool| Request {
        method: "POST",
        path: PATH.to_owned(),
        headers: [("Content-Type", kind.to_owned())]
            .into_iter()
            .chain(version.then(|| ("Connect-Protocol-Version", "1".to_owned())))
            .collect(),
        body: Some(body),
        is_http2,
        reply_bytes: size * 7 / 10,
    };
    let floor = request("application/grpc", framed.clone(), false);
    let (name, request) = match protocol {
        Protocol::Web => ("gRPC-Web, binary", request("application/grpc-web+proto", framed, false)),
        Protocol::WebText => {
            let text = BASE64_STANDARD.encode(framed).into_bytes();
            ("gRPC-Web, text", request("application/grpc-web-text+proto", text, false))
        }
        Protocol::ConnectProto => ("Connect, protobuf", request("application/proto", message, true)),
        Protocol::ConnectJson => ("Connect, JSON", request("application/json", json, true)),
        Protocol::Grpc => ("gRPC over HTTP/2", request("application/grpc", framed, false)),
    };
    Shape { name: format!("{name}, reply of {told}"), proxies: PROXIES, request, floor }
}
