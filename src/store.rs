//! Traces at rest: what the pages and the API read.
//!
//! One contract, [`Store`], kept by [`Memory`] and [`ClickHouse`] (`tests/store.rs` tries both); [`Database`] is the one
//! that `DATABASE_TYPE` asks for, with memory behind it while ClickHouse is out of reach.

mod clickhouse;
mod database;
mod histogram;
mod memory;
mod query;
mod record;
pub mod report;

pub use clickhouse::{
    ClickHouse, Connection, Patience, Rows, Scan, Scanned, Writer, WriterFault, WriterOptions, Written,
};
pub use database::{Database, DatabaseStatus, Outage, Wanted, create_database};
pub use memory::{Memory, MemoryLimits, MemorySize};
pub use query::{Order, ScenarioFilter, TimeRange, TraceQuery};
pub use record::{FirstError, ShapeSpan, TraceSummary};
pub use report::{
    Arrivals, DurationBins, Edge, Figures, OperationReport, Overview, Percentiles, ServiceReport, ServicesReport,
};

use crate::trace::{Origin, StoredTrace, TooLarge, Trace, TraceId};
use serde::Serialize as _;
use std::fmt;
use std::sync::Arc;

/// Keeps traces and answers questions about them, asked from a tokio runtime. Every answer is bounded: by a query's limit, or
/// by the limits of [`report`].
pub trait Store: Send + Sync {
    /// Reach the store and see that it can be used; a missing schema is created where the store is written by tracegen.
    fn connect(&self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Write what waits, and let go. A store that is connected again can be used again.
    fn disconnect(&self) -> impl Future<Output = ()> + Send;

    /// Whether the store answers now.
    fn health_check(&self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Traces that match, each once, in the query's order, with the number of all that match.
    fn fetch_unique_traces(&self, query: &TraceQuery) -> impl Future<Output = Result<TracePage, StoreError>> + Send;

    /// Over everything that is kept.
    fn get_trace_counts(&self) -> impl Future<Output = Result<TraceCounts, StoreError>> + Send;

    /// All services of the kept traces, sorted.
    fn get_service_names(&self) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;

    /// Names of the spans of a service, or of all, sorted; at most [`report::MOST_NAMES`].
    fn get_operation_names(
        &self,
        service: Option<&str>,
    ) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;

    /// Keep a trace; may wait for room. Not to be called from asynchronous code.
    fn add_trace(&self, origin: &Arc<Origin>, trace: &Trace) -> Result<(), StoreError>;

    /// One trace, whole.
    fn trace(&self, id: TraceId) -> impl Future<Output = Result<Option<StoredTrace>, StoreError>> + Send;

    /// Spans of other traces that link to spans of this one, the first [`report::MOST_BACKLINKS`] by time: (what links, the
    /// span of this trace it links to).
    fn links_to(&self, id: TraceId) -> impl Future<Output = Result<Vec<Backlink>, StoreError>> + Send;

    /// Arrivals and durations of the traces that match; order, offset and limit of the query mean nothing here.
    fn overview(&self, query: &TraceQuery) -> impl Future<Output = Result<Overview, StoreError>> + Send;

    /// Rate, errors and durations by service and operation, and who calls whom, in a time range.
    fn services(
        &self,
        range: TimeRange,
        scenario: Option<&ScenarioFilter>,
    ) -> impl Future<Output = Result<ServicesReport, StoreError>> + Send;
}

/// A part of the traces that match a query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TracePage {
    pub traces: Vec<TraceSummary>,
    /// All that match of those that were looked at.
    pub total: u64,
    /// When those began that were looked at, where those are not all that were asked for: there may be more.
    pub searched: Option<TimeRange>,
}

impl TracePage {
    /// The most memory that the rows of a page take, bytes.
    const MOST_BYTES: usize = 64 << 20;

    fn too_large() -> StoreError {
        let most = TracePage::MOST_BYTES >> 20;
        StoreError::TooLarge(format!("the names of these traces take more than {most} MiB: ask for fewer at a time"))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct TraceCounts {
    pub total_traces: u64,
    pub total_spans: u64,
    /// Traces in which any span failed.
    pub error_traces: u64,
    /// ns since 1970, where only traces that began since then are counted so far; all spans are.
    #[serde(rename = "counted_from_unix_nano", serialize_with = "as_text")]
    pub counted_from: Option<u64>,
}

/// 64 bits do not fit into a number of JSON.
fn as_text<S: serde::Serializer>(time: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
    time.map(|ns| ns.to_string()).serialize(to)
}

/// How much of what a store had before it was first asked has been counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counting {
    /// Hours of spans that are, and all there are.
    pub hours: u64,
    pub all: u64,
}

/// A span elsewhere that links to a span of the trace one looks at.
#[derive(Clone, Debug, PartialEq)]
pub struct Backlink {
    /// The span that links.
    pub trace_id: TraceId,
    pub span_id: u64,
    pub service: String,
    pub name: String,
    /// ns since 1970.
    pub start: u64,
    /// The span that is linked to.
    pub target_span: u64,
}

/// Why a store could not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// Nothing answers, or too late.
    Unreachable(String),
    /// User, password or rights.
    Refused(String),
    /// The tables are not what the collector's exporter makes.
    Schema(String),
    /// It answered with an error, or with something that can't be read.
    Failed(String),
    /// What is asked for takes more memory than an answer may.
    TooLarge(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Unreachable(why)
            | StoreError::Refused(why)
            | StoreError::Schema(why)
            | StoreError::Failed(why)
            | StoreError::TooLarge(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<TooLarge> for StoreError {
    fn from(error: TooLarge) -> StoreError {
        StoreError::TooLarge(error.to_string())
    }
}
