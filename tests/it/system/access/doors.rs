//! The two ways to an RPC: gRPC at its service, JSON at the gateway.

use kit::{Client, Stack};
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, MethodDescriptor, Value};
use reqwest::Method;
use serde_json::json;
use std::{collections::BTreeMap, sync::LazyLock};
use tonic::{Code, Request, client::Grpc, transport::Endpoint};
use tonic_prost::ProstCodec;
use transcode::Router;

static ROUTER: LazyLock<Router> =
    LazyLock::new(|| Router::from_descriptors(contracts::DESCRIPTORS).expect("the routes"));

/// Values of the fields of a request, by their names.
pub type Fields = BTreeMap<&'static str, String>;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Door {
    Grpc,
    Json,
}

/// An answer, as far as it is about who calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    Unauthenticated,
    Denied,
    NotFound,
    /// A fault of the system, which is no answer to anybody.
    Broken,
    /// A reply, or what is wrong with the request.
    Other,
}

impl Door {
    /// The answer to a call, and what it was.
    pub async fn call(
        self,
        stack: &Stack,
        rpc: &MethodDescriptor,
        token: Option<&str>,
        fields: &Fields,
    ) -> (Answer, String) {
        match self {
            Door::Grpc => grpc(stack, rpc, token, fields).await,
            Door::Json => json(stack, rpc, token, fields).await,
        }
    }
}

/// The request message with the values of its fields, also of those of a resource within it.
fn message(kind: MessageDescriptor, fields: &Fields) -> DynamicMessage {
    let mut message = DynamicMessage::new(kind.clone());
    for field in kind.fields().filter(|field| !field.is_list() && !field.is_map()) {
        match field.kind() {
            Kind::String => {
                if let Some(value) = fields.get(field.name()) {
                    message.set_field(&field, Value::String(value.clone()));
                }
            }
            Kind::Message(inner) if inner.full_name().starts_with("comptoir.") => {
                let inner = self::message(inner, fields);
                if inner.fields().next().is_some() {
                    message.set_field(&field, Value::Message(inner));
                }
            }
            _ => {}
        }
    }
    message
}

async fn grpc(stack: &Stack, rpc: &MethodDescriptor, token: Option<&str>, fields: &Fields) -> (Answer, String) {
    let service = rpc.parent_service();
    // Every service tells its own events.
    let name = topology::Topology::get().by_proto(service.package_name()).map_or("payments", |(name, _)| name);
    let endpoint = Endpoint::from_shared(stack.grpc(name).to_owned()).expect("an address");
    let mut client = Grpc::new(endpoint.connect().await.expect("it listens"));
    client.ready().await.expect("it is connected");
    let mut request = Request::new(message(rpc.input(), fields));
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("ASCII"));
    }
    let path = format!("/{}/{}", service.full_name(), rpc.name()).parse().expect("a path");
    // Of a reply nothing is read: `()` is a message without fields.
    let codec = ProstCodec::<DynamicMessage, ()>::default();
    let called = if rpc.is_server_streaming() {
        match client.server_streaming(request, path, codec).await {
            Ok(streaming) => streaming.into_inner().message().await.map(|_| ()),
            Err(status) => Err(status),
        }
    } else {
        client.unary(request, path, codec).await.map(tonic::Response::into_inner)
    };
    let answer = match called.as_ref().map_err(tonic::Status::code) {
        Err(Code::Unauthenticated) => Answer::Unauthenticated,
        Err(Code::PermissionDenied) => Answer::Denied,
        Err(Code::NotFound) => Answer::NotFound,
        Err(Code::Unavailable | Code::DeadlineExceeded | Code::Unknown | Code::Internal) => Answer::Broken,
        Ok(()) | Err(_) => Answer::Other,
    };
    (answer, format!("{called:?}"))
}

/// At the path of its first binding, or by its name where it has none.
async fn json(stack: &Stack, rpc: &MethodDescriptor, token: Option<&str>, fields: &Fields) -> (Answer, String) {
    let path = format!("/{}/{}", rpc.parent_service().full_name(), rpc.name());
    let route = ROUTER.routes().iter().find(|route| route.rpc.path == path);
    let (method, path, body) = match route {
        None => ("POST", path, true),
        Some(route) => (route.method.as_str(), filled(&route.template, fields), route.body().is_some()),
    };
    let client = Client::at(stack.gateway()).with_token(token);
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let mut request = client.request(method, &path);
    if body {
        // A change of a resource that changes something; empty for all others.
        let name = fields.get("name").filter(|_| rpc.name().starts_with("Update"));
        request = request.json(&name.map_or_else(|| json!({}), |name| json!({"name": name})));
    }
    let response = request.send().await.expect("the gateway answers");
    let answer = match response.status().as_u16() {
        401 => Answer::Unauthenticated,
        403 => Answer::Denied,
        404 => Answer::NotFound,
        429 | 500.. => Answer::Broken,
        _ => Answer::Other,
    };
    (answer, response.status().to_string())
}

/// A path of the template; what no field has a value for is `x`.
fn filled(template: &str, fields: &Fields) -> String {
    let mut path = String::new();
    for (at, piece) in template.split('{').enumerate() {
        let Some((variable, rest)) = piece.split_once('}').filter(|_| at > 0) else {
            path += piece;
            continue;
        };
        let name = variable.rsplit('.').next().unwrap_or_default();
        path += fields.get(name).map_or("x", String::as_str);
        path += rest;
    }
    path
}
