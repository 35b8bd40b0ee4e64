//! The receiver of traces or of tracegen's own metrics: flags and the `OTEL_EXPORTER_OTLP_*` variables are resolved to a
//! [`Target`].
//!
//! The precedence is that of the specification (OpenTelemetry Protocol Exporter): `OTEL_EXPORTER_OTLP_TRACES_*`, or
//! `_METRICS_*`, beats `OTEL_EXPORTER_OTLP_*`; a flag beats both. Headers from flags are added to those from variables and
//! replace those with the same name. An empty variable counts as unset.

mod error;
mod headers;
mod url;

pub use error::TargetError;

use hyper::{HeaderMap, Uri};
use std::{fmt, path::PathBuf, time::Duration};

/// The time-out of a request if no variable sets one (the specification's default).
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// The kind of telemetry that is sent to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    Traces,
    Metrics,
}

impl Signal {
    /// Returns the signal's name in variables.
    fn name(self) -> &'static str {
        match self {
            Signal::Traces => "TRACES",
            Signal::Metrics => "METRICS",
        }
    }

    /// Returns the signal's path behind the base URL of an HTTP receiver.
    fn path(self) -> &'static str {
        match self {
            Signal::Traces => "/v1/traces",
            Signal::Metrics => "/v1/metrics",
        }
    }
}

/// The flags about the target.
#[derive(Clone, Debug, Default)]
pub struct TargetFlags {
    /// The value of `--endpoint`. It is treated as the general endpoint: for HTTP, `/v1/traces` is appended unless it is
    /// there already.
    pub endpoint: Option<String>,
    /// The value of `--protocol`.
    pub protocol: Option<String>,
    /// The values of `--header NAME=VALUE`, each taken literally.
    pub headers: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Grpc,
    HttpProtobuf,
    HttpJson,
}

impl Protocol {
    const ALLOWED: &str = "use grpc, http/protobuf or http/json";

    fn parse(text: &str) -> Option<Self> {
        [Protocol::Grpc, Protocol::HttpProtobuf, Protocol::HttpJson]
            .into_iter()
            .find(|p| p.to_string().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Grpc => "grpc",
            Protocol::HttpProtobuf => "http/protobuf",
            Protocol::HttpJson => "http/json",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
}

/// A file named by a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    pub variable: String,
    pub path: PathBuf,
}

/// PEM files for TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificates {
    /// The authorities to trust instead of the system's.
    pub authorities: Option<NamedFile>,
    /// The client's certificate chain and its private key.
    pub client: Option<(NamedFile, NamedFile)>,
}

/// A resolved OTLP receiver. It is displayed as `URL (protocol)`, without its headers.
#[derive(Clone, Debug)]
pub struct Target {
    pub protocol: Protocol,
    /// For gRPC the scheme, host and port; for HTTP the whole URL to which requests are posted.
    pub url: Uri,
    /// The headers of each request. Their values are marked sensitive, so that `Debug` hides them.
    pub headers: HeaderMap,
    /// The time-out of a request; `None` for no limit (the variable's `0`).
    pub timeout: Option<Duration>,
    pub compression: Compression,
    /// The certificates, which are read only if the URL is https.
    pub certificates: Certificates,
    /// Neither a flag nor a variable names an endpoint.
    pub is_default: bool,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URI of a gRPC target is displayed without its path.
        write!(f, "{} ({})", self.url.to_string().trim_end_matches('/'), self.protocol)
    }
}

/// A value and the flag or variable that it comes from.
struct Setting {
    name: String,
    value: String,
}

impl Setting {
    fn error(&self, problem: impl Into<String>) -> TargetError {
        TargetError::new(&self.name, &self.value, problem)
    }
}

impl Target {
    /// Resolves the target of traces, from flags and variables. `env` looks up a variable.
    ///
    /// # Errors
    /// A flag or variable has a value that can't be used; the first one is reported.
    pub fn resolve(flags: TargetFlags, env: &dyn Fn(&str) -> Option<String>) -> Result<Target, TargetError> {
        Target::of(Signal::Traces, flags, env)
    }

