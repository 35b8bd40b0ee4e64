//! Traces: lists, a whole trace, the links to it, and figures over many.

use super::{Problem, nanos, ok, otlp};
use crate::clock::now;
use crate::store::{DurationBins, Percentiles, Store, TraceQuery, TraceSummary};
use crate::trace::TraceId;
use crate::web::filter::Filter;
use crate::web::request::{Fields, Request};
use crate::web::response::Response;
use crate::web::{App, format};
use hyper::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

/// The maximum number of traces in an answer.
const MOST: u32 = 1_000;

/// Reads the filter of a query. Without a time range it covers everything that is kept.
///
/// # Errors
/// The query has a problem; the first one is reported.
pub fn filter(fields: &Fields) -> Result<Filter, Problem> {
    let mut filter = Filter::read(fields, now(), "all");
    match filter.problems.is_empty() {
        true => Ok(filter),
        false => {
            let problem = filter.problems.swap_remove(0);
            Err(Problem::parameter(problem.parameter, problem.message))
        }
    }
}

/// Answers with a page of traces.
///
/// # Errors
/// A parameter is wrong, or the store can't answer.
pub async fn list(app: &Arc<App>, request: &Request) -> Result<Response, Problem> {
    let limit = match request.query.get("limit").map(str::parse) {
        None => app.fetch_limit.clamp(1, MOST),
        Some(Ok(limit @ 1..=MOST)) => limit,
        Some(_) => return Err(Problem::parameter("limit", format!("Allowed: a number from 1 to {MOST}."))),
    };
    let filter = filter(&request.query)?;
    let page = app.database.fetch_unique_traces(&filter.query(app, limit)).await?;
    Ok(ok(&json!({
        "total": page.total,
        "page": filter.page,
        "limit": limit,
        "searched_from_unix_nano": page.searched.and_then(|range| range.from).map(nanos),
        "searched_until_unix_nano": page.searched.and_then(|range| range.until).map(nanos),
        "traces": page.traces.iter().map(summary).collect::<Vec<_>>(),
    })))
}

fn summary(trace: &TraceSummary) -> Value {
    json!({
        "trace_id": format::trace_id(trace.id),
        "start_unix_nano": nanos(trace.start),
        "duration_ns": trace.duration,
        "service": trace.service,
        "operation": trace.operation,
        "scenario": trace.scenario,
        "spans": trace.spans,
        "errors": trace.errors,
        "first_error": trace.first_error.as_ref().map(|e| json!({ "service": e.service, "type": e.r#type })),
    })
}

fn id(text: &str) -> Result<TraceId, Problem> {
    format::parse_trace_id(text)
        .ok_or_else(|| Problem::parameter("id", "Allowed: 32 hexadecimal digits, not all of them 0."))
}

/// Answers with a whole trace.
///
/// # Errors
/// The id is malformed or unknown, or the store can't answer.
pub async fn one(app: &App, text: &str) -> Result<Response, Problem> {
    let id = id(text)?;
    match app.database.trace(id).await? {
        Some(trace) => Ok(ok(&otlp::Traces::of(&trace))),
        None => Err(unknown(app, id)),
    }
}

fn unknown(app: &App, id: TraceId) -> Problem {
    let message = match app.session.locate(id) {
        Some(located) => format!(
            "This is trace {} of this run, and no longer kept. `tracegen replay {} --manifest {}/api/manifest` makes it again.",
            located.index,
            format::trace_id(id),
            app.url
        ),
        None => "There is no trace with this id, and it is not an id of this run.".into(),
    };
    Problem::new(StatusCode::NOT_FOUND, message)
}

/// Answers with the links of a trace in both directions.
///
/// # Errors
/// The id is malformed or unknown, or the store can't answer.
pub async fn links(app: &App, text: &str) -> Result<Response, Problem> {
    let id = id(text)?;
    let trace = app.database.trace(id).await?.ok_or_else(|| unknown(app, id))?;
    let backlinks = app.database.links_to(id).await?;
    let forward = trace.spans.iter().flat_map(|span| span.links.iter().map(move |link| (span, link)));
    let forward = forward.map(|(span, link)| {
        json!({
            "span_id": format::span_id(span.id),
            "linked_trace_id": format::trace_id(link.trace_id),
            "linked_span_id": format::span_id(link.span_id),
        })
    });
    let back = backlinks.iter().map(|link| {
        json!({
            "trace_id": format::trace_id(link.trace_id),
            "span_id": format::span_id(link.span_id),
            "service": link.service,
            "name": link.name,
            "start_unix_nano": nanos(link.start),
            "linked_span_id": format::span_id(link.target_span),
        })
    });
    Ok(ok(&json!({ "links": forward.collect::<Vec<_>>(), "linked_by": back.collect::<Vec<_>>() })))
}

/// Answers with arrivals and durations of the traces that match.
///
/// # Errors
/// A parameter is wrong, or the store can't answer.
pub async fn overview(app: &Arc<App>, request: &Request) -> Result<Response, Problem> {
    let query: TraceQuery = filter(&request.query)?.query(app, 1);
    let overview = app.database.overview(&query).await?;
    let arrivals =
        overview.arrivals.buckets.iter().map(|(traces, errors)| json!({ "traces": traces, "errors": errors }));
    let durations = overview.durations.bins.iter().map(|(bin, traces)| {
        json!({ "from_ns": DurationBins::begin(*bin), "until_ns": DurationBins::begin(bin + 1), "traces": traces })
    });
    Ok(ok(&json!({
        "traces": overview.traces,
        "errors": overview.errors,
        "kept_only": overview.kept_only,
        "counted_from_unix_nano": overview.counted_from.map(nanos),
        "arrivals": {
            "from_unix_nano": nanos(overview.arrivals.from),
            "step_ns": overview.arrivals.step,
            "buckets": arrivals.collect::<Vec<_>>(),
        },
        "durations": durations.collect::<Vec<_>>(),
        "duration_ns": overview.percentiles.map(percentiles),
    })))
}

pub fn percentiles(percentiles: Percentiles) -> Value {
    json!({ "p50": percentiles.p50, "p95": percentiles.p95, "p99": percentiles.p99 })
}
