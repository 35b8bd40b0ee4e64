//! The destination of a run's traces: as recorded in its manifest, and as the flags of a command with the same destination.

use super::exporter::{self, Exporter, ExporterFlags, WHOLE_ENDPOINT};
use crate::cli::words::quoted;
use crate::cli::{Failure, database, environment};
use crate::export::target::{Protocol, Target};
use crate::journal::Destination;
use crate::store::Connection;
use std::path::Path;

/// The default destination.
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

/// Returns a tracegen command with the same destination as a run. `words` are the command's words from the subcommand on.
/// `anew`: the command sends the same traces again, so that an existing file must be overwritten.
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
                // The flag would append the path of OTLP over HTTP to an endpoint with another path.
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

/// Sets the flags so that the remaining traces are sent to the destination in the manifest, unless flags say otherwise.
///
/// # Errors
/// The manifest's destination can't be used, or its endpoint must not get a secret of the environment.
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

/// Checks that no secret would be sent to the endpoint of a manifest, which anybody may have written.
///
/// # Errors
/// The environment contains a secret that may be meant for another server.
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
