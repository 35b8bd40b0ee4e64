//! Traces of one scenario. Spans do not carry its name: what its roots can be narrows down, and each id tells.

use super::list::{self, Root};
use super::whole::parse_id;
use crate::store::{ScenarioFilter, StoreError, TraceQuery};
use clickhouse::Client;

/// Traces whose ids are asked, the first in the query's order; what comes behind them is not found.
pub const MOST_SCANNED: u64 = 10_000;

/// The traces of a scenario that match, in the query's order.
pub async fn roots(client: &Client, query: &TraceQuery, filter: &ScenarioFilter) -> Result<Vec<Root>, StoreError> {
    let (mut roots, _) = list::roots(client, query, 0, MOST_SCANNED).await?;
    roots.retain(|root| parse_id(&root.1).is_some_and(|id| (filter.is_of)(id)));
    Ok(roots)
}

/// Their ids, as they stand in the table; `None`: no scenario is asked for.
pub async fn ids(client: &Client, query: &TraceQuery) -> Result<Option<Vec<String>>, StoreError> {
    match &query.scenario {
        None => Ok(None),
        Some(filter) => Ok(Some(roots(client, query, filter).await?.into_iter().map(|root| root.1).collect())),
    }
}
