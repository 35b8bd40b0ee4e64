//! OTLP/HTTP, protobuf or JSON, over HTTP/1.1 with keep-alive.
//!
//! The rules for retries and for reading answers are those of the OTLP specification ("OTLP/HTTP Response").

use super::{
    gzip,
    outcome::{Cause, Failure, Outcome, shorten},
    target::{Compression, Protocol, Target, TargetError},
    tls::{self, Version},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    HeaderMap, Method, Request, StatusCode, Uri,
    body::Incoming,
    header::{self, HeaderValue},
};
use hyper_util::{
    client::legacy::Client as Pool,
    rt::{TokioExecutor, TokioTimer},
};
use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use serde::Deserialize;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The maximum length of an answer that is read, in bytes.
const ANSWER_BYTES: usize = 256 * 1024;

#[derive(Clone)]
pub(super) struct Client {
    pool: Pool<tls::Connector, Full<Bytes>>,
    url: Uri,
    headers: HeaderMap,
    gzip: bool,
}

impl Client {
    /// Makes a client that keeps up to `connections` connections open.
    ///
    /// # Errors
    /// A certificate can't be used.
    pub fn new(target: &Target, connections: usize) -> Result<Self, TargetError> {
        let content_type = match target.protocol {
            Protocol::HttpJson => "application/json",
            Protocol::HttpProtobuf | Protocol::Grpc => "application/x-protobuf",
        };
        let mut headers = target.headers.clone();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(super::USER_AGENT));
        let gzip = target.compression == Compression::Gzip;
        if gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let pool = Pool::builder(TokioExecutor::new())
            .pool_max_idle_per_host(connections)
            .pool_timer(TokioTimer::new())
            .build(tls::connector(target, Version::Http1)?);
        Ok(Client { pool, url: target.url.clone(), headers, gzip })
    }

    /// Returns the bytes to send for a request body. They are made once, and sent as often as needed.
    pub fn prepare(&self, body: &Bytes) -> Bytes {
        if self.gzip { gzip::compress(body) } else { body.clone() }
    }

    /// Sends a body, and returns within `limit` what became of it.
    pub async fn export(&self, prepared: Bytes, limit: Duration) -> Outcome {
        self.export_dated(prepared, limit).await.0
    }

    /// Does the same as [`Client::export`], and also returns the time of the answer by the peer's clock.
    pub async fn export_dated(&self, prepared: Bytes, limit: Duration) -> (Outcome, Option<Timestamp>) {
        let deadline = Instant::now() + limit;
        let mut request = Request::new(Full::new(prepared));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = self.headers.clone();
        let response = match timeout_at(deadline, self.pool.request(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return (Outcome::Failed(Failure::transport(&error)), None),
            Err(_) => return (Outcome::Failed(Failure::timeout(limit)), None),
        };
        let (parts, body) = response.into_parts();
        let answer = timeout_at(deadline, read(body)).await.unwrap_or(None);
        let outcome = match parts.status.is_success() {
            true => accepted(parts.status, &parts.headers, answer.as_deref()),
            // The status alone decides; the body only explains it.
            false => refused(parts.status, &parts.headers, &answer.unwrap_or_default()),
        };
        (outcome, parts.headers.get(header::DATE).and_then(|date| http_date(date.to_str().ok()?)))
    }
}

