//! A scan of all spans of a time range, row by row.

use super::client::{Connection, Fault};
use super::filter;
use super::meter::Meter;
use super::schema;
use super::sql::Sql;
use super::whole::{FIELDS, Scanned, SpanRow};
use crate::store::{StoreError, TimeRange};
use clickhouse::query::RowCursor;
use std::time::Duration;
use tokio::time::timeout;

/// The maximum time without a row; the server may have to read much that is not asked for.
const SILENCE: Duration = Duration::from_secs(120);
/// The number of rows that the server processes at once in each thread.
const BLOCK: &str = "8192";
/// The maximum length of a row in bytes as it is sent. In memory a row takes at most 24 times as much, when all its
/// attributes are empty.
const MOST_ROW: u64 = 8 << 20;

/// The rows of a scan. Neither the client nor the server ever holds more than a few blocks of them.
pub struct Scan {
    cursor: RowCursor<SpanRow>,
    meter: Meter,
}

impl Scan {
    /// Starts a scan of the spans that start in `range`, in any order. A span that was written twice comes twice. The scan
    /// may take any time.
    ///
    /// # Errors
    /// The server is out of reach, refuses access, or has other tables.
    pub async fn start(connection: &Connection, range: TimeRange) -> Result<Scan, StoreError> {
        schema::check(&connection.client(false)?, &connection.database).await?;
        let meter = Meter::new(MOST_ROW);
        let client = connection.metered_client(true, meter.clone())?;
        let client = client.with_setting("max_execution_time", "0").with_setting("max_block_size", BLOCK);
        let mut sql = Sql::new("SELECT ");
        sql.push(FIELDS).push(" FROM otel_traces WHERE 1");
        filter::range(&mut sql, range);
        let cursor = sql.query(&client).fetch().map_err(Fault::from)?;
        Ok(Scan { cursor, meter })
    }

    /// Returns the next span, or `None` at the end. Nothing comes after an error.
    ///
    /// # Errors
    /// The server is gone, does not answer in time, reports an error, or sends a row that is too long.
    pub async fn next(&mut self) -> Result<Option<Scanned>, StoreError> {
        match timeout(SILENCE, self.cursor.next()).await {
            Ok(row) => {
                let row = row.map_err(Fault::from)?;
                self.meter.row();
                Ok(row.map(SpanRow::into_scanned))
            }
            Err(_) => Err(StoreError::Unreachable(format!("no answer within {} s", SILENCE.as_secs()))),
        }
    }
}
