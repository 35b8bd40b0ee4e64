//! The store that `DATABASE_TYPE` selects, with memory as a fallback while ClickHouse is out of reach.

mod watch;

use super::report::Overview;
use super::{
    Backlink, ClickHouse, Connection, Counting, Memory, MemoryLimits, MemorySize, ScenarioFilter, ServicesReport,
    Store, StoreError, TimeRange, TraceCounts, TracePage, TraceQuery, Written,
};
use crate::trace::{Origin, StoredTrace, Trace, TraceId};
use std::sync::Arc;
use watch::Watched;

/// The selected store.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The limits of the memory.
    pub memory: MemoryLimits,
    /// The address of ClickHouse; `None` if memory is selected.
    pub clickhouse: Option<Connection>,
    /// tracegen writes to ClickHouse itself; otherwise a collector does, and tracegen only reads.
    pub written: bool,
}

/// The store in use.
pub struct Database {
    memory: Memory,
    clickhouse: Option<Watched>,
    /// The selected store in words, such as `ClickHouse, otel.otel_traces at localhost:8123`.
    wanted: Option<String>,
}

/// The state of the store, for the status page.
#[derive(Clone, Debug, PartialEq)]
pub struct DatabaseStatus {
    /// The selected store in words, such as `ClickHouse, otel.otel_traces at localhost:8123`; `None` for memory.
    pub wanted: Option<String>,
    /// The reason why memory is used instead; `None` if the selected store is in use.
    pub outage: Option<Outage>,
    pub memory: MemorySize,
    /// The account of the spans for ClickHouse; `None` if tracegen does not write to it.
    pub written: Option<Written>,
    /// The progress of counting what ClickHouse had before; `None` if all is counted, or it is not in use.
    pub counting: Option<Counting>,
}

/// A time in which ClickHouse is out of reach.
#[derive(Clone, Debug, PartialEq)]
pub struct Outage {
    /// The beginning in ns since 1970.
    pub since: u64,
    pub cause: StoreError,
    pub tries: u32,
    /// The time of the next try in ns since 1970.
    pub next_try: u64,
}

/// Makes the selected store, which falls back to memory while it is out of reach, also before it was first reached. It is
/// tried in the background.
///
/// # Errors
/// The system gives no threads, or has no trusted certificates where https is used.
pub fn create_database(wanted: &Wanted) -> Result<Arc<Database>, StoreError> {
    let clickhouse = match &wanted.clickhouse {
        None => None,
        Some(connection) if wanted.written => Some(ClickHouse::writing(connection.clone())?),
        Some(connection) => Some(ClickHouse::reading(connection.clone())?),
    };
    Ok(Arc::new(Database {
        memory: Memory::new(wanted.memory),
        clickhouse: clickhouse.map(Watched::start).transpose()?,
        wanted: wanted.clickhouse.as_ref().map(Connection::to_string),
    }))
}

impl Database {
    pub fn status(&self) -> DatabaseStatus {
        DatabaseStatus {
            wanted: self.wanted.clone(),
            outage: self.clickhouse.as_ref().and_then(Watched::outage),
            memory: self.memory.size(),
            written: self.clickhouse.as_ref().and_then(|clickhouse| clickhouse.store().written()),
            counting: self.clickhouse().and_then(|clickhouse| clickhouse.store().counting()),
        }
    }

    /// Returns the number of traces that others have written to ClickHouse since the first call, or `None` if it is not in
    /// use.
    pub async fn arrived(&self) -> Option<u64> {
        self.clickhouse()?.store().arrived().await.ok()
    }

    /// Tries now to reach ClickHouse, instead of at the next scheduled time.
    pub async fn try_now(&self) {
        if let Some(clickhouse) = &self.clickhouse {
            clickhouse.check().await;
        }
    }

    /// Returns ClickHouse if it is in use.
    fn clickhouse(&self) -> Option<&Watched> {
        self.clickhouse.as_ref().filter(|clickhouse| clickhouse.is_in_use())
    }
}

/// Asks the store in use. After a failure ClickHouse is checked at once; if it is gone, memory answers.
macro_rules! ask {
    ($database:ident . $question:ident ( $($argument:expr),* )) => {
        match $database.clickhouse() {
            None => $database.memory.$question($($argument),*).await,
            Some(clickhouse) => match clickhouse.store().$question($($argument),*).await {
                Err(error) => match clickhouse.check().await {
                    true => Err(error),
                    false => $database.memory.$question($($argument),*).await,
                },
                answer => answer,
            },
        }
    };
}

impl Store for Database {
    /// Memory can always be used, so this never fails; the status has the reason why ClickHouse is not in use.
    async fn connect(&self) -> Result<(), StoreError> {
        self.try_now().await;
        self.memory.connect().await
    }

    async fn disconnect(&self) {
        if let Some(clickhouse) = self.clickhouse() {
            clickhouse.store().disconnect().await;
        }
        self.memory.disconnect().await;
    }

    async fn health_check(&self) -> Result<(), StoreError> {
        ask!(self.health_check())
    }

    async fn fetch_unique_traces(&self, query: &TraceQuery) -> Result<TracePage, StoreError> {
        ask!(self.fetch_unique_traces(query))
    }

    async fn get_trace_counts(&self) -> Result<TraceCounts, StoreError> {
        ask!(self.get_trace_counts())
    }

    async fn get_service_names(&self) -> Result<Vec<String>, StoreError> {
        ask!(self.get_service_names())
    }

    async fn get_operation_names(&self, service: Option<&str>) -> Result<Vec<String>, StoreError> {
        ask!(self.get_operation_names(service))
    }

    /// Does nothing if ClickHouse is in use and a collector writes it.
    fn add_trace(&self, origin: &Arc<Origin>, trace: &Trace) -> Result<(), StoreError> {
        match self.clickhouse() {
            None => self.memory.add_trace(origin, trace),
            Some(clickhouse) => clickhouse.store().add_trace(origin, trace),
        }
    }

    async fn trace(&self, id: TraceId) -> Result<Option<StoredTrace>, StoreError> {
        ask!(self.trace(id))
    }

    async fn links_to(&self, id: TraceId) -> Result<Vec<Backlink>, StoreError> {
        ask!(self.links_to(id))
    }

    async fn overview(&self, query: &TraceQuery) -> Result<Overview, StoreError> {
        ask!(self.overview(query))
    }

    async fn services(
        &self,
        range: TimeRange,
        scenario: Option<&ScenarioFilter>,
    ) -> Result<ServicesReport, StoreError> {
        ask!(self.services(range, scenario))
    }
}
