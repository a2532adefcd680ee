//! RPCs that are called by their own names, `/package.Service/Method`: gRPC, gRPC-Web and Connect. The content type tells
//! which.

use crate::{connect, error::Failure, grpc, observe, reply, state::Gateway, uplink::Broken};
use axum::{body::Body, response::Response};
use futures::TryStreamExt;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyStream, StreamBody};
use std::{convert::Infallible, sync::Arc};
use tokio::sync::oneshot;
use tonic::{Code, Status};
use tower::{Layer, ServiceExt};
use transcode::Rpc;

/// What a body may be (W3C, Linked Data Platform, section 7.1): told to who sends something else.
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const TAKEN: HeaderValue = HeaderValue::from_static(
    "application/grpc, application/grpc-web, application/grpc-web-text, application/json, application/proto, \
     application/connect+json, application/connect+proto",
);

/// The RPC that a path names, when users can reach it.
pub(crate) fn find<'g>(gateway: &'g Gateway, path: &str) -> Option<&'g Arc<Rpc>> {
    gateway.router.rpc(path).filter(|rpc| rpc.reachable())
}

/// Answers a call of `rpc`; never fails.
pub(crate) async fn answer(
    gateway: &Arc<Gateway>,
    rpc: &Arc<Rpc>,
    request: Request<Body>,
    id: &HeaderValue,
) -> Response {
    observe::called(request.extensions(), rpc);
    let methods = methods(rpc);
    if request.method() == Method::OPTIONS {
        return reply::options(&methods);
    }
    if !methods.iter().any(|method| method == request.method().as_str()) {
        let error = transcode::Error::MethodNotAllowed { allowed: methods };
        return reply::failure(&gateway.router, &error.into(), None);
    }
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match (media_type.split_once('+').unwrap_or((&media_type, "proto")), request.method()) {
        (_, &Method::GET | &Method::HEAD) => connect::unary(gateway, rpc, request, id).await,
        (("application/grpc", "proto"), _) => grpc::answer(gateway, rpc, request.map(tonic::body::Body::new), id).await,
        (("application/grpc-web" | "application/grpc-web-text", "proto"), _) => {
            web(gateway, rpc, with_type(request, &media_type), id).await
        }
        (("application/json" | "application/proto", "proto"), _) => connect::unary(gateway, rpc, request, id).await,
        (("application/connect", "json" | "proto"), _) => connect::stream(gateway, rpc, request, id).await,
        _ => {
            let message = format!("content type {content_type:?} is not one of gRPC, gRPC-Web or Connect");
            let status = rpc::status::error(Code::InvalidArgument, "UNSUPPORTED_MEDIA_TYPE", message);
            let failure = Failure::with_http(StatusCode::UNSUPPORTED_MEDIA_TYPE, status);
            reply::failure(&gateway.router, &failure.header(ACCEPT_POST, TAKEN), None)
        }
    }
}

/// The methods that the path of an RPC answers to. What only reads may be asked for with GET, which caches keep; not what has a
/// text that is for a header, as the query would have it.
fn methods(rpc: &Rpc) -> Vec<String> {
    let more: &[&str] = if rpc.is_safe && rpc.headers().next().is_none() { &["GET", "HEAD"] } else { &[] };
    more.iter().chain(&["OPTIONS", "POST"]).map(|method| (*method).to_owned()).collect()
}

async fn web(gateway: &Arc<Gateway>, rpc: &Arc<Rpc>, request: Request<Body>, id: &HeaderValue) -> Response {
    in_web(request, async |request| grpc::answer(gateway, rpc, request, id).await).await
}

/// The request with a content type without parameters: tonic-web knows no others.
fn with_type(mut request: Request<Body>, media_type: &str) -> Request<Body> {
    if let Ok(value) = HeaderValue::try_from(media_type) {
        request.headers_mut().insert(CONTENT_TYPE, value);
    }
    request
}

/// gRPC-Web is gRPC whose trailers come as the last part of the body, in base64 or not. A body that cannot be read is a fault of
/// the caller, and none of the service whose call breaks off with it.
pub(crate) async fn in_web(
    request: Request<Body>,
    call: impl AsyncFnOnce(Request<tonic::body::Body>) -> Response,
) -> Response {
    let mut call = Some(call);
    let call = tower::service_fn(|request: Request<tonic::body::Body>| {
        let (tell, told) = oneshot::channel();
        let mut tell = Some(tell);
        let note = move |error| {
            let _ = tell.take().map(|tell| tell.send(())); // nobody waits for it when the call is over
            error
        };
        // tonic-web gives length and end of the base64 for those of what it decodes; a stream has none but its own.
        let request = request.map(|body| tonic::body::Body::new(StreamBody::new(BodyStream::new(body).map_err(note))));
        let call = call.take().expect("it is called once");
        async {
            let answered = Broken::new(told).or(call(request)).await;
            Ok::<_, Infallible>(
                answered.map_or_else(|()| undecodable().into_http(), |reply| reply.map(tonic::body::Body::new)),
            )
        }
    });
    match tonic_web::GrpcWebLayer::new().layer(call).oneshot(request).await {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    }
}

fn undecodable() -> Status {
    rpc::status::error(Code::InvalidArgument, "BODY_UNDECODABLE", "the body is not in its coding, or not whole")
}
