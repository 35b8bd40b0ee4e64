//! Every span of a time range, a row at a time: for who looks at all there is.

use super::client::{Connection, Fault};
use super::filter::range;
use super::meter::Meter;
use super::schema;
use super::sql::Sql;
use super::whole::{FIELDS, Scanned, SpanRow};
use crate::store::{StoreError, TimeRange};
use clickhouse::query::RowCursor;
use std::time::Duration;
use tokio::time::timeout;

/// Longest time without a row: the server may have to look through much that is not asked for.
const SILENCE: Duration = Duration::from_secs(120);
/// Rows that the server works on at once, in each of its threads.
const BLOCK: &str = "8192";
/// Longest row, bytes as it is sent. It takes at most 24 times as much memory: where all its attributes are empty.
const MOST_ROW: u64 = 8 << 20;

/// Rows on their way. Neither here nor on the server is there ever more than a few blocks of them.
pub struct Scan {
    cursor: RowCursor<SpanRow>,
    meter: Meter,
}

impl Scan {
    /// The spans that start in `when`, in no order; one that was written twice comes twice. It may take any time.
    ///
    /// # Errors
    /// The server is out of reach or refuses, or its tables are others.
    pub async fn start(connection: &Connection, when: TimeRange) -> Result<Scan, StoreError> {
        schema::check(&connection.client(false)?, &connection.database).await?;
        let meter = Meter::new(MOST_ROW);
        let client = connection.metered_client(true, meter.clone())?;
        let client = client.with_setting("max_execution_time", "0").with_setting("max_block_size", BLOCK);
        let mut sql = Sql::new("SELECT ");
        sql.push(FIELDS).push(" FROM otel_traces WHERE 1");
        range(&mut sql, when);
        let cursor = sql.query(&client).fetch().map_err(Fault::from)?;
        Ok(Scan { cursor, meter })
    }

    /// The next span; `None`: there are no more. An error is the end of it.
    ///
    /// # Errors
    /// The server is gone, or falls silent, or says why it can't go on, or a row goes on and on.
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
