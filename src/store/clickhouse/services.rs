//! Rates, errors and durations by service and operation.

use super::edges;
use super::figures::bounds;
use super::hour::{self, CELL, Calls, DAY, Group, Groups, HOUR, MOST_GROUPS, Reading};
use super::hours::Hours;
use super::scenario;
use super::sql::Sql;
use crate::store::histogram::Durations;
use crate::store::report::{Buckets, MOST_NAMES, SECOND};
use crate::store::{
    Figures, OperationReport, ScenarioFilter, ServiceReport, ServicesReport, StoreError, TimeRange, TraceQuery,
};
use clickhouse::Client;
use std::collections::HashMap;
use std::sync::Arc;

/// Returns the report: for a long time by the hour, for a short one or a scenario in one pass.
///
/// # Errors
/// ClickHouse does not answer in time, or reports an error.
pub async fn services(
    client: &Client,
    hours: &Hours,
    range: TimeRange,
    scenario: Option<&ScenarioFilter>,
    now: u64,
) -> Result<ServicesReport, StoreError> {
    let parts = hours.parts(client).await?;
    let Some((from, until)) = bounds(&parts, range) else {
        return Ok(ServicesReport { edges_sampled: 1, ..ServicesReport::default() });
    };
    let buckets = Buckets::cut(from, until, SECOND);
    let first = parts.extent(from, until).map_or(from, |(first, _)| first);
    let covered =
        |since: Option<u64>| range.until.unwrap_or(now).min(now).saturating_sub(since.unwrap_or(first).max(first));
    if scenario.is_none() && buckets.step >= CELL {
        let groups = hours.ask::<Groups>(client, &parts, range, true).await?;
        let calls = hours.ask::<Calls>(client, &parts, range, true).await?;
        let since = groups.since.max(calls.since);
        let buckets = Buckets::cut(groups.since.unwrap_or(from).min(until), until, CELL);
        let (edges, edges_sampled) = edges::sum(calls.hours.iter().map(Arc::as_ref));
        return Ok(ServicesReport {
            from: buckets.from,
            step: buckets.step,
            covered: covered(groups.since),
            services: sum(groups.hours.iter().flat_map(|hour| &hour.0), buckets, CELL),
            edges,
            edges_sampled,
            counted_from: since,
        });
    }
    let query = TraceQuery { range, scenario: scenario.cloned(), ..TraceQuery::default() };
    let found = scenario::ids(client, hours, &query).await?;
    let (mut when, mut condition, mut since) = (range, Sql::default(), None);
    if let Some(found) = found {
        // The spans of such a trace lie within a day of its root.
        when.from = Some(from.max(found.first));
        when.until = Some(until.min(found.last.saturating_add(DAY)));
        condition.push(" AND TraceId IN ?").texts(found.ids);
        since = found.since;
    }
    let (from, until) = (when.from.unwrap_or(from), when.until.unwrap_or(until));
    let reading = Reading { from, until, length: HOUR, behind: DAY, failures: true };
    let calls = edges::calls(client, &parts, &condition, reading).await?;
    let (edges, edges_sampled) = edges::sum(calls.iter().map(|(_, calls)| calls));
    let groups = hour::groups(client, &condition, reading, buckets.step).await?;
    Ok(ServicesReport {
        from: buckets.from,
        step: buckets.step,
        covered: covered(since),
        services: sum(groups.iter().flat_map(|(_, groups)| &groups.0), buckets, buckets.step),
        edges,
        edges_sampled,
        counted_from: since,
    })
}

/// Returns the sum of many hours, in buckets that consist of whole cells of `cell` ns.
fn sum<'a>(groups: impl Iterator<Item = &'a Group>, buckets: Buckets, cell: u64) -> Vec<ServiceReport> {
    let mut sums: HashMap<(&str, &str, bool), (Figures, Durations)> = HashMap::new();
    for group in groups {
        let (figures, durations) = sums.entry((&group.service, &group.operation, group.whole)).or_default();
        figures.spans += group.spans;
        figures.errors += group.errors;
        figures.series.resize(buckets.count, (0, 0));
        for (at, spans, errors) in &group.cells {
            if let Some(at) = buckets.index(*at as u64 * cell) {
                let bucket = &mut figures.series[at];
                *bucket = (bucket.0 + *spans as u64, bucket.1 + *errors as u64);
            }
        }
        group.bins.iter().for_each(|(bin, spans)| durations.add_bin(*bin, (*spans).into()));
    }
    let mut services: HashMap<&str, ServiceReport> = HashMap::new();
    for ((name, operation, whole), (mut figures, durations)) in sums {
        figures.percentiles = durations.percentiles().unwrap_or_default();
        let service = services.entry(name).or_insert_with(|| ServiceReport { name: name.into(), ..Default::default() });
        match whole {
            true => service.figures = figures,
            false => service.operations.push(OperationReport { name: operation.into(), figures }),
        }
    }
    let mut services: Vec<ServiceReport> = services.into_values().collect();
    services.sort_by(|a, b| b.figures.spans.cmp(&a.figures.spans).then_with(|| a.name.cmp(&b.name)));
    services.truncate(MOST_NAMES);
    let mut left = MOST_GROUPS as usize - services.len();
    for service in &mut services {
        service.operations.sort_by(|a, b| b.figures.spans.cmp(&a.figures.spans).then_with(|| a.name.cmp(&b.name)));
        service.operations.truncate(left);
        left -= service.operations.len();
    }
    services
}
