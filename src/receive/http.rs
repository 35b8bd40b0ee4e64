//! OTLP/HTTP: what a request may be, and how it is answered (the OTLP specification's "OTLP/HTTP").

use super::refusal::Refusal;
use crate::otlp::request::{Untaken, to_protobuf};
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

pub const PATH: &str = "/v1/traces";

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Protobuf,
    Json,
}

impl Form {
    /// Parameters, as a character set, aside.
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

/// The message of a whole body, in protobuf.
///
/// # Errors
/// It is compressed in a way that is not known, larger than `most` bytes, or no JSON of a request.
pub fn message(headers: &HeaderMap, form: Form, body: Bytes, most: usize) -> Result<Bytes, Refusal> {
    let body = match headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"" | b"identity") => body,
        Some(b"gzip") => unpack(&body, most)?,
        Some(_) => return Err(Refusal::unsupported("only gzip is unpacked")),
    };
    match form {
        Form::Protobuf => Ok(body),
        Form::Json => match to_protobuf(&body, most) {
            Ok(message) => Ok(message.into()),
            Err(Untaken::Damaged(damage)) => Err(Refusal::damaged(format!("no OTLP JSON: {damage}"))),
            Err(Untaken::TooLarge) => Err(Refusal::too_large(most)),
        },
    }
}

/// # Errors
/// It is no gzip, or more than `most` bytes.
pub fn unpack(packed: &[u8], most: usize) -> Result<Bytes, Refusal> {
    let mut plain = Vec::with_capacity(packed.len().saturating_mul(4).min(most));
    let read = MultiGzDecoder::new(packed).take(most as u64 + 1).read_to_end(&mut plain);
    match read {
        Ok(_) if plain.len() > most => Err(Refusal::too_large(most)),
        Ok(_) => Ok(plain.into()),
        Err(e) => Err(Refusal::damaged(format!("no gzip: {e}"))),
    }
}

pub fn accepted(form: Form, answer: &ExportTraceServiceResponse) -> Response {
    let body = match form {
        Form::Protobuf => answer.encode_to_vec(),
        Form::Json => match &answer.partial_success {
            None => b"{}".to_vec(),
            // 64-bit integers are text in protobuf's JSON.
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

/// With a `google.rpc.Status`, as OTLP wants it.
pub fn refused(form: Form, refusal: &Refusal) -> Response {
    let code = i32::from(refusal.code);
    let body = match form {
        Form::Protobuf => pb::Status { code, message: refusal.message.clone(), details: vec![] }.encode_to_vec(),
        Form::Json => json!({"code": code, "message": refusal.message}).to_string().into_bytes(),
    };
    let mut response = response(refusal.status, form, body);
    if let Some(wait) = refusal.retry_after {
        // Whole seconds, and not before.
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
