//! The store that `DATABASE_TYPE` asks for.

use super::report::Overview;
use super::{
    Backlink, Memory, MemorySize, ScenarioFilter, ServicesReport, Store, StoreError, StoredTrace, TimeRange,
    TraceCounts, TraceId, TracePage, TraceQuery,
};
use crate::trace::{Origin, Trace};
use std::sync::Arc;

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Most traces in memory.
    pub max_traces: usize,
}

/// The store in use.
pub struct Database {
    memory: Memory,
}

/// For the status page.
#[derive(Clone, Debug, PartialEq)]
pub struct DatabaseStatus {
    /// `ClickHouse, otel.otel_traces at localhost:8123`; `None`: memory was asked for.
    pub wanted: Option<String>,
    /// Why memory is used instead; `None`: what was asked for is in use.
    pub outage: Option<Outage>,
    /// Traces in memory, the most there can be, and the bytes they take.
    pub memory_traces: u64,
    pub memory_capacity: u64,
    pub memory_bytes: u64,
    /// Spans that wait to be written to ClickHouse, that were written, and that were lost; `None`: it is not written from
    /// here.
    pub written: Option<(u64, u64, u64)>,
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

/// The store that is wanted, or memory while that is out of reach.
pub fn create_database(wanted: &Wanted) -> Arc<Database> {
    Arc::new(Database { memory: Memory::new(wanted.max_traces) })
}

impl Database {
    pub fn status(&self) -> DatabaseStatus {
        let MemorySize { traces, capacity, bytes } = self.memory.size();
        DatabaseStatus {
            wanted: None,
            outage: None,
            memory_traces: traces,
            memory_capacity: capacity,
            memory_bytes: bytes,
            written: None,
        }
    }

    /// Try to reach ClickHouse now, instead of when its next try is due.
    pub async fn try_now(&self) {}
}

impl Store for Database {
    async fn connect(&self) -> Result<(), StoreError> {
        self.memory.connect().await
    }

    async fn disconnect(&self) {
        self.memory.disconnect().await
    }

    async fn health_check(&self) -> Result<(), StoreError> {
        self.memory.health_check().await
    }

    async fn fetch_unique_traces(&self, query: &TraceQuery) -> Result<TracePage, StoreError> {
        self.memory.fetch_unique_traces(query).await
    }

    async fn get_trace_counts(&self) -> Result<TraceCounts, StoreError> {
        self.memory.get_trace_counts().await
    }

    async fn get_service_names(&self) -> Result<Vec<String>, StoreError> {
        self.memory.get_service_names().await
    }

    async fn get_operation_names(&self, service: Option<&str>) -> Result<Vec<String>, StoreError> {
        self.memory.get_operation_names(service).await
    }

    fn add_trace(&self, origin: &Arc<Origin>, trace: &Trace) -> Result<(), StoreError> {
        self.memory.add_trace(origin, trace)
    }

    async fn trace(&self, id: TraceId) -> Result<Option<StoredTrace>, StoreError> {
        self.memory.trace(id).await
    }

    async fn links_to(&self, id: TraceId) -> Result<Vec<Backlink>, StoreError> {
        self.memory.links_to(id).await
    }

    async fn overview(&self, query: &TraceQuery) -> Result<Overview, StoreError> {
        self.memory.overview(query).await
    }

    async fn services(
        &self,
        range: TimeRange,
        scenario: Option<&ScenarioFilter>,
    ) -> Result<ServicesReport, StoreError> {
        self.memory.services(range, scenario).await
    }
}