/// Reads the body of an answer; `None` if it breaks off, or is too long.
async fn read(body: Incoming) -> Option<Bytes> {
    Limited::new(body, ANSWER_BYTES).collect().await.ok().map(|body| body.to_bytes())
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct JsonResponse {
    partial_success: Option<JsonPartialSuccess>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct JsonPartialSuccess {
    rejected_spans: Option<JsonInt>,
    error_message: Option<String>,
}

/// A 64-bit integer, which protobuf's JSON mapping allows to be written as a string.
#[derive(Deserialize)]
#[serde(untagged)]
enum JsonInt {
    Number(i64),
    Text(String),
}

/// Returns the content type of an answer, in lower case and without its parameters; empty if it has none.
fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    String::from_utf8_lossy(value).split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Returns the outcome of a request that was answered with a status of 2xx. The receiver has accepted it even if its
/// `answer` broke off. An answer that is not an OTLP response does not come from an OTLP receiver, but for example from a
/// proxy with a log-in page.
fn accepted(status: StatusCode, headers: &HeaderMap, answer: Option<&[u8]>) -> Outcome {
    let read = match (content_type(headers).as_str(), answer) {
        ("application/json" | "application/x-protobuf" | "", None) => Ok((0, String::new())),
        ("application/json", Some([])) => Ok((0, String::new())),
        ("application/json", Some(answer)) => json_response(answer),
        ("application/x-protobuf" | "", Some(answer)) => protobuf_response(answer),
        (other, _) => Err(format!("its content type is {other}")),
    };
    match read {
        Ok((rejected, message)) => {
            Outcome::Accepted { rejected_spans: u64::try_from(rejected).unwrap_or(0), message: shorten(&message) }
        }
        Err(problem) => {
            let message = format!("{problem}; is this an OTLP receiver, or a proxy before it?");
            Outcome::Rejected(Cause::new(format!("HTTP {status} without an OTLP response"), &message))
        }
    }
}

/// Returns the number of rejected spans and a message.
fn json_response(answer: &[u8]) -> Result<(i64, String), String> {
    let response: JsonResponse =
        serde_json::from_slice(answer).map_err(|e| format!("its JSON can't be decoded ({e})"))?;
    let partial = response.partial_success.unwrap_or_default();
    let rejected = match partial.rejected_spans {
        Some(JsonInt::Number(n)) => n,
        Some(JsonInt::Text(text)) => text.parse().map_err(|_| "its number of rejected spans is not a number")?,
        None => 0,
    };
    Ok((rejected, partial.error_message.unwrap_or_default()))
}

/// Does the same as [`json_response`] for protobuf.
fn protobuf_response(answer: &[u8]) -> Result<(i64, String), String> {
    let response = ExportTraceServiceResponse::decode(answer);
    let partial = response.map_err(|e| format!("its protobuf can't be decoded ({e})"))?.partial_success;
    Ok(partial.map(|partial| (partial.rejected_spans, partial.error_message)).unwrap_or_default())
}

fn refused(status: StatusCode, headers: &HeaderMap, answer: &[u8]) -> Outcome {
    let cause = Cause::new(format!("HTTP {status}"), &message_of(status, headers, answer));
    if matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    ) {
        let wait = headers.get(header::RETRY_AFTER).and_then(|v| retry_after(v.to_str().ok()?));
        // A receiver may fail, or a gateway before it give up, after the spans were accepted. Only one that is too busy to
        // look at them has certainly not accepted them.
        let unknown = status != StatusCode::TOO_MANY_REQUESTS;
        Outcome::Failed(Failure { cause, unknown, answered: true, wait })
    } else {
        Outcome::Rejected(cause)
    }
}

/// Returns what the peer says of a refusal: a `google.rpc.Status` by the specification, a line of text from others.
fn message_of(status: StatusCode, headers: &HeaderMap, answer: &[u8]) -> String {
    #[derive(Deserialize)]
    struct JsonStatus {
        message: String,
    }
    if status.is_redirection() {
        let to = headers.get(header::LOCATION).map(|v| String::from_utf8_lossy(v.as_bytes()));
        return format!("redirects to {}; redirects are not followed", to.unwrap_or_default());
    }
    let json = || serde_json::from_slice::<JsonStatus>(answer).ok();
    let line = || String::from_utf8_lossy(answer).lines().next().unwrap_or_default().to_string();
    match content_type(headers).as_str() {
        "application/x-protobuf" => tonic_types::Status::decode(answer).unwrap_or_default().message,
        "application/json" => json().map_or_else(line, |status| status.message),
        "text/html" => String::new(),
        _ => line(),
    }
}

/// Parses a number of seconds, or an HTTP date.
fn retry_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    // A date that has passed demands no wait.
    Some(http_date(value)?.duration_since(Timestamp::now()).try_into().unwrap_or(Duration::ZERO))
}

