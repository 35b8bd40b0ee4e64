//! Services, their operations, and the calls between them.

use super::traces::{filter, percentiles};
use super::{Problem, nanos, ok};
use crate::store::{Edge, Figures, ServiceReport, Store};
use crate::web::App;
use crate::web::request::Request;
use crate::web::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;

/// Answers with the report on services.
///
/// # Errors
/// A parameter is wrong, or the store can't answer.
pub async fn report(app: &Arc<App>, request: &Request) -> Result<Response, Problem> {
    let query = filter(&request.query)?.query(app, 1);
    let report = app.database.services(query.range, query.scenario.as_ref()).await?;
    Ok(ok(&json!({
        "from_unix_nano": nanos(report.from),
        "step_ns": report.step,
        "covered_ns": report.covered,
        "services": report.services.iter().map(|s| service(s, report.covered)).collect::<Vec<_>>(),
        "edges": report.edges.iter().map(edge).collect::<Vec<_>>(),
        "edges_sampled": report.edges_sampled,
        "counted_from_unix_nano": report.counted_from.map(nanos),
    })))
}

fn service(service: &ServiceReport, covered: u64) -> Value {
    let mut value = figures(&service.name, &service.figures, covered);
    value["operations"] = service.operations.iter().map(|o| figures(&o.name, &o.figures, covered)).collect();
    value
}

fn figures(name: &str, figures: &Figures, covered: u64) -> Value {
    let rate = if covered == 0 { 0.0 } else { figures.spans as f64 * 1e9 / covered as f64 };
    json!({
        "name": name,
        "spans": figures.spans,
        "errors": figures.errors,
        "rate": rate,
        "duration_ns": percentiles(figures.percentiles),
        "series": figures.series.iter().map(|(spans, errors)| json!({ "spans": spans, "errors": errors })).collect::<Vec<_>>(),
    })
}

fn edge(edge: &Edge) -> Value {
    json!({
        "from": edge.from,
        "to": edge.to,
        "calls": edge.calls,
        "errors": edge.errors,
        "asynchronous": edge.asynchronous,
    })
}

/// Answers with the names of operations.
///
/// # Errors
/// The store can't answer.
pub async fn operations(app: &App, request: &Request) -> Result<Response, Problem> {
    let names = app.database.get_operation_names(request.query.get("service")).await?;
    Ok(ok(&json!({ "operations": names })))
}