    /// Resolves the target of tracegen's own metrics, from variables.
    ///
    /// # Errors
    /// A variable has a value that can't be used; the first one is reported.
    pub fn of_metrics(env: &dyn Fn(&str) -> Option<String>) -> Result<Target, TargetError> {
        Target::of(Signal::Metrics, TargetFlags::default(), env)
    }

    fn of(signal: Signal, flags: TargetFlags, env: &dyn Fn(&str) -> Option<String>) -> Result<Target, TargetError> {
        let get = |name: String| {
            let value = env(&name)?.trim().to_string();
            (!value.is_empty()).then_some(Setting { name, value })
        };
        let own = |name: &str| get(format!("OTEL_EXPORTER_OTLP_{}_{name}", signal.name()));
        let either = |name: &str| own(name).or_else(|| get(format!("OTEL_EXPORTER_OTLP_{name}")));
        let flag = |name: &str, value: Option<String>| {
            value.map(|value| Setting { name: name.into(), value: value.trim().to_string() })
        };

        let protocol = match flag("--protocol", flags.protocol).or_else(|| either("PROTOCOL")) {
            Some(s) => Some(Protocol::parse(&s.value).ok_or_else(|| s.error(Protocol::ALLOWED))?),
            None => None,
        };
        let insecure = match either("INSECURE") {
            Some(s) => parse_bool(&s)?,
            None => false,
        };
        let endpoint = if let Some(s) = flag("--endpoint", flags.endpoint) {
            Some((s, url::Path::AppendOnce))
        } else if let Some(s) = own("ENDPOINT") {
            Some((s, url::Path::AsIs))
        } else {
            get("OTEL_EXPORTER_OTLP_ENDPOINT".into()).map(|s| (s, url::Path::Append))
        };
        let is_default = endpoint.is_none();
        let (url, protocol) = match endpoint {
            Some((s, path)) => url::parse(&s, signal, path, protocol, insecure)?,
            None => url::default(signal, protocol.unwrap_or(Protocol::Grpc)),
        };

        let mut all_headers = HeaderMap::new();
        if let Some(s) = either("HEADERS") {
            headers::parse_list(&s.name, &s.value, &mut all_headers)?;
        }
        for header in &flags.headers {
            headers::parse_flag("--header", header, &mut all_headers)?;
        }

        let timeout = match either("TIMEOUT") {
            Some(s) => parse_timeout(&s)?,
            None => Some(DEFAULT_TIMEOUT),
        };
        let compression = match either("COMPRESSION") {
            Some(s) if s.value.eq_ignore_ascii_case("gzip") => Compression::Gzip,
            Some(s) if !s.value.eq_ignore_ascii_case("none") => return Err(s.error("use none or gzip")),
            _ => Compression::None,
        };
        let file = |name| either(name).map(|s| NamedFile { variable: s.name, path: s.value.into() });
        let client = match (file("CLIENT_CERTIFICATE"), file("CLIENT_KEY")) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(lone), None) => {
                return Err(TargetError::file(&lone, "its key is missing; set OTEL_EXPORTER_OTLP_CLIENT_KEY too"));
            }
            (None, Some(lone)) => {
                let problem = "its certificate is missing; set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE too";
                return Err(TargetError::file(&lone, problem));
            }
        };
        let certificates = Certificates { authorities: file("CERTIFICATE"), client };
        Ok(Target { protocol, url, headers: all_headers, timeout, compression, certificates, is_default })
    }
}

fn parse_bool(s: &Setting) -> Result<bool, TargetError> {
    match s.value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(s.error("use true or false")),
    }
}

/// Parses milliseconds. `0` means no limit, as the specification says of every time-out variable.
fn parse_timeout(s: &Setting) -> Result<Option<Duration>, TargetError> {
    const LONGEST_MS: u64 = 3_600_000;
    match s.value.parse::<u64>() {
        Ok(0) => Ok(None),
        Ok(ms @ 1..=LONGEST_MS) => Ok(Some(Duration::from_millis(ms))),
        _ => Err(s.error(format!("use whole milliseconds, 1 to {LONGEST_MS}, or 0 for no limit"))),
    }
}

#[cfg(test)]
mod tests;
