//! OTLP/HTTP, protobuf or JSON, over HTTP/1.1 with keep-alive.
//!
//! What is retried, and how an answer reads, is the OTLP specification's ("OTLP/HTTP Response").

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

/// Longest answer that is read, bytes.
const ANSWER_BYTES: usize = 256 * 1024;

#[derive(Clone)]
pub(super) struct Client {
    pool: Pool<tls::Connector, Full<Bytes>>,
    url: Uri,
    headers: HeaderMap,
    gzip: bool,
}

impl Client {
    /// Keeps up to `connections` connections open.
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

    /// The bytes to send for a request body: made once, sent as often as needed.
    pub fn prepare(&self, body: &Bytes) -> Bytes {
        if self.gzip { gzip::compress(body) } else { body.clone() }
    }

    pub async fn export(&self, prepared: Bytes) -> Outcome {
        self.export_dated(prepared).await.0
    }

    /// With when the peer answered, by its own clock.
    pub async fn export_dated(&self, prepared: Bytes) -> (Outcome, Option<Timestamp>) {
        let mut request = Request::new(Full::new(prepared));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = self.headers.clone();
        let response = match self.pool.request(request).await {
            Ok(response) => response,
            Err(error) => return (Outcome::Failed(Failure::transport(&error)), None),
        };
        let (parts, body) = response.into_parts();
        let answer = read(body).await;
        let outcome = match parts.status.is_success() {
            true => match answer {
                Ok(answer) => accepted(&parts.headers, &answer),
                Err(Unread::TooLong) => accepted(&HeaderMap::new(), &[]),
                Err(Unread::Broken(failure)) => Outcome::Failed(failure),
            },
            // The status alone decides; the body only says more.
            false => refused(parts.status, &parts.headers, &answer.unwrap_or_default()),
        };
        (outcome, parts.headers.get(header::DATE).and_then(|date| http_date(date.to_str().ok()?)))
    }
}

enum Unread {
    TooLong,
    Broken(Failure),
}

async fn read(body: Incoming) -> Result<Bytes, Unread> {
    match Limited::new(body, ANSWER_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Unread::TooLong),
        Err(error) => Err(Unread::Broken(Failure::transport(&*error))),
    }
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct JsonResponse {
    partial_success: Option<JsonPartialSuccess>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct JsonPartialSuccess {
    #[serde(alias = "rejectedDataPoints")]
    rejected_spans: Option<JsonInt>,
    error_message: Option<String>,
}

/// 64-bit integers may come as text (protobuf's JSON mapping).
#[derive(Deserialize)]
#[serde(untagged)]
enum JsonInt {
    Number(i64),
    Text(String),
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"application/json"))
}

/// A status of 2xx acknowledges, whatever the body holds; one that can't be read as OTLP rejects nothing.
fn accepted(headers: &HeaderMap, answer: &[u8]) -> Outcome {
    let (rejected, message) = if is_json(headers) {
        let partial =
            serde_json::from_slice::<JsonResponse>(answer).unwrap_or_default().partial_success.unwrap_or_default();
        let rejected = match partial.rejected_spans {
            Some(JsonInt::Number(n)) => n,
            Some(JsonInt::Text(text)) => text.parse().unwrap_or(0),
            None => 0,
        };
        (rejected, partial.error_message.unwrap_or_default())
    } else {
        let partial =
            ExportTraceServiceResponse::decode(answer).unwrap_or_default().partial_success.unwrap_or_default();
        (partial.rejected_spans, partial.error_message)
    };
    Outcome::Accepted { rejected_spans: u64::try_from(rejected).unwrap_or(0), message: shorten(&message) }
}

fn refused(status: StatusCode, headers: &HeaderMap, answer: &[u8]) -> Outcome {
    let cause = Cause::new(format!("HTTP {status}"), &message_of(status, headers, answer));
    let gateway = matches!(status, StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT);
    if gateway || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        let wait = headers.get(header::RETRY_AFTER).and_then(|v| retry_after(v.to_str().ok()?));
        // Behind a gateway that gave up, the receiver may still have taken the spans.
        Outcome::Failed(Failure { cause, unknown: gateway, answered: true, wait })
    } else {
        Outcome::Rejected(cause)
    }
}

/// What the peer says of a refusal: a `google.rpc.Status` by specification, a line of text from others.
fn message_of(status: StatusCode, headers: &HeaderMap, answer: &[u8]) -> String {
    #[derive(Deserialize)]
    struct JsonStatus {
        message: String,
    }
    if status.is_redirection() {
        let to = headers.get(header::LOCATION).map(|v| String::from_utf8_lossy(v.as_bytes()));
        return format!("redirects to {}; redirects are not followed", to.unwrap_or_default());
    }
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|t| t.to_str().ok()).unwrap_or_default();
    if content_type.starts_with("application/x-protobuf") {
        tonic_types::Status::decode(answer).unwrap_or_default().message
    } else if is_json(headers)
        && let Ok(json) = serde_json::from_slice::<JsonStatus>(answer)
    {
        json.message
    } else if content_type.starts_with("text/html") {
        String::new()
    } else {
        String::from_utf8_lossy(answer).lines().next().unwrap_or_default().to_string()
    }
}

/// Seconds, or an HTTP date.
fn retry_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    // A date that has passed is no wait.
    Some(http_date(value)?.duration_since(Timestamp::now()).try_into().unwrap_or(Duration::ZERO))
}

fn http_date(value: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(value).ok().map(|date| date.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json() -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"))])
    }

    fn accepts(rejected_spans: u64, message: &str) -> Outcome {
        Outcome::Accepted { rejected_spans, message: message.into() }
    }

    #[test]
    fn partial_success_reads_in_both_formats() {
        assert_eq!(
            accepted(&json(), br#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}"#),
            accepts(3, "no")
        );
        assert_eq!(accepted(&json(), br#"{"partialSuccess":{"rejectedSpans":3}}"#), accepts(3, ""));
        assert_eq!(accepted(&json(), br#"{"partialSuccess":{}}"#), accepts(0, ""));
        assert_eq!(accepted(&json(), b"{}"), accepts(0, ""));
        assert_eq!(accepted(&HeaderMap::new(), &[0x0a, 0x06, 0x08, 3, 0x12, 2, b'n', b'o']), accepts(3, "no"));
        assert_eq!(accepted(&HeaderMap::new(), &[0x0a, 0x00]), accepts(0, ""));
        assert_eq!(accepted(&HeaderMap::new(), b"OK"), accepts(0, ""));
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
            let retried = matches!(refused(status, &HeaderMap::new(), b""), Outcome::Failed(_));
            assert_eq!(retried, [429, 502, 503, 504].contains(&code), "{code}");
        }
    }

    #[test]
    fn a_refusal_says_what_the_peer_said() {
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
                accepted(&headers, body);
                refused(StatusCode::from_u16(status).unwrap(), &headers, body);
            }
        }
    }
}
