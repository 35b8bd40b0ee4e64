//! The traces of one scenario. Spans do not contain its name, so the scenario's possible roots narrow the search, and each
//! trace id is checked.

use super::hours::Hours;
use super::reach;
use super::roots::{self, Root};
use super::whole::parse_id;
use crate::store::{ScenarioFilter, StoreError, TraceQuery};
use clickhouse::Client;

/// The maximum number of traces whose ids are checked, the first in the query's order. Further ones are not found.
pub const MOST_SCANNED: u64 = 10_000;

/// The traces of a scenario.
pub struct Found {
    /// The ids as they are written in the table.
    pub ids: Vec<String>,
    /// The start of the first root in ns since 1970.
    pub first: u64,
    /// The start of the last root in ns since 1970.
    pub last: u64,
    /// The time in ns since 1970 from which on traces were examined; `None` if all were.
    pub since: Option<u64>,
}

/// Returns the matching traces of a scenario in the query's order, and whether they are complete.
///
/// # Errors
/// ClickHouse does not answer in time, or reports an error.
pub async fn roots(
    client: &Client,
    query: &TraceQuery,
    filter: &ScenarioFilter,
) -> Result<(Vec<Root>, bool), StoreError> {
    let (mut roots, total) = roots::roots(client, query, 0, MOST_SCANNED).await?;
    roots.retain(|root| parse_id(&root.1).is_some_and(|id| (filter.is_of)(id)));
    Ok((roots, total <= MOST_SCANNED))
}

/// Returns the traces of the query's scenario, or `None` if the query has none.
///
/// # Errors
/// ClickHouse does not answer in time, or reports an error.
pub async fn ids(client: &Client, hours: &Hours, query: &TraceQuery) -> Result<Option<Found>, StoreError> {
    let Some(filter) = &query.scenario else { return Ok(None) };
    let (query, cut) = reach::within(&*hours.parts(client).await?, query);
    let (roots, all) = roots(client, &query, filter).await?;
    let times = || roots.iter().map(|root| root.2 as u64);
    let (first, last) = (times().min().unwrap_or(0), times().max().unwrap_or(0));
    let since = if all { cut } else { Some(first) };
    Ok(Some(Found { first, last, since, ids: roots.into_iter().map(|root| root.1).collect() }))
}
