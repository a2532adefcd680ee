//! One request from its headers to its reply: the order of the steps.

use crate::{
    admission, body,
    call::{self, Call},
    coding,
    condition::{self, IfMatch, none_match},
    conditional_write, deadline,
    error::Failure,
    headers::{self, text},
    health, lines, named, observe,
    pages::Page,
    protocol, reply, schema,
    state::Gateway,
    stream, uplink, validation,
};
use axum::{
    body::{Body, HttpBody},
    response::Response,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header::CONTENT_TYPE, request::Parts};
use std::sync::Arc;
use transcode::{Match, Route};

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Serves one request; never fails.
pub(crate) async fn handle(gateway: &Arc<Gateway>, request: Request<Body>, id: &HeaderValue) -> Response {
    // After the grace of a shutdown a request under way is answered with 503: a connection that just ends would leave
    // its caller in doubt.
    tokio::select! {
        response = serve(gateway, request, id) => response,
        () = gateway.cut.cancelled() => {
            let status = rpc::status::unavailable("SHUTTING_DOWN", "the gateway is shutting down");
            reply::failure(&gateway.router, &status.into(), None)
        }
    }
}

async fn serve(gateway: &Arc<Gateway>, request: Request<Body>, id: &HeaderValue) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(failure) = protocol::host(&parts) {
        return reply::failure(&gateway.router, &failure, None);
    }
    if let Some(own) = own(gateway, &parts).await {
        return own;
    }
    if gateway.is_waiting {
        return reply::failure(&gateway.router, &schema::waiting(), None);
    }
    if let Some(rpc) = named::find(gateway, parts.uri.path()) {
        return named::answer(gateway, rpc, Request::from_parts(parts, body), id).await;
    }
    let found = match find(gateway, &parts) {
        Ok(found) => found,
        Err(transcode::Error::MethodNotAllowed { allowed }) if parts.method == Method::OPTIONS => {
            return reply::options(&allowed);
        }
        Err(error) => return reply::failure(&gateway.router, &error.into(), None),
    };
    observe::found(&parts, &found.route);
    let rpc = &found.route.rpc;
    let admission = match admission::admit(gateway, rpc, &parts).await {
        Ok(admission) => admission,
        Err(failure) => return reply::failure(&gateway.router, &failure, Some(rpc)),
    };
    let forward = call::headers(gateway, &parts.headers, id, admission.authorization.clone());
    let answered = match rpc.client_streaming {
        true => lines::answer(gateway, found.clone(), parts, body, forward).await,
        false => answer(gateway, &found, parts, body, forward).await,
    };
    let response = answered.unwrap_or_else(|failure| {
        admission.note(gateway, &failure);
        reply::failure(&gateway.router, &failure, Some(rpc))
    });
    admission.end(response)
}

/// What the gateway answers by itself.
async fn own(gateway: &Gateway, parts: &Parts) -> Option<Response> {
    let path = parts.uri.path();
    if let "/healthz" | "/readyz" = path {
        observe::template(&parts.extensions, path);
    }
    match (&parts.method, path) {
        (&Method::GET | &Method::HEAD, "/healthz") => Some(health::live()),
        (&Method::GET | &Method::HEAD, "/readyz") => Some(health::ready(gateway).await),
        (&Method::GET | &Method::HEAD, path) => Some(show(gateway, gateway.page(path)?, &parts.headers)),
        (&Method::OPTIONS, "*") => Some(reply::options(&gateway.router.methods())),
        _ => None,
    }
}

/// A page; who has it already gets 304.
fn show(gateway: &Gateway, page: &Page, headers: &HeaderMap) -> Response {
    match none_match::of(headers) {
        Ok(unwanted) => none_match::attach(unwanted, &Method::GET, page.reply()),
        Err(failure) => reply::failure(&gateway.router, &failure, None),
    }
}

/// The binding that serves the request. Health and pages, which no contract binds, answer to GET alone.
fn find(gateway: &Gateway, parts: &Parts) -> Result<Match, transcode::Error> {
    let path = parts.uri.path();
    if matches!(path, "/healthz" | "/readyz") || gateway.page(path).is_some() {
        let allowed = ["GET", "HEAD", "OPTIONS"].map(str::to_owned).to_vec();
        return Err(transcode::Error::MethodNotAllowed { allowed });
    }
    let found = gateway.router.find(parts.method.as_str(), path)?;
    if found.route.rpc.reachable() { Ok(found) } else { Err(transcode::Error::NotFound) }
}

