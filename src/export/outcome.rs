//! The outcome of one request.

use hyper_util::client::legacy;
use std::{error::Error, fmt, io, time::Duration};

/// The maximum length of a peer's message that is kept, in characters.
const MESSAGE_CHARS: usize = 300;

const TIMEOUT: &str = "timeout";

/// The reason why a request did not go through.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cause {
    /// A name out of a small set, such as `UNAVAILABLE`, `HTTP 429 Too Many Requests` or `connection refused`.
    pub name: String,
    /// The message of the peer or the system; may be empty.
    pub message: String,
}

impl Cause {
    /// The name of a cause that lies in TLS.
    pub const TLS: &str = "TLS";

    pub fn new(name: impl Into<String>, message: &str) -> Self {
        Cause { name: name.into(), message: shorten(message) }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // "Connection refused (os error 111)" says no more than its name.
        if self.message.to_lowercase().starts_with(&self.name.to_lowercase()) || self.message.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}: {}", self.name, self.message)
        }
    }
}

/// Returns a message of a peer, bounded in length and without control characters.
pub(super) fn shorten(message: &str) -> String {
    message.trim().chars().take(MESSAGE_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The outcome of one request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// The request was acknowledged. Some spans may still be rejected (OTLP's partial success); a message without rejected
    /// spans is a warning.
    Accepted { rejected_spans: u64, message: String },
    /// The request was refused for good.
    Rejected(Cause),
    /// The request was not acknowledged, but is worth another try.
    Failed(Failure),
}

/// A failure after which a request can be tried again.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Failure {
    pub cause: Cause,
    /// The peer may have accepted the spans all the same.
    pub unknown: bool,
    /// An OTLP receiver, or something before it, has answered.
    pub answered: bool,
    /// The wait that the peer demands.
    pub wait: Option<Duration>,
}

impl Failure {
    /// Reports whether an existing connection broke.
    pub fn is_broken_connection(&self) -> bool {
        self.unknown && !self.answered && self.cause.name != TIMEOUT
    }

    /// Makes the failure of a request without an answer within the time-out.
    pub fn timeout(limit: Duration) -> Self {
        let message = format!("no answer within {} ms", limit.as_millis());
        Failure { cause: Cause::new(TIMEOUT, &message), unknown: true, answered: false, wait: None }
    }

    /// Makes the failure of a request whose connection could not be made, or broke.
    pub fn transport(error: &(dyn Error + 'static)) -> Self {
        let connect = chain(error).any(|e| e.downcast_ref::<legacy::Error>().is_some_and(legacy::Error::is_connect));
        let last = || chain(error).last().map(ToString::to_string).unwrap_or_default();
        let cause = if let Some(tls) = chain(error).find_map(tls_error) {
            Cause::new(Cause::TLS, &explain_tls(tls))
        } else if let Some(io) = chain(error).find_map(|e| e.downcast_ref::<io::Error>()) {
            Cause::new(io_name(io.kind(), connect), &last())
        } else {
            Cause::new(if connect { "can't connect" } else { "connection broken" }, &last())
        };
        Failure { cause, unknown: !connect, answered: false, wait: None }
    }
}

fn io_name(kind: io::ErrorKind, connect: bool) -> String {
    let name = kind.to_string();
    match kind {
        io::ErrorKind::TimedOut if connect => "connect timeout".into(),
        // An unknown host name has no error kind of its own.
        _ if connect && (name == "other error" || name == "uncategorized error") => "can't connect".into(),
        _ => name,
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&e| e.source())
}

/// An `io::Error` does not return the error it wraps as its source, but that error's source.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut error = error;
    loop {
        if let Some(tls) = error.downcast_ref() {
            return Some(tls);
        }
        error = error.downcast_ref::<io::Error>()?.get_ref()?;
    }
}

fn explain_tls(error: &rustls::Error) -> String {
    use rustls::{CertificateError, Error};
    let hint = match error {
        Error::InvalidMessage(_) => "the peer does not speak TLS; use http://, or OTEL_EXPORTER_OTLP_INSECURE=true",
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "its issuer is not trusted; set OTEL_EXPORTER_OTLP_CERTIFICATE to the authority's PEM file"
        }
        Error::AlertReceived(_) => "the peer refused",
        _ => return error.to_string(),
    };
    format!("{error}: {hint}")
}
