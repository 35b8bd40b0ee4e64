//! Where a run sends its traces, written down: in its manifest, and as the words of a command that sends others there, too.

use super::exporter::{self, Exporter, ExporterFlags, WHOLE_ENDPOINT};
use crate::cli::words::quoted;
use crate::cli::{Failure, database, environment};
use crate::export::target::{Protocol, Target};
use crate::journal::Destination;
use crate::store::Connection;
use std::path::Path;

/// Where a run sends by default.
const DEFAULT: &str = "http://localhost:4317";

impl Destination {
    pub(super) fn plain(exporter: &str) -> Destination {
        Destination { exporter: exporter.into(), endpoint: None, protocol: None }
    }

    pub(super) fn file(path: &Path) -> Destination {
        Destination::plain(&format!("file={}", path.display()))
    }

    pub(super) fn collector(target: &Target) -> Destination {
        let endpoint = Some(target.url.to_string().trim_end_matches('/').to_string());
        Destination { endpoint, protocol: Some(target.protocol.to_string()), ..Destination::plain("otlp") }
    }

    pub(super) fn clickhouse(connection: &Connection) -> Destination {
        Destination { endpoint: Some(connection.url()), ..Destination::plain("clickhouse") }
    }
}

/// A command of tracegen's that sends to where a run sent: `words` are its own, from the subcommand on; `anew`: the same
/// traces once more, so that a file is overwritten by what it holds.
pub fn command(words: &str, destination: &Destination, anew: bool) -> String {
    let Destination { exporter, endpoint, protocol } = destination;
    let endpoint = endpoint.as_deref().unwrap_or_default();
    let (mut before, mut flags) = (String::new(), String::new());
    match exporter.as_str() {
        "otlp" => {
            let grpc = Protocol::Grpc.to_string();
            let protocol = protocol.as_ref().unwrap_or(&grpc);
            let path = endpoint.split('?').next().unwrap_or_default();
            if (endpoint, protocol) != (DEFAULT, &grpc) {
                // The flag would append the path of OTLP over HTTP to an address that has another.
                if *protocol == grpc || path.ends_with("/v1/traces") {
                    flags += &format!(" --endpoint {}", quoted(endpoint));
                } else {
                    before += &format!("{WHOLE_ENDPOINT}={} ", quoted(endpoint));
                }
                flags += &format!(" --protocol {protocol}");
            }
        }
        other => {
            flags += &format!(" --exporter {}", quoted(other));
            if !endpoint.is_empty() {
                flags += &format!(" --endpoint {}", quoted(endpoint));
            }
            if anew && other.starts_with("file=") && other != "file=-" {
                flags += " --force";
            }
        }
    }
    format!("{before}tracegen {words}{flags}")
}

/// Sends the rest of a run to where its manifest says that it went, unless a flag says otherwise.
///
/// # Errors
/// The manifest names nothing that can be sent to, or an endpoint that a secret of the environment may not be meant for.
pub fn go_on(flags: &mut ExporterFlags, destination: &Destination) -> Result<(), Failure> {
    flags.append = true;
    if flags.exporter.is_some() || flags.endpoint.is_some() || flags.protocol.is_some() {
        return Ok(());
    }
    let exporter = exporter::parse(&destination.exporter)
        .map_err(|e| Failure::impossible(format!("its manifest sends to `{}`: {e}", destination.exporter)))?;
    if let Some(endpoint) = &destination.endpoint {
        check_secrets(&exporter, endpoint)?;
    }
    flags.endpoint = destination.endpoint.clone().filter(|_| exporter != Exporter::Otlp);
    flags.whole_endpoint = destination.endpoint.clone().filter(|_| exporter == Exporter::Otlp);
    flags.protocol = destination.protocol.clone();
    flags.exporter = Some(exporter);
    Ok(())
}

/// # Errors
/// The environment holds a secret, which is for another server than a manifest, that anybody may have written, names.
fn check_secrets(exporter: &Exporter, endpoint: &str) -> Result<(), Failure> {
    let (variable, meant) = match exporter {
        Exporter::Otlp => {
            let target = Target::resolve(Default::default(), &environment::text);
            let target = target.map_err(|e| Failure::usage(e.to_string()))?;
            if target.headers.is_empty() {
                return Ok(());
            }
            ("OTEL_EXPORTER_OTLP_HEADERS", target.url.to_string())
        }
        Exporter::ClickHouse => {
            let connection = database::connection()?;
            if connection.password.is_empty() {
                return Ok(());
            }
            (database::variable("PASSWORD"), connection.url())
        }
        _ => return Ok(()),
    };
    let place = |url: &str| {
        let url: hyper::Uri = url.parse().ok()?;
        Some((url.scheme_str()?.to_string(), url.authority()?.to_string()))
    };
    if place(endpoint).is_some_and(|named| Some(named) == place(&meant)) {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "the run went to {endpoint}, and {variable} may not be meant for that server: name it with --endpoint {}",
        quoted(endpoint)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_carries_its_destination() {
        let otlp = |endpoint: &str, protocol: &str| Destination {
            endpoint: Some(endpoint.into()),
            protocol: Some(protocol.into()),
            ..Destination::plain("otlp")
        };
        for (destination, expected) in [
            (otlp("http://localhost:4317", "grpc"), "tracegen run"),
            (otlp("https://c:4317", "grpc"), "tracegen run --endpoint https://c:4317 --protocol grpc"),
            (
                otlp("http://c:4318/v1/traces?a=b&c", "http/json"),
                "tracegen run --endpoint 'http://c:4318/v1/traces?a=b&c' --protocol http/json",
            ),
            (
                otlp("http://c/otlp", "http/protobuf"),
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c/otlp tracegen run --protocol http/protobuf",
            ),
            (Destination::file(Path::new("it's a.bin")), r"tracegen run --exporter 'file=it'\''s a.bin' --force"),
            (Destination::file(Path::new("-")), "tracegen run --exporter file=-"),
            (Destination::plain("none"), "tracegen run --exporter none"),
        ] {
            assert_eq!(command("run", &destination, true), expected);
        }
    }
}
