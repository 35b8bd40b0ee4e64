//! Where traces are read from.

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

/// What `--from` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// OTLP files: JSON lines or length-delimited protobuf, plain, gzip or zstd.
    Files(Vec<PathBuf>),
    /// The same on standard input.
    Stdin,
    /// The collector's tables.
    ClickHouse(Connection),
    /// The base URL of its HTTP API.
    Jaeger(String),
}

/// The source could not be read: no verdict.
#[derive(Debug)]
pub struct SourceError(pub String);

impl std::error::Error for SourceError {}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Source {
    /// What it keeps of a span.
    pub fn fidelity(&self) -> Fidelity {
        match self {
            Source::Files(_) | Source::Stdin => Fidelity::Otlp,
            Source::ClickHouse(_) => Fidelity::ClickHouse,
            Source::Jaeger(_) => Fidelity::Jaeger,
        }
    }

    /// Show everything to the verifier. `watch` is called a few times a second.
    ///
    /// # Errors
    /// It is out of reach, refuses, or ends too early.
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

/// Run to its end what asks a server.
fn asked(reading: impl Future<Output = Result<(), SourceError>>) -> Result<(), SourceError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| SourceError(e.to_string()))?.block_on(reading)
}
