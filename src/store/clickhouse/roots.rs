//! The roots of the traces that match, in the query's order.

use super::client::fetch_one;
use super::filter::matching;
use super::sql::Sql;
use crate::store::{Order, StoreError, TraceQuery};
use clickhouse::{Client, Row};
use serde::Deserialize;

/// The sort key, the trace's id, and the start of its root in ns since 1970.
pub type Root = (i64, String, i64);

#[derive(Row, Deserialize)]
struct Part {
    total: u64,
    roots: Vec<Root>,
}

/// Returns a page of the roots of the traces that match, and the number of all matches.
///
/// # Errors
/// ClickHouse does not answer in time, or reports an error.
pub async fn roots(
    client: &Client,
    query: &TraceQuery,
    offset: u64,
    limit: u64,
) -> Result<(Vec<Root>, u64), StoreError> {
    let key = match query.order {
        Order::Newest => "-Start",
        Order::Oldest => "Start",
        Order::Longest => "-toInt64(Length)",
        Order::Shortest => "toInt64(Length)",
    };
    // One pass gives both: the array holds no more than the end of the page.
    let most = offset.saturating_add(limit).clamp(1, 1 << 23);
    let mut sql = Sql::new("SELECT count() AS total, arraySlice(groupArraySorted(?)((");
    sql.number(most).push(key);
    sql.push(", TraceId, Start)), ?, ?) AS roots FROM (");
    sql.number(offset.saturating_add(1)).number(limit).append(matching(query, None)).push(") LIMIT 1");
    let part: Part = fetch_one(client, &sql).await?;
    Ok((part.roots, part.total))
}
