//! The step from an endpoint to the URL of requests.

use super::{Protocol, Setting, Signal, TargetError};
use hyper::Uri;

/// The treatment of the path of an HTTP endpoint. gRPC has a fixed path, so the endpoint's is dropped.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Path {
    /// The endpoint is the whole URL, as the endpoint of one signal is.
    AsIs,
    /// The endpoint is a base, as the general endpoint is.
    Append,
    /// The endpoint is a base or a whole URL, as the flag is.
    AppendOnce,
}

/// Returns the default address of an OTLP receiver.
pub(super) fn default(signal: Signal, protocol: Protocol) -> (Uri, Protocol) {
    let url = match (protocol, signal) {
        (Protocol::Grpc, _) => Uri::from_static("http://localhost:4317"),
        (_, Signal::Traces) => Uri::from_static("http://localhost:4318/v1/traces"),
        (_, Signal::Metrics) => Uri::from_static("http://localhost:4318/v1/metrics"),
    };
    (url, protocol)
}

/// Parses an endpoint. Without a protocol, port 4317 means gRPC and any other HTTP with protobuf. gRPC also accepts
/// `HOST:PORT`, which means TLS unless `insecure`.
pub(super) fn parse(
    s: &Setting,
    signal: Signal,
    path: Path,
    protocol: Option<Protocol>,
    insecure: bool,
) -> Result<(Uri, Protocol), TargetError> {
    let has_scheme = s.value.contains("://");
    let text = if has_scheme { s.value.clone() } else { format!("http://{}", s.value) };
    let parsed: Uri =
        text.parse().map_err(|e| s.error(format!("not a URL ({e}); use http://HOST:PORT or https://..")))?;
    let scheme = parsed.scheme_str().unwrap_or_default();
    if scheme != "http" && scheme != "https" {
        return Err(s.error("the scheme must be http or https"));
    }
    let Some(authority) = parsed.authority().filter(|a| !a.host().is_empty()) else {
        return Err(s.error("the host is missing; use http://HOST:PORT"));
    };
    if authority.as_str().contains('@') {
        let problem = "user and password can't stand in the URL; send an authorization header instead";
        return Err(TargetError::secret(&s.name, problem));
    }
    if authority.as_str().len() > authority.host().len() && authority.port_u16().is_none_or(|port| port == 0) {
        return Err(s.error("the port must be a number from 1 to 65535"));
    }
    let protocol = protocol.unwrap_or(match authority.port_u16() {
        Some(4317) => Protocol::Grpc,
        _ => Protocol::HttpProtobuf,
    });
    let (scheme, path_and_query) = if protocol == Protocol::Grpc {
        let scheme = match (has_scheme, insecure) {
            (true, _) => scheme,
            (false, true) => "http",
            (false, false) => "https",
        };
        (scheme, "/".to_string())
    } else if has_scheme {
        (scheme, full_path(&parsed, signal.path(), path))
    } else {
        return Err(s.error(format!("{protocol} needs a scheme; write http://{0} or https://{0}", s.value)));
    };
    let url = Uri::builder().scheme(scheme).authority(authority.clone()).path_and_query(path_and_query).build();
    Ok((url.map_err(|e| s.error(format!("not a URL ({e})")))?, protocol))
}

/// Returns the path of requests. `own` is the signal's path.
fn full_path(url: &Uri, own: &str, path: Path) -> String {
    let base = url.path().trim_end_matches('/');
    let mut full = match path {
        Path::AsIs => url.path().to_string(),
        Path::AppendOnce if base.ends_with(own) => base.to_string(),
        Path::Append | Path::AppendOnce => format!("{base}{own}"),
    };
    if let Some(query) = url.query() {
        full.push('?');
        full.push_str(query);
    }
    full
}
