//! Stores of traces, which the pages and the API read.
//!
//! The contract [`Store`] is implemented by [`Memory`] and [`ClickHouse`] (`tests/store.rs` tests both). [`Database`] is
//! the store that `DATABASE_TYPE` selects, with memory as a fallback while ClickHouse is out of reach.

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

/// A store keeps traces and answers questions about them. Its asynchronous functions are called in a Tokio runtime. Every
/// answer is bounded, by the query's limit or by the limits of [`report`].
pub trait Store: Send + Sync {
    /// Connects to the store and checks that it can be used. A missing schema is created if tracegen writes the store.
    fn connect(&self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes what is waiting, and disconnects. The store can be connected again later.
    fn disconnect(&self) -> impl Future<Output = ()> + Send;

    /// Checks that the store answers.
    fn health_check(&self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns the traces that match, each once and in the query's order, with the number of all that match.
    fn fetch_unique_traces(&self, query: &TraceQuery) -> impl Future<Output = Result<TracePage, StoreError>> + Send;

    /// Returns counts of everything that is kept.
    fn get_trace_counts(&self) -> impl Future<Output = Result<TraceCounts, StoreError>> + Send;

    /// Returns the names of all services of the kept traces, sorted.
    fn get_service_names(&self) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;

    /// Returns the names of the spans of a service, or of all services, sorted; at most [`report::MOST_NAMES`].
    fn get_operation_names(
        &self,
        service: Option<&str>,
    ) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;

    /// Keeps a trace, and may wait for room. It must not be called from asynchronous code.
    ///
    /// # Errors
    /// The trace could not be kept.
    fn add_trace(&self, origin: &Arc<Origin>, trace: &Trace) -> Result<(), StoreError>;

    /// Returns a whole trace, or `None` if it is not kept.
    fn trace(&self, id: TraceId) -> impl Future<Output = Result<Option<StoredTrace>, StoreError>> + Send;

    /// Returns the spans of other traces that link to spans of this one, in the order of time, at most
    /// [`report::MOST_BACKLINKS`].
    fn links_to(&self, id: TraceId) -> impl Future<Output = Result<Vec<Backlink>, StoreError>> + Send;

    /// Returns arrivals and durations of the traces that match; order, offset and limit of the query are ignored.
    fn overview(&self, query: &TraceQuery) -> impl Future<Output = Result<Overview, StoreError>> + Send;

    /// Returns rates, errors and durations by service and operation, and the calls between services, in a time range.
    fn services(
        &self,
        range: TimeRange,
        scenario: Option<&ScenarioFilter>,
    ) -> impl Future<Output = Result<ServicesReport, StoreError>> + Send;
}

/// A page of the traces that match a query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TracePage {
    pub traces: Vec<TraceSummary>,
    /// The number of all traces that match, among those that were searched.
    pub total: u64,
    /// The time range that was searched, if it is smaller than what was asked for; there may be more matches.
    pub searched: Option<TimeRange>,
}

impl TracePage {
    /// The maximum memory that the rows of a page take, in bytes.
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
    /// The number of traces in which a span failed.
    pub error_traces: u64,
    /// The start of the oldest traces that are counted so far, in ns since 1970; `None` if all are counted. All spans are
    /// counted.
    #[serde(rename = "counted_from_unix_nano", serialize_with = "as_text")]
    pub counted_from: Option<u64>,
}

/// Serializes the time as text, because a JSON number does not hold 64 bits.
fn as_text<S: serde::Serializer>(time: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|ns| ns.to_string()).serialize(serializer)
}

/// The progress of counting what a store contained before it was first asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counting {
    /// The number of hours of spans that are counted.
    pub hours: u64,
    /// The number of all hours of spans.
    pub total: u64,
}

/// A span of another trace that links to a span of a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Backlink {
    /// The trace of the span that links.
    pub trace_id: TraceId,
    /// The id of the span that links.
    pub span_id: u64,
    /// The service of the span that links.
    pub service: String,
    /// The name of the span that links.
    pub name: String,
    /// The start of the span that links, in ns since 1970.
    pub start: u64,
    /// The span that is linked to.
    pub target_span: u64,
}

/// The reasons why a store can't answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The store does not answer, or too late.
    Unreachable(String),
    /// The user, the password or the rights are wrong.
    Refused(String),
    /// The tables are not those of the collector's exporter.
    Schema(String),
    /// The store answered with an error, or with something that can't be read.
    Failed(String),
    /// The answer would take more memory than allowed.
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
