//! Traces of one scenario. Spans do not carry its name: what its roots can be narrows down, and each id tells.

use super::hours::Hours;
use super::reach;
use super::roots::{self, Root};
use super::whole::parse_id;
use crate::store::{ScenarioFilter, StoreError, TraceQuery};
use clickhouse::Client;

/// Traces whose ids are asked, the first in the query's order; what comes behind them is not found.
pub const MOST_SCANNED: u64 = 10_000;

/// Traces of a scenario.
pub struct Found {
    /// As they stand in the table.
    pub ids: Vec<String>,
    /// Time of the first root and of the last, ns since 1970.
    pub first: u64,
    pub last: u64,
    /// ns since 1970, where only traces that began since then were looked at.
    pub since: Option<u64>,
}

/// The traces of a scenario that match, in the query's order, and whether those are all.
pub async fn roots(
    client: &Client,
    query: &TraceQuery,
    filter: &ScenarioFilter,
) -> Result<(Vec<Root>, bool), StoreError> {
    let (mut roots, total) = roots::roots(client, query, 0, MOST_SCANNED).await?;
    roots.retain(|root| parse_id(&root.1).is_some_and(|id| (filter.is_of)(id)));
    Ok((roots, total <= MOST_SCANNED))
}

/// The traces of the query's scenario; `None`: none is asked for.
pub async fn ids(client: &Client, hours: &Hours, query: &TraceQuery) -> Result<Option<Found>, StoreError> {
    let Some(filter) = &query.scenario else { return Ok(None) };
    let (query, cut) = reach::within(&*hours.parts(client).await?, query);
    let (roots, all) = roots(client, &query, filter).await?;
    let times = || roots.iter().map(|root| root.2 as u64);
    let (first, last) = (times().min().unwrap_or(0), times().max().unwrap_or(0));
    let since = if all { cut } else { Some(first) };
    Ok(Some(Found { first, last, since, ids: roots.into_iter().map(|root| root.1).collect() }))
}
