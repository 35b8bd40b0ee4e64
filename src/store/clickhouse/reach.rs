//! How far back a text is looked for: no index helps, so every attribute of every span would have to be read.

use super::client::fetch_one;
use super::filter::range;
use super::sql::Sql;
use crate::store::{StoreError, TraceQuery};
use clickhouse::Client;
use std::borrow::Cow;

/// The newest spans of the range that are read, in whole minutes: about a second's work on two cores.
const MOST_READ: u64 = 3_000_000;

/// The query as it is answered, and since when (ns since 1970), where that is not all it asks for.
pub async fn within<'q>(
    client: &Client,
    query: &'q TraceQuery,
) -> Result<(Cow<'q, TraceQuery>, Option<u64>), StoreError> {
    if query.text.is_none() {
        return Ok((Cow::Borrowed(query), None));
    }
    let mut sql = Sql::new(
        "SELECT toUInt64(minIf(At, Newer < ?)) * 60000000000, toUInt8(countIf(Newer >= ?) > 0) FROM \
         (SELECT At, sum(Spans) OVER (ORDER BY At DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - Spans AS Newer \
         FROM (SELECT intDiv(toUnixTimestamp(Timestamp), 60) AS At, count() AS Spans FROM otel_traces WHERE 1",
    );
    sql.number(MOST_READ).number(MOST_READ);
    range(&mut sql, query.range);
    sql.push(" GROUP BY At)) LIMIT 1");
    let (from, more): (u64, u8) = fetch_one(client, &sql).await?;
    if more == 0 {
        return Ok((Cow::Borrowed(query), None));
    }
    let mut query = query.clone();
    query.range.from = Some(query.range.from.unwrap_or(0).max(from));
    Ok((Cow::Owned(query), Some(from)))
}