async fn answer(
    gateway: &Arc<Gateway>,
    found: &Match,
    parts: Parts,
    body: Body,
    forward: HeaderMap,
) -> Result<Response, Failure> {
    let (rpc, headers) = (&found.route.rpc, &parts.headers);
    if let Some(ended) = stream::ended(&parts).filter(|_| rpc.server_streaming) {
        return Ok(ended);
    }
    // What is wrong with the head is told without waiting for the body.
    let requested = deadline::requested(headers)?;
    let (condition, unwanted) = (condition::if_match(headers)?, none_match::of(headers)?);
    let version = condition.version(&found.route, &parts.method)?;
    let met = conditional_write::admit(unwanted.as_ref(), gateway, found, &parts, &forward).await?;
    let version = version.or(met.as_deref());
    let bytes = receive(gateway, headers, body).await?;
    let named = headers::named(rpc, headers)?;
    let request = found.request(transcode::Parts {
        query: parts.uri.query().unwrap_or_default(),
        ignored_parameters: &gateway.ignored_parameters,
        idempotency_key: idempotency_key(headers)?,
        etag: version,
        headers: &named,
        body: form(headers, &bytes)?,
    })?;
    // A service names the fields of its message; the caller is told the names that were in the request.
    let refused =
        |status| condition::refused(rpc::status::renamed(status, |field| name(found, headers, field)), version);
    let message = call::bounded(request.message)?;
    validation::check(gateway, rpc, &message).map_err(refused)?;
    let call = Call {
        rpc,
        upstream: call::upstream(gateway, rpc)?,
        message,
        headers: forward,
        timeout: deadline::effective(gateway.deadline, request.wait, requested),
    };
    if rpc.server_streaming {
        let messages = call.stream().await.map_err(refused)?;
        return Ok(stream::reply(gateway.clone(), found.route.clone(), (messages, uplink::unbroken()), &parts));
    }
    let answer = call.unary().await.map_err(refused)?;
    let mut response = told(&found.route, &parts, &condition, &answer.message)?;
    reply::tell(rpc, answer.headers, &mut response);
    Ok(none_match::attach(unwanted, &parts.method, response))
}

/// The reply of a call as its caller likes it.
fn told(route: &Route, parts: &Parts, condition: &IfMatch, message: &[u8]) -> Result<Response, Failure> {
    if reply::wants_table(&route.rpc, &parts.headers)
        && let Some(csv) = route.table(message)?
    {
        return Ok(reply::table(csv));
    }
    let reply = route.reply(message)?;
    condition.admit(&parts.method, reply.etag.as_deref())?;
    Ok(reply::success(&route.rpc, reply))
}

/// What the caller wrote for the field that a service calls `field`.
fn name(found: &Match, headers: &HeaderMap, field: &str) -> String {
    let is_key = field == "request_id" && headers.contains_key(IDEMPOTENCY_KEY);
    if is_key {
        return IDEMPOTENCY_KEY.to_owned();
    }
    let header = found.route.rpc.header_of(field).filter(|header| headers.contains_key(*header));
    header.map_or_else(|| found.route.json_path(field), str::to_owned)
}

/// Reads the body, without its content coding. One of a known length that could not be bound, or is too large, is refused
/// before it is asked for.
async fn receive(gateway: &Gateway, headers: &HeaderMap, body: Body) -> Result<Bytes, Failure> {
    if HttpBody::size_hint(&body).lower() > 0 {
        coding::request::of(headers)?;
        form(headers, b"?")?;
        if protocol::waits_for_continue(headers) {
            body::fits(&body, gateway.body_limit_bytes)?;
        }
    }
    let bytes = body::read(body, gateway.body_limit_bytes, gateway.deadline).await?;
    // Headers say nothing of a body that is not there.
    if bytes.is_empty() {
        return Ok(bytes);
    }
    coding::request::of(headers)?.decode(bytes, gateway.body_limit_bytes).await
}

/// The body as what its headers say it is. They say nothing where there is no body.
fn form<'a>(headers: &HeaderMap, bytes: &'a [u8]) -> Result<transcode::Body<'a>, Failure> {
    if bytes.is_empty() {
        return Ok(transcode::Body::Empty);
    }
    Ok(transcode::Body::new(text(headers, CONTENT_TYPE.as_str())?, bytes)?)
}

/// The caller's key of the request. One that is there and blank is refused: its sender believes to be safe from repeats.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Failure> {
    match text(headers, IDEMPOTENCY_KEY)? {
        Some(key) if key.trim().is_empty() => {
            Err(rpc::status::violation(IDEMPOTENCY_KEY, "must not be blank; leave the header out to send no key")
                .into())
        }
        key => Ok(key),
    }
}
