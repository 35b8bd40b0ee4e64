//! OTLP/HTTP: the forms of requests and their answers, by the section "OTLP/HTTP" of the OTLP specification.

use super::refusal::Refusal;
use crate::otlp::request::{Refused, to_protobuf};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::header::{self, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use serde_json::json;
use std::convert::Infallible;
use std::io::Read;
use tonic_types::pb;

pub type Body = BoxBody<Bytes, Infallible>;
pub type Response = hyper::Response<Body>;

/// The path to which traces are posted.
pub const PATH: &str = "/v1/traces";

/// The encoding of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Protobuf,
    Json,
}

impl Form {
    /// Returns the form that the content type names, whose parameters, such as a character set, are ignored.
    pub fn of(headers: &HeaderMap) -> Option<Form> {
        let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        match value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/x-protobuf" => Some(Form::Protobuf),
            "application/json" => Some(Form::Json),
            _ => None,
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Form::Protobuf => "application/x-protobuf",
            Form::Json => "application/json",
        })
    }
}

/// Returns the message of a body, in protobuf.
///
/// # Errors
/// The body is compressed in an unknown way, larger than `max_bytes` bytes, or not a request in JSON.
pub fn message(headers: &HeaderMap, form: Form, body: Bytes, max_bytes: usize) -> Result<Bytes, Refusal> {
    let body = match headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"" | b"identity") => body,
        Some(b"gzip") => unpack(&body, max_bytes)?,
        Some(_) => return Err(Refusal::unsupported("only gzip is supported")),
    };
    match form {
        Form::Protobuf => Ok(body),
        Form::Json => match to_protobuf(&body, max_bytes) {
            Ok(message) => Ok(message.into()),
            Err(Refused::Damaged(damage)) => Err(Refusal::damaged(format!("not OTLP JSON: {damage}"))),
            Err(Refused::TooLarge) => Err(Refusal::too_large(max_bytes)),
        },
    }
}

/// Decompresses a gzip body.
///
/// # Errors
/// The body is not gzip, or its content is larger than `max_bytes` bytes.
pub fn unpack(packed: &[u8], max_bytes: usize) -> Result<Bytes, Refusal> {
    let mut plain = Vec::with_capacity(packed.len().saturating_mul(4).min(max_bytes));
    let read = MultiGzDecoder::new(packed).take(max_bytes as u64 + 1).read_to_end(&mut plain);
    match read {
        Ok(_) if plain.len() > max_bytes => Err(Refusal::too_large(max_bytes)),
        Ok(_) => Ok(plain.into()),
        Err(e) => Err(Refusal::damaged(format!("not gzip: {e}"))),
    }
}

/// Makes the answer to an accepted request.
pub fn accepted(form: Form, answer: &ExportTraceServiceResponse) -> Response {
    let body = match form {
        Form::Protobuf => answer.encode_to_vec(),
        Form::Json => match &answer.partial_success {
            None => b"{}".to_vec(),
            // Protobuf's JSON mapping writes 64-bit integers as strings.
            Some(partial) => json!({"partialSuccess": {
                "rejectedSpans": partial.rejected_spans.to_string(),
                "errorMessage": partial.error_message,
            }})
            .to_string()
            .into_bytes(),
        },
    };
    response(StatusCode::OK, form, body)
}

/// Makes the answer to a refused request, with a `google.rpc.Status` as OTLP demands.
pub fn refused(form: Form, refusal: &Refusal) -> Response {
    let code = i32::from(refusal.code);
    let body = match form {
        Form::Protobuf => pb::Status { code, message: refusal.message.clone(), details: vec![] }.encode_to_vec(),
        Form::Json => json!({"code": code, "message": refusal.message}).to_string().into_bytes(),
    };
    let mut response = response(refusal.status, form, body);
    if let Some(wait) = refusal.retry_after {
        // The header holds whole seconds, rounded up so that the client does not come too early.
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_millis().div_ceil(1_000) as u64));
    }
    response
}

fn response(status: StatusCode, form: Form, body: Vec<u8>) -> Response {
    let mut response = Response::new(Full::new(body.into()).boxed());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, form.content_type());
    response
}
