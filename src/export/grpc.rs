//! OTLP/gRPC over a shared HTTP/2 connection. A call is one message each way ("gRPC over HTTP2"), so it is framed here: the
//! body is sent without the copy that a codec makes, and compressed at a level of our choice.

use super::{
    gzip,
    outcome::{Cause, Failure, Outcome, shorten},
    target::{Compression, Target, TargetError},
    tls::{self, Version},
};
use bytes::{Buf, Bytes, buf::Chain};
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Method, Request, StatusCode, Uri,
    header::{self, HeaderName, HeaderValue},
    http::uri::PathAndQuery,
};
use hyper_util::{
    client::legacy::{self, Client as Pool},
    rt::TokioExecutor,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use parking_lot::Mutex;
use percent_encoding::percent_decode;
use prost::Message;
use std::{error::Error, time::Duration};
use tokio::time::timeout;
use tonic::{Code, Status, metadata::MetadataMap};
use tonic_types::StatusExt;

const EXPORT_TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The maximum length of an answer that is read, in bytes.
const ANSWER_BYTES: usize = 256 * 1024;

/// The number of bytes before a message: a flag for compression, and the message's length in 4 bytes, big-endian.
const PREFIX_BYTES: usize = 5;

/// A request body: the prefix and the message.
type Body = Full<Chain<Bytes, Bytes>>;
type Channel = Pool<tls::Connector, Body>;

pub(super) struct Client {
    connector: tls::Connector,
    url: Uri,
    headers: HeaderMap,
    gzip: bool,
    channel: Mutex<Channel>,
}

impl Client {
    /// Makes a client, which connects with its first request.
    ///
    /// # Errors
    /// A certificate can't be used.
    pub fn new(target: &Target) -> Result<Self, TargetError> {
        let mut headers = target.headers.clone();
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(super::USER_AGENT));
        let gzip = target.compression == Compression::Gzip;
        if gzip {
            headers.insert(GRPC_ENCODING, HeaderValue::from_static("gzip"));
        }
        if let Some(timeout) = target.timeout {
            headers.insert(GRPC_TIMEOUT, timeout_value(timeout));
        }
        let mut url = target.url.clone().into_parts();
        url.path_and_query = Some(PathAndQuery::from_static(EXPORT_TRACES));
        let url = Uri::from_parts(url).map_err(|e| TargetError::runtime(e.to_string()))?;
        let connector = tls::connector(target, Version::Http2)?;
        let channel = Mutex::new(channel(connector.clone()));
        Ok(Client { connector, url, headers, gzip, channel })
    }

    /// Returns the message for a request body. It is made once, and sent as often as needed.
    pub fn prepare(&self, body: &Bytes) -> Bytes {
        if self.gzip { gzip::compress(body) } else { body.clone() }
    }

    /// Sends a message, and returns within `limit` what became of it.
    pub async fn export(&self, prepared: Bytes, limit: Duration) -> Outcome {
        if let Ok(outcome) = timeout(limit, self.outcome(prepared)).await {
            return outcome;
        }
        // The connection may be dead, so the next requests open a new one.
        *self.channel.lock() = channel(self.connector.clone());
        Outcome::Failed(Failure::timeout(limit))
    }

    async fn outcome(&self, prepared: Bytes) -> Outcome {
        let mut answer = self.call(prepared.clone()).await;
        // The request waited for a connection that another request failed to make; it makes its own to learn the reason.
        if answer.as_ref().is_err_and(|e| waited_in_vain(&**e)) {
            answer = self.call(prepared).await;
        }
        match answer {
            Ok(Ok(answer)) => accepted(&answer),
            Ok(Err(status)) => refused(&status),
            Err(error) => Outcome::Failed(Failure::transport(&*error)),
        }
    }

    /// Makes a call. Returns the framed answer or the status that came instead, or the error of the connection.
    async fn call(&self, message: Bytes) -> Result<Result<Vec<u8>, Status>, Box<dyn Error + Send + Sync>> {
        let channel = self.channel.lock().clone();
        let mut prefix = vec![u8::from(self.gzip)];
        prefix.extend(u32::try_from(message.len())?.to_be_bytes());
        let mut request = Request::new(Body::new(Bytes::from(prefix).chain(message)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = self.headers.clone();
        let (parts, mut body) = channel.request(request).await?.into_parts();
        let (mut answer, mut trailers) = (vec![], None);
        while let Some(frame) = body.frame().await {
            match frame?.into_data() {
                // The remainder of an answer that is too long would only delay its status.
                Ok(data) if answer.len() + data.len() <= ANSWER_BYTES => answer.extend_from_slice(&data),
                Ok(_) => {}
                Err(frame) => trailers = frame.into_trailers().ok(),
            }
        }
        let status = trailers.as_ref().and_then(status).or_else(|| status(&parts.headers));
        let status = status.unwrap_or_else(|| status_of_http(parts.status));
        Ok(if status.code() == Code::Ok { Ok(answer) } else { Err(status) })
    }
}

fn channel(connector: tls::Connector) -> Channel {
    Pool::builder(TokioExecutor::new()).http2_only(true).build(connector)
}

/// Returns the value of the time-out header, which has at most 8 digits and a unit.
fn timeout_value(timeout: Duration) -> HeaderValue {
    let ms = timeout.as_millis();
    let text = if ms < 100_000_000 { format!("{ms}m") } else { format!("{}S", timeout.as_secs().min(99_999_999)) };
    text.parse().expect("digits and a letter")
}

/// Reports whether the request failed only because another request could not make the connection: a failure to connect
/// without a cause in the system.
fn waited_in_vain(error: &(dyn Error + 'static)) -> bool {
    let chain = || std::iter::successors(Some(error), |&e| e.source());
    chain().any(|e| e.downcast_ref().is_some_and(legacy::Error::is_connect))
        && !chain().any(|e| e.is::<std::io::Error>())
}

/// Returns the status of a call, from the trailers or from the headers of an answer without a message.
fn status(headers: &HeaderMap) -> Option<Status> {
    let code = Code::from_bytes(headers.get("grpc-status")?.as_bytes());
    let message = headers.get("grpc-message").map(HeaderValue::as_bytes).unwrap_or_default();
    let message = percent_decode(message).decode_utf8_lossy();
    let metadata = MetadataMap::from_headers(headers.clone());
    let details = metadata.get_bin("grpc-status-details-bin").and_then(|value| value.to_bytes().ok());
    Some(Status::with_details(code, message, details.unwrap_or_default()))
}

/// Converts the HTTP status of an answer that is not gRPC, by the "HTTP to gRPC Status Code Mapping" of the gRPC documents.
fn status_of_http(status: StatusCode) -> Status {
    let code = match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502..=504 => Code::Unavailable,
        _ => Code::Unknown,
    };
    Status::new(code, format!("the answer has no grpc-status: HTTP {status}"))
}

/// Returns the outcome of an acknowledged call. An answer that is not an OTLP response does not count as an
/// acknowledgement: it does not say how many spans were accepted, and hardly comes from an OTLP receiver.
fn accepted(answer: &[u8]) -> Outcome {
    let message = answer.get(PREFIX_BYTES..).unwrap_or_default();
    let message = match answer.first() {
        Some(1) => gzip::decompress(message, ANSWER_BYTES).ok(),
        _ => Some(message.to_vec()),
    };
    let read = message.and_then(|message| ExportTraceServiceResponse::decode(&*message).ok());
    let Some(response) = read else {
        return Outcome::Rejected(Cause::new("OK without an OTLP response", "the message can't be decoded"));
    };
    let partial = response.partial_success.unwrap_or_default();
    let rejected_spans = u64::try_from(partial.rejected_spans).unwrap_or(0);
    Outcome::Accepted { rejected_spans, message: shorten(&partial.error_message) }
}

/// Returns the outcome of a refused call. The codes that are retried are those of the OTLP specification ("OTLP/gRPC
/// Response", table of retryable codes). A receiver may fail after it has accepted some spans, so the outcome is unknown
/// after all codes but that of a receiver that is too busy to look at them.
fn refused(status: &Status) -> Outcome {
    let cause = Cause::new(name(status.code()), status.message());
    let wait = status.get_details_retry_info().and_then(|info| info.retry_delay);
    match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Outcome::Failed(Failure { cause, unknown: true, answered: true, wait }),
        Code::ResourceExhausted if wait.is_some() => {
            Outcome::Failed(Failure { cause, unknown: false, answered: true, wait })
        }
        _ => Outcome::Rejected(cause),
    }
}

/// Returns the name of a code as the gRPC documents write it.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    #[test]
    fn only_the_specified_codes_are_retried() {
        let retried: Vec<&str> = (0..17)
            .map(Code::from_i32)
            .filter(|code| matches!(refused(&Status::new(*code, "")), Outcome::Failed(_)))
            .map(name)
            .collect();
        let specified = ["CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"];
        assert_eq!(retried, specified);
    }

    #[test]
    fn resource_exhausted_is_retried_with_retry_info_only() {
        let delay = Duration::from_millis(1500);
        let details = ErrorDetails::with_retry_info(Some(delay));
        let status = Status::with_error_details(Code::ResourceExhausted, "slow down", details);
        let Outcome::Failed(failure) = refused(&status) else { panic!("it says when to come back") };
        assert_eq!((failure.wait, failure.unknown), (Some(delay), false));
    }

    #[test]
    fn a_timeout_has_at_most_8_digits() {
        for (timeout, value) in [(250, "250m"), (99_999_999, "99999999m"), (100_000_000, "100000S")] {
            assert_eq!(timeout_value(Duration::from_millis(timeout)), value);
        }
        assert_eq!(timeout_value(Duration::MAX), "99999999S");
    }

    #[test]
    fn a_status_is_read_with_any_content() {
        let status = |headers: &[(&'static str, &'static str)]| {
            let headers = headers.iter().map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v)));
            status(&headers.collect()).map(|status| (status.code(), status.message().to_string()))
        };
        assert_eq!(status(&[("x", "0")]), None);
        assert_eq!(status(&[("grpc-status", "0")]), Some((Code::Ok, String::new())));
        let all = [("grpc-status", "14"), ("grpc-message", "slow%20down"), ("grpc-status-details-bin", "!")];
        assert_eq!(status(&all), Some((Code::Unavailable, "slow down".into())));
        assert_eq!(status(&[("grpc-status", "?")]), Some((Code::Unknown, String::new())));
        assert_eq!(status_of_http(StatusCode::SERVICE_UNAVAILABLE).code(), Code::Unavailable);
    }

    #[test]
    fn an_answer_is_read_compressed_or_not() {
        let partial = [0x0a, 0x06, 0x08, 3, 0x12, 2, b'n', b'o'];
        let framed = |flag, message: &[u8]| [&[flag], &(message.len() as u32).to_be_bytes()[..], message].concat();
        let expected = Outcome::Accepted { rejected_spans: 3, message: "no".into() };
        assert_eq!(accepted(&framed(0, &partial)), expected);
        assert_eq!(accepted(&framed(1, &gzip::compress(&partial))), expected);
        for empty in [vec![], framed(0, &[])] {
            assert_eq!(accepted(&empty), Outcome::Accepted { rejected_spans: 0, message: String::new() });
        }
        for broken in [vec![1], framed(1, &partial), framed(0, b"junk"), framed(0, b"<html>")] {
            assert!(matches!(accepted(&broken), Outcome::Rejected(_)), "{broken:?}");
        }
    }

    #[test]
    fn only_a_receiver_that_is_too_busy_has_certainly_not_accepted_the_spans() {
        for code in (0..17).map(Code::from_i32) {
            if let Outcome::Failed(failure) = refused(&Status::new(code, "")) {
                assert!(failure.unknown, "{code:?}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_status_panics(code in 0i32..20, message in ".{0,400}", details in proptest::collection::vec(0u8.., 0..80)) {
            refused(&Status::with_details(Code::from_i32(code), message, details.into()));
        }
    }
}
