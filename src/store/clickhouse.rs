//! Traces in ClickHouse, in the tables that the collector's exporter writes.
//!
//! A trace stands for its root span: a trace whose root was lost is found by its id alone. Attributes are text there. What
//! comes from outside is bound, never part of a statement; every statement is limited in rows and in time.

mod client;
mod figures;
mod filter;
mod list;
mod scenario;
mod schema;
mod services;
mod sql;
mod tree;
mod whole;

pub use client::Connection;

use super::report::{MOST_NAMES, Overview};
use super::{
    Backlink, ScenarioFilter, ServicesReport, Store, StoreError, StoredTrace, TimeRange, TraceCounts, TraceId,
    TracePage, TraceQuery,
};
use crate::trace::{Origin, Trace};
use clickhouse::Client;
use client::fetch;
use sql::Sql;
use std::sync::Arc;

pub struct ClickHouse {
    connection: Connection,
    client: Client,
}

impl ClickHouse {
    /// # Errors
    /// A system without trusted certificates, where https is asked for.
    pub fn new(connection: Connection) -> Result<ClickHouse, StoreError> {
        let client = connection.client(true)?;
        Ok(ClickHouse { connection, client })
    }
}

impl Store for ClickHouse {
    async fn connect(&self) -> Result<(), StoreError> {
        let server = self.connection.client(false)?;
        schema::check(&server, &self.connection.database).await
    }

    async fn disconnect(&self) {}

    async fn health_check(&self) -> Result<(), StoreError> {
        schema::ping(&self.client).await
    }

    async fn fetch_unique_traces(&self, query: &TraceQuery) -> Result<TracePage, StoreError> {
        list::fetch_page(&self.client, query).await
    }

    async fn get_trace_counts(&self) -> Result<TraceCounts, StoreError> {
        services::counts(&self.client).await
    }

    async fn get_service_names(&self) -> Result<Vec<String>, StoreError> {
        let mut sql = Sql::new("SELECT DISTINCT toString(ServiceName) AS Name FROM otel_traces ORDER BY Name LIMIT ?");
        sql.number(MOST_NAMES as u64);
        fetch(&self.client, &sql).await
    }

    async fn get_operation_names(&self, service: Option<&str>) -> Result<Vec<String>, StoreError> {
        let mut sql = Sql::new("SELECT DISTINCT toString(SpanName) AS Name FROM otel_traces WHERE 1");
        if let Some(service) = service {
            sql.push(" AND ServiceName = ?").text(service);
        }
        sql.push(" ORDER BY Name LIMIT ?").number(MOST_NAMES as u64);
        fetch(&self.client, &sql).await
    }

    fn add_trace(&self, _origin: &Arc<Origin>, _trace: &Trace) -> Result<(), StoreError> {
        Ok(())
    }

    async fn trace(&self, id: TraceId) -> Result<Option<StoredTrace>, StoreError> {
        whole::fetch_trace(&self.client, id).await
    }

    async fn links_to(&self, id: TraceId) -> Result<Vec<Backlink>, StoreError> {
        whole::fetch_links(&self.client, id).await
    }

    async fn overview(&self, query: &TraceQuery) -> Result<Overview, StoreError> {
        figures::overview(&self.client, query).await
    }

    async fn services(
        &self,
        range: TimeRange,
        scenario: Option<&ScenarioFilter>,
    ) -> Result<ServicesReport, StoreError> {
        services::services(&self.client, range, scenario, crate::clock::now()).await
    }
}
