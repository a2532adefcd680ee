//! Unary calls: the body of the request is the message, or the query of a GET has it.

use super::{
    codec::{Codec, timeout, unfit, version},
    error,
};
use crate::{
    admission, body,
    call::{self, Call},
    coding, deadline,
    error::Failure,
    reply,
    state::Gateway,
    validation,
};
use axum::{body::Body, response::Response};
use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header::CONTENT_TYPE, request::Parts};
use std::{sync::Arc, time::Duration};
use transcode::Rpc;

/// Padding may be left out in a URL.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROTO: HeaderValue = HeaderValue::from_static("application/proto");

pub(crate) async fn unary(gateway: &Arc<Gateway>, rpc: &Rpc, request: Request<Body>, id: &HeaderValue) -> Response {
    let (parts, body) = request.into_parts();
    let admission = match admission::admit(gateway, rpc, &parts).await {
        Ok(admission) => admission,
        Err(failure) => return error::reply(&gateway.router, &failure),
    };
    let forward = call::headers(gateway, &parts.headers, id, admission.authorization.clone());
    let response = answer(gateway, rpc, parts, body, forward).await.unwrap_or_else(|failure| {
        admission.note(gateway, &failure);
        error::reply(&gateway.router, &failure)
    });
    admission.end(response)
}

async fn answer(
    gateway: &Gateway,
    rpc: &Rpc,
    parts: Parts,
    body: Body,
    forward: HeaderMap,
) -> Result<Response, Failure> {
    if rpc.server_streaming || rpc.client_streaming {
        return Err(unfit(
            "this method streams: its content type is application/connect+json or application/connect+proto",
        ));
    }
    let requested = timeout(&parts.headers)?;
    let (codec, message) = match parts.method {
        Method::GET | Method::HEAD => query(parts.uri.query().unwrap_or_default())?,
        _ => {
            version(parts.headers.get("connect-protocol-version").map(|value| value.to_str().unwrap_or_default()))?;
            let coded = coding::request::of(&parts.headers)?;
            let bytes = body::read(body, gateway.body_limit_bytes, gateway.deadline).await?;
            (Codec::of(&parts.headers), coded.decode(bytes, gateway.body_limit_bytes).await?)
        }
    };
    let message = call::bounded(codec.read(&gateway.router, rpc, message)?)?;
    let spelled = |status| codec.spelled(&gateway.router, rpc, status);
    validation::check(gateway, rpc, &message).map_err(spelled)?;
    let call = Call {
        rpc,
        upstream: call::upstream(gateway, rpc)?,
        message,
        headers: forward,
        timeout: deadline::effective(gateway.deadline, Duration::ZERO, requested),
    };
    let answer = call.unary().await.map_err(spelled)?;
    let mut response = reply::json(StatusCode::OK, codec.write(&gateway.router, rpc, answer.message)?);
    reply::tell(rpc, answer.headers, &mut response);
    response.headers_mut().insert(CONTENT_TYPE, if codec == Codec::Json { JSON } else { PROTO });
    Ok(response)
}

/// The message in the query of a GET: `connect=v1&encoding=json&message=%7B%7D`, in base64 with `base64=1`.
fn query(query: &str) -> Result<(Codec, Bytes), Failure> {
    let (mut codec, mut message, mut is_base64) = (None, None, false);
    for (name, value) in transcode::query(query) {
        let wrong = |what: &str| Failure::from(rpc::status::violation(&name, what));
        let value = value.map_err(wrong)?;
        match name.as_str() {
            "connect" if value == b"v1" => {}
            "connect" => return Err(wrong("must be v1")),
            "encoding" => {
                let named = std::str::from_utf8(&value).ok().and_then(Codec::named);
                codec = Some(named.ok_or_else(|| wrong("must be json or proto"))?);
            }
            "base64" => is_base64 = value == b"1",
            "compression" if value == b"identity" || value.is_empty() => {}
            "compression" => return Err(wrong("must be identity")),
            "message" => message = Some(value),
            _ => return Err(wrong("is not a parameter of Connect")),
        }
    }
    let codec = codec.ok_or_else(|| rpc::status::violation("encoding", "is required"))?;
    let message = message.ok_or_else(|| rpc::status::violation("message", "is required"))?;
    let decoded = if is_base64 { BASE64.decode(&message).ok() } else { Some(message) };
    let decoded = decoded.ok_or_else(|| rpc::status::violation("message", "must be base64 for URLs"))?;
    Ok((codec, decoded.into()))
}
