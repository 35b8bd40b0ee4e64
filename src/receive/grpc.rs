//! OTLP/gRPC. A call is one message each way, so it is framed here, as `export` does for the client. tonic's server would
//! answer a message that is too large with OUT_OF_RANGE, which OTLP clients take for a request to send it again.

use super::http::{self, Body, Response};
use super::refusal::Refusal;
use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Empty, Full};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;

/// The path of the only gRPC method that is served.
pub const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");
const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// The number of bytes before a message: a flag for compression, and the message's length in 4 bytes, big-endian.
const PREFIX_BYTES: usize = 5;

/// Reports whether a request is gRPC, rather than OTLP/HTTP.
pub fn is_spoken(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// Returns the message in a call's body.
///
/// # Errors
/// The body is cut off, compressed in an unknown way, or larger than `max_bytes` bytes.
pub fn message(headers: &HeaderMap, body: Bytes, max_bytes: usize) -> Result<Bytes, Refusal> {
    let Some((&[compressed, a, b, c, d], rest)) = body.split_first_chunk() else {
        return Err(Refusal::damaged("the call has no message"));
    };
    if u32::from_be_bytes([a, b, c, d]) as usize != rest.len() {
        return Err(Refusal::damaged("the call is cut off, or has more than one message"));
    }
    let encoding = headers.get("grpc-encoding").map_or(&b"identity"[..], HeaderValue::as_bytes);
    match (compressed, encoding) {
        (0, _) => Ok(body.slice(PREFIX_BYTES..)),
        (1, b"gzip") => http::unpack(rest, max_bytes),
        _ => Err(Refusal::unsupported("only gzip is supported")),
    }
}

/// Makes the answer to an accepted call.
pub fn accepted(answer: &ExportTraceServiceResponse) -> Response {
    let message = answer.encode_to_vec();
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.put_slice(&message);
    let trailers = HeaderMap::from_iter([(STATUS, HeaderValue::from_static("0"))]);
    response(Full::new(framed.freeze()).with_trailers(async { Some(Ok(trailers)) }).boxed())
}

/// Makes the answer to a refused call.
pub fn refused(refusal: &Refusal) -> Response {
    let mut response = response(Empty::new().boxed());
    let headers = response.headers_mut();
    if refusal.grpc().add_header(headers).is_err() {
        headers.insert(STATUS, HeaderValue::from(i32::from(refusal.code)));
    }
    headers.insert("grpc-accept-encoding", HeaderValue::from_static("gzip"));
    response
}

fn response(body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(header::CONTENT_TYPE, CONTENT_TYPE);
    response
}
