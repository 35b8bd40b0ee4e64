//! The flags for the destination of traces.

use crate::cli::{Failure, environment};
use crate::export::target::{Target, TargetFlags};
use crate::text::quantity;
use clap::Args;
use std::path::PathBuf;

/// The variable with the whole URL of a collector.
pub const WHOLE_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

/// The value of `--exporter`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exporter {
    Otlp,
    Stdout,
    File(PathBuf),
    ClickHouse,
    None,
}

/// Parses the value of `--exporter`.
///
/// # Errors
/// The text names no exporter.
pub fn parse(text: &str) -> Result<Exporter, String> {
    match text.split_once('=') {
        None if text == "otlp" => Ok(Exporter::Otlp),
        None if text == "stdout" => Ok(Exporter::Stdout),
        None if text == "clickhouse" => Ok(Exporter::ClickHouse),
        None if text == "none" => Ok(Exporter::None),
        Some(("file", path)) if !path.is_empty() => Ok(Exporter::File(path.into())),
        _ => Err("expected otlp, stdout, file=PATH, clickhouse or none".into()),
    }
}

/// The flags for the destination of traces.
#[derive(Args)]
pub struct ExporterFlags {
    /// Where to send traces: otlp, stdout, file=PATH (.jsonl, .ndjson and .json are OTLP JSON lines, other names are
    /// length-prefixed protobuf; .gz at the end compresses; - is stdout), clickhouse, none [default: otlp, for replay stdout]
    #[arg(long, value_name = "WHERE", value_parser = parse)]
    pub exporter: Option<Exporter>,
    /// Overwrite the file of file=PATH if it exists
    #[arg(long)]
    pub force: bool,
    /// URL of the collector [default: OTEL_EXPORTER_OTLP_ENDPOINT or http://localhost:4317], or of ClickHouse:
    /// http://HOST:8123/DATABASE
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// grpc, http/protobuf or http/json [default: OTEL_EXPORTER_OTLP_PROTOCOL, or grpc at port 4317, else http/protobuf]
    #[arg(long, value_name = "PROTOCOL")]
    pub protocol: Option<String>,
    /// A header for every request; can be repeated
    #[arg(long, value_name = "K=V")]
    pub header: Vec<String>,
    /// How long to wait for a collector that has never answered [default: 10s]
    #[arg(long, value_name = "D", value_parser = quantity::duration)]
    pub wait: Option<u64>,
    /// Append to the file.
    #[arg(skip)]
    pub append: bool,
    /// The whole URL of the collector, which replaces `endpoint` and its variables.
    #[arg(skip)]
    pub whole_endpoint: Option<String>,
}

impl ExporterFlags {
    /// Returns the collector that flags and variables name.
    ///
    /// # Errors
    /// A flag or a variable has a value that can't be used.
    pub fn target(&self) -> Result<Target, Failure> {
        let variable = |name: &str| match &self.whole_endpoint {
            Some(endpoint) if name == WHOLE_ENDPOINT => Some(endpoint.clone()),
            _ => environment::text(name),
        };
        let flags = TargetFlags {
            endpoint: self.endpoint.clone(),
            protocol: self.protocol.clone(),
            headers: self.header.clone(),
        };
        Target::resolve(flags, &variable).map_err(|e| Failure::usage(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exporters() {
        assert_eq!(parse("otlp"), Ok(Exporter::Otlp));
        assert_eq!(parse("file=a=b.bin"), Ok(Exporter::File("a=b.bin".into())));
        for text in ["", "file", "file=", "kafka", "stdout=x"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