fn http_date(value: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(value).ok().map(|date| date.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(content_type: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))])
    }

    fn json() -> HeaderMap {
        typed("application/json; charset=utf-8")
    }

    fn accepts(rejected_spans: u64, message: &str) -> Outcome {
        Outcome::Accepted { rejected_spans, message: message.into() }
    }

    #[test]
    fn partial_success_reads_in_both_formats() {
        let accepted = |headers: &HeaderMap, answer| accepted(StatusCode::OK, headers, Some(answer));
        assert_eq!(
            accepted(&json(), br#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}"#),
            accepts(3, "no")
        );
        assert_eq!(accepted(&json(), br#"{"partialSuccess":{"rejectedSpans":3}}"#), accepts(3, ""));
        assert_eq!(accepted(&json(), br#"{"partialSuccess":{}}"#), accepts(0, ""));
        assert_eq!(accepted(&json(), b"{}"), accepts(0, ""));
        for headers in [HeaderMap::new(), typed("application/x-protobuf"), typed("Application/X-Protobuf; q=1")] {
            assert_eq!(accepted(&headers, &[0x0a, 0x06, 0x08, 3, 0x12, 2, b'n', b'o']), accepts(3, "no"));
            assert_eq!(accepted(&headers, &[0x0a, 0x00]), accepts(0, ""));
            assert_eq!(accepted(&headers, b""), accepts(0, ""));
        }
    }

    #[test]
    fn an_answer_that_is_not_an_otlp_response_is_a_rejection_with_a_reason() {
        for (headers, answer, reason) in [
            (typed("text/html; charset=utf-8"), &b"<html>log in"[..], "its content type is text/html"),
            (typed("text/plain"), b"", "its content type is text/plain"),
            (typed("application/jsonp"), b"{}", "its content type is application/jsonp"),
            (HeaderMap::new(), b"OK", "its protobuf can't be decoded"),
            (typed("application/x-protobuf"), b"<html>", "its protobuf can't be decoded"),
            (json(), b"<html>", "its JSON can't be decoded"),
            (json(), br#"{"partialSuccess":{"rejectedSpans":"many"}}"#, "its number of rejected spans"),
        ] {
            let Outcome::Rejected(cause) = accepted(StatusCode::OK, &headers, Some(answer)) else {
                panic!("{headers:?} was taken for an acknowledgement");
            };
            assert_eq!(cause.name, "HTTP 200 OK without an OTLP response");
            assert!(cause.message.starts_with(reason), "{cause}");
        }
        assert!(matches!(accepted(StatusCode::OK, &typed("text/html"), None), Outcome::Rejected(_)));
    }

    #[test]
    fn an_answer_that_breaks_off_is_still_an_acknowledgement() {
        for headers in [HeaderMap::new(), json(), typed("application/x-protobuf")] {
            assert_eq!(accepted(StatusCode::ACCEPTED, &headers, None), accepts(0, ""));
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after(" 120 "), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert_eq!(retry_after("soon"), None);
        let in_a_minute = Timestamp::now() + Duration::from_secs(60);
        let date = in_a_minute.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let wait = retry_after(&date).unwrap();
        assert!((58..=60).contains(&wait.as_secs()), "{wait:?}");
    }

    #[test]
    fn only_the_specified_statuses_are_retried() {
        for code in 100..600 {
            let status = StatusCode::from_u16(code).unwrap();
            let retried = match refused(status, &HeaderMap::new(), b"") {
                Outcome::Failed(failure) => Some(failure.unknown),
                _ => None,
            };
            let expected = match code {
                429 => Some(false),
                502..=504 => Some(true),
                _ => None,
            };
            assert_eq!(retried, expected, "{code}");
        }
    }

    #[test]
    fn a_refusal_contains_the_message_of_the_peer() {
        let Outcome::Rejected(cause) = refused(StatusCode::BAD_REQUEST, &json(), br#"{"code":3,"message":"bad"}"#)
        else {
            panic!("400 is not retried");
        };
        assert_eq!((cause.name.as_str(), cause.message.as_str()), ("HTTP 400 Bad Request", "bad"));
    }

    proptest::proptest! {
        #[test]
        fn no_answer_panics(
            status in 100u16..1000,
            content_type in "(application/(json|x-protobuf)|text/plain|.{0,10})",
            wait in "([0-9]{0,25}|[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} [0-9]{1,6} [0-9:]{8} [A-Z]{3}|.{0,20})",
            text in ".{0,400}",
            bytes in proptest::collection::vec(0u8.., 0..80),
        ) {
            let mut headers = HeaderMap::new();
            for (name, value) in [(header::CONTENT_TYPE, content_type), (header::RETRY_AFTER, wait)] {
                if let Ok(value) = HeaderValue::from_str(&value) {
                    headers.insert(name, value);
                }
            }
            for body in [text.as_bytes(), &bytes] {
                accepted(StatusCode::OK, &headers, Some(body));
                refused(StatusCode::from_u16(status).unwrap(), &headers, body);
            }
        }
    }
}
