//! The sources from which arrived traces are read.

mod clickhouse;
mod files;
mod frames;
mod inflate;
mod jaeger;
mod watch;

use super::{Fidelity, Verifier};
use crate::store::Connection;
use std::fmt;
use std::path::PathBuf;

/// A source of arrived traces, as named by `--from`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// OTLP files: JSON lines or length-delimited protobuf, plain or compressed with gzip or zstd.
    Files(Vec<PathBuf>),
    /// Standard input, with the same content as files.
    Stdin,
    /// The tables of the collector's ClickHouse exporter.
    ClickHouse(Connection),
    /// Jaeger's HTTP API, by its base URL.
    Jaeger(String),
}

/// The error for a source that could not be read, so that there is no verdict.
#[derive(Debug)]
pub struct SourceError(pub String);

impl std::error::Error for SourceError {}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Source {
    /// Returns how faithfully the source stores spans.
    pub fn fidelity(&self) -> Fidelity {
        match self {
            Source::Files(_) | Source::Stdin => Fidelity::Otlp,
            Source::ClickHouse(_) => Fidelity::ClickHouse,
            Source::Jaeger(_) => Fidelity::Jaeger,
        }
    }

    /// Shows every span to the verifier. `watch` is called a few times a second.
    ///
    /// # Errors
    /// The source is out of reach, refuses access, or ends too early.
    pub fn read(&self, verifier: &mut Verifier, watch: &mut dyn FnMut(&Verifier)) -> Result<(), SourceError> {
        match self {
            Source::Files(paths) => files::read(paths, verifier, watch),
            Source::Stdin => {
                files::read_stdin(verifier, watch);
                Ok(())
            }
            Source::ClickHouse(connection) => asked(clickhouse::read(connection, verifier, watch)),
            Source::Jaeger(url) => asked(jaeger::read(url, verifier, watch)),
        }
    }
}

/// Runs a reading that asks a server to its end.
fn asked(reading: impl Future<Output = Result<(), SourceError>>) -> Result<(), SourceError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| SourceError(e.to_string()))?.block_on(reading)
}
