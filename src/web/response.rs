//! Responses, with the headers that protect a page from misuse.

use crate::text::grouped;
use askama::Template;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Bytes};
use hyper::header::{self, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use serde::Serialize;
use std::convert::Infallible;
use std::fmt;
use std::io::{self, Write};

pub type Body = BoxBody<Bytes, Infallible>;
pub type Response = hyper::Response<Body>;

/// The content security policy: no scripts but our own files, no frames, no forms to other sites.
const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
                   form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The maximum length of a page or of a JSON answer, in bytes.
pub const LONGEST: usize = 16 << 20;
/// The length of a body in bytes below which gzip gains nothing.
const WORTH_COMPRESSING: u64 = 1_024;

/// Makes a response with a body in memory.
pub fn with(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    of(status, content_type, Full::new(body.into()).boxed())
}

pub fn of(status: StatusCode, content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_TYPE, content_type);
    set(header::CONTENT_SECURITY_POLICY, CSP);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "same-origin");
    set(header::CACHE_CONTROL, "no-store");
    response
}

/// Makes a response with a line for people.
pub fn text(status: StatusCode, line: &str) -> Response {
    with(status, "text/plain; charset=utf-8", format!("{line}\n"))
}

/// Makes a response with a rendered page, or an error if it is too long.
pub fn html(status: StatusCode, page: &impl Template) -> Response {
    let mut capped = Capped::default();
    match page.render_into(&mut capped) {
        Ok(()) => with(status, "text/html; charset=utf-8", capped.bytes),
        Err(_) if capped.full => {
            let line = format!("This page would be longer than {} bytes.", grouped(LONGEST as u64));
            text(StatusCode::PAYLOAD_TOO_LARGE, &line)
        }
        Err(e) => text(StatusCode::INTERNAL_SERVER_ERROR, &e.to_string()),
    }
}

/// Makes a response with a value as JSON, or an error if it is too long.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let mut capped = Capped::default();
    match serde_json::to_writer(&mut capped, value) {
        Ok(()) => with(status, "application/json", capped.bytes),
        Err(_) if capped.full => too_long(),
        Err(e) => text(StatusCode::INTERNAL_SERVER_ERROR, &e.to_string()),
    }
}

/// Makes the answer that replaces JSON longer than [`LONGEST`].
pub fn too_long() -> Response {
    let message = format!("The answer would be longer than {} bytes.", grouped(LONGEST as u64));
    let error = serde_json::json!({ "error": { "code": "payload_too_large", "message": message } });
    with(StatusCode::PAYLOAD_TOO_LARGE, "application/json", error.to_string())
}

/// A buffer of at most [`LONGEST`] bytes.
#[derive(Default)]
struct Capped {
    bytes: Vec<u8>,
    /// More bytes were written than the buffer takes.
    full: bool,
}

impl io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.full |= bytes.len() > LONGEST - self.bytes.len();
        if self.full {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Write for Capped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        io::Write::write(self, text.as_bytes()).map(drop).map_err(|_| fmt::Error)
    }
}

/// Makes the response to a form, which leads to the page at `path`.
pub fn see_other(path: &str) -> Response {
    let mut response = with(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", "");
    if let Ok(path) = HeaderValue::from_str(path) {
        response.headers_mut().insert(header::LOCATION, path);
    }
    response
}

/// Makes a response that names the allowed methods of an address.
pub fn allowed(status: StatusCode, methods: &'static str) -> Response {
    let mut response = text(status, &format!("Only {methods} is answered at this address."));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}

/// Reports whether the client accepts gzip.
pub fn takes_gzip(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|h| h.to_str().ok());
    codings.flat_map(|h| h.split(',')).any(|coding| {
        let (name, parameter) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = parameter.trim().strip_prefix("q=").and_then(|q| q.parse().ok()) == Some(0.0);
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

/// Returns all bytes of a body that is not a stream.
pub async fn whole(body: Body) -> Bytes {
    let Ok(body) = body.collect().await;
    body.to_bytes()
}

/// Compresses a response with gzip if that makes it shorter and it is not a stream.
pub async fn compressed(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let already = head.headers.contains_key(header::CONTENT_ENCODING);
    if already || body.size_hint().exact().is_none_or(|bytes| bytes < WORTH_COMPRESSING) {
        return Response::from_parts(head, body);
    }
    let body = whole(body).await;
    let mut gzip = GzEncoder::new(vec![], Compression::fast());
    let body = match gzip.write_all(&body).and_then(|()| gzip.finish()) {
        Ok(shorter) => {
            head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            Bytes::from(shorter)
        }
        Err(_) => body,
    };
    head.headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    Response::from_parts(head, Full::new(body).boxed())
}
