//! The store that `DATABASE_TYPE` asks for, with memory behind it while ClickHouse is out of reach.

mod watch;

use super::report::Overview;
use super::{
    Backlink, ClickHouse, Connection, Counting, Memory, MemoryLimits, MemorySize, ScenarioFilter, ServicesReport,
    Store, StoreError, TimeRange, TraceCounts, TracePage, TraceQuery, Written,
};
use crate::trace::{Origin, StoredTrace, Trace, TraceId};
use std::sync::Arc;
use watch::Watched;

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// How much is kept in memory.
    pub memory: MemoryLimits,
    /// `None`: memory is asked for.
    pub clickhouse: Option<Connection>,
    /// ClickHouse is written from here; else a collector writes it, and it is only read.
    pub written: bool,
}

/// The store in use.
pub struct Database {
    memory: Memory,
    clickhouse: Option<Watched>,
    /// `ClickHouse, otel.otel_traces at localhost:8123`
    wanted: Option<String>,
}

/// For the status page.
#[derive(Clone, Debug, PartialEq)]
pub struct DatabaseStatus {
    /// `ClickHouse, otel.otel_traces at localhost:8123`; `None`: memory was asked for.
    pub wanted: Option<String>,
    /// Why memory is used instead; `None`: what was asked for is in use.
    pub outage: Option<Outage>,
    pub memory: MemorySize,
    /// What became of the spans for ClickHouse; `None`: it is not written from here.
    pub written: Option<Written>,
    /// How much of what ClickHouse had before is counted; `None`: all, or it is not in use.
    pub counting: Option<Counting>,
}

/// ClickHouse is out of reach.
#[derive(Clone, Debug, PartialEq)]
pub struct Outage {
    /// ns since 1970.
    pub since: u64,
    pub cause: StoreError,
    pub tries: u32,
    /// ns since 1970.
    pub next_try: u64,
}

/// The store that is wanted, or memory while that is out of reach: until it was reached for the first time, too. It is
/// tried in the background.
///
/// # Errors
/// A system that gives no threads, or has no trusted certificates where https is asked for.
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

    /// Traces that others have written into ClickHouse since this was asked first; `None`: it is not in use.
    pub async fn arrived(&self) -> Option<u64> {
        self.clickhouse()?.store().arrived().await.ok()
    }

    /// Try to reach ClickHouse now, instead of when its next try is due.
    pub async fn try_now(&self) {
        if let Some(clickhouse) = &self.clickhouse {
            clickhouse.check().await;
        }
    }

    /// ClickHouse, while it is in use.
    fn clickhouse(&self) -> Option<&Watched> {
        self.clickhouse.as_ref().filter(|clickhouse| clickhouse.is_in_use())
    }
}

/// Ask the store in use. What fails is looked into at once: where ClickHouse is gone, memory answers.
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
    /// Memory can always be used: what keeps ClickHouse from it is in the status.
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

    /// Where ClickHouse is in use and a collector writes it, there is nothing to do.
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
