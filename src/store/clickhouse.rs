//! A store in ClickHouse, in the tables that the collector's exporter writes.
//!
//! A trace is represented by its root span; a trace whose root was lost is found only by its id. Attributes are text.
//! Values from outside are bound and never part of a statement, and every statement is limited in rows and in time.

mod client;
mod edges;
mod encode;
mod figures;
mod filter;
mod hour;
mod hours;
mod list;
mod meter;
mod parts;
mod reach;
mod roots;
mod scan;
mod scenario;
mod schema;
mod services;
mod sql;
mod url;
mod whole;
mod writer;

pub use client::Connection;
pub use encode::Rows;
pub use scan::Scan;
pub use whole::Scanned;
pub use writer::{Patience, Writer, WriterFault, WriterOptions, Written};

use super::report::Overview;
use super::{
    Backlink, Counting, ScenarioFilter, ServicesReport, Store, StoreError, TimeRange, TraceCounts, TracePage,
    TraceQuery,
};
use crate::trace::{Origin, StoredTrace, Trace, TraceId};
use clickhouse::Client;
use client::fetch_one;
use hour::Group;
use hours::Hours;
use parts::Arrivals;
use sql::Sql;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The time for which a caller of [`Store::add_trace`] waits for room before its trace is lost.
const FULL: Duration = Duration::from_secs(2);
/// The time for which [`Store::disconnect`] waits for what is not written yet.
const DRAIN: Duration = Duration::from_secs(10);

/// A store in ClickHouse.
pub struct ClickHouse {
    connection: Connection,
    client: Client,
    writer: Option<Writer>,
    hours: Hours,
    arrivals: Arrivals,
}

impl ClickHouse {
    /// Makes a store that reads what others write, and drops what is added to it.
    ///
    /// # Errors
    /// The connection uses https, and the system has no trusted certificates.
    pub fn reading(connection: Connection) -> Result<ClickHouse, StoreError> {
        let client = connection.client(true)?;
        Ok(ClickHouse { connection, client, writer: None, hours: Hours::default(), arrivals: Arrivals::default() })
    }

    /// Makes a store that also writes. It tries without end to reach the server.
    ///
    /// # Errors
    /// The connection uses https and the system has no trusted certificates, or the system gives no threads.
    pub fn writing(connection: Connection) -> Result<ClickHouse, StoreError> {
        let options = WriterOptions { patience: None, full: Some(FULL), observer: Box::new(|_| {}) };
        let writer = Writer::start(connection.clone(), options)?;
        Ok(ClickHouse { writer: Some(writer), ..ClickHouse::reading(connection)? })
    }

    /// Returns the time of the server's clock in ns since 1970, whether or not the database exists.
    ///
    /// # Errors
    /// The server is out of reach, or refuses access.
    pub async fn time(&self) -> Result<u64, StoreError> {
        fetch_one(&self.connection.client(false)?, &Sql::new("SELECT toUInt64(toUnixTimestamp64Nano(now64(9)))")).await
    }

    /// Counts what the store contained before it was first asked, until everything is counted. It works in any runtime.
    ///
    /// # Errors
    /// The server is gone, or does not answer in time.
    pub async fn catch_up(&self) -> Result<(), StoreError> {
        // One core is left to queries for pages.
        let client = self.connection.client(true)?.with_setting("max_threads", "1");
        while self.hours.catch_up(&client).await? {}
        Ok(())
    }

    /// Returns the progress of [`ClickHouse::catch_up`], or `None` if everything is counted.
    pub fn counting(&self) -> Option<Counting> {
        self.hours.counting()
    }

    /// Returns the number of traces that came since the first call, by reading only what is new.
    ///
    /// # Errors
    /// The server is gone, or does not answer in time.
    pub async fn arrived(&self) -> Result<u64, StoreError> {
        self.arrivals.count(&self.client).await
    }

    /// Returns the account of what was added, or `None` if the store is only read.
    pub fn written(&self) -> Option<Written> {
        self.writer.as_ref().map(Writer::account)
    }
}

impl Store for ClickHouse {
    async fn connect(&self) -> Result<(), StoreError> {
        let (server, database) = (self.connection.client(false)?, &self.connection.database);
        match schema::check(&server, database).await.map_err(StoreError::from) {
            Err(StoreError::Schema(_)) if self.writer.is_some() => {
                schema::create(&server, database).await?;
                Ok(schema::check(&server, database).await?)
            }
            result => result,
        }
    }

    async fn disconnect(&self) {
        let deadline = Instant::now() + DRAIN;
        while self.written().is_some_and(|written| written.waiting.spans > 0) && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn health_check(&self) -> Result<(), StoreError> {
        schema::ping(&self.client).await
    }

    async fn fetch_unique_traces(&self, query: &TraceQuery) -> Result<TracePage, StoreError> {
        list::fetch_page(&self.client, &self.hours, query).await
    }

    async fn get_trace_counts(&self) -> Result<TraceCounts, StoreError> {
        list::counts(&self.client, &self.hours).await
    }

    async fn get_service_names(&self) -> Result<Vec<String>, StoreError> {
        list::names(&self.client, &self.hours, |group| group.whole.then_some(&group.service)).await
    }

    async fn get_operation_names(&self, service: Option<&str>) -> Result<Vec<String>, StoreError> {
        let asked = |group: &Group| !group.whole && service.is_none_or(|service| *service == *group.service);
        list::names(&self.client, &self.hours, |group| asked(group).then_some(&group.operation)).await
    }

    fn add_trace(&self, origin: &Arc<Origin>, trace: &Trace) -> Result<(), StoreError> {
        match &self.writer {
            Some(writer) if !writer.add(origin.view(trace)) => {
                Err(StoreError::Failed("ClickHouse can't keep up with the traces to write: the trace is lost".into()))
            }
            _ => Ok(()),
        }
    }

    async fn trace(&self, id: TraceId) -> Result<Option<StoredTrace>, StoreError> {
        whole::fetch_trace(&self.client, id).await
    }

    async fn links_to(&self, id: TraceId) -> Result<Vec<Backlink>, StoreError> {
        whole::fetch_links(&self.client, &self.hours, id).await
    }

    async fn overview(&self, query: &TraceQuery) -> Result<Overview, StoreError> {
        figures::overview(&self.client, &self.hours, query).await
    }

    async fn services(
        &self,
        range: TimeRange,
        scenario: Option<&ScenarioFilter>,
    ) -> Result<ServicesReport, StoreError> {
        services::services(&self.client, &self.hours, range, scenario, crate::clock::now()).await
    }
}
