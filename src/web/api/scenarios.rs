//! Scenarios: source, plan, and what is made of them; and the playground.

use super::{Problem, ok};
use crate::engine::{Observed, SessionState};
use crate::export::{Encode, Json};
use crate::language::diagnostic::{Diagnostic, render};
use crate::language::source::Sources;
use crate::plan::{Inst, Plan, ScenarioId};
use crate::web::App;
use crate::web::library::Edition;
use crate::web::page::scenarios::file_of;
use crate::web::request::Request;
use crate::web::response::Response;
use crate::web::sandbox::{self, Sample};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub fn index(app: &App) -> Response {
    let (shelf, state) = (app.library.shelf(), app.session.state());
    let good = &shelf.good;
    let scenarios = ids(&good.plan).map(|id| brief(good, &state, id));
    let found = |(sources, found): &(Sources, Vec<Diagnostic>)| diagnostics(sources, found);
    ok(&json!({
        "plan": good.plan.digest_hex(),
        "scenarios": scenarios.collect::<Vec<_>>(),
        "diagnostics": shelf.broken.as_ref().map_or_else(|| json!([]), found),
    }))
}

pub fn one(app: &App, name: &str) -> Result<Response, Problem> {
    let (shelf, state) = (app.library.shelf(), app.session.state());
    let good = &shelf.good;
    let id = ids(&good.plan).find(|id| title(&good.plan, *id) == name);
    let id = id.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "No scenario has this name; see /api/scenarios."))?;
    let mut scenario = brief(good, &state, id);
    let listing = good.plan.scenario_listing(id);
    scenario["listing"] = listing.into_iter().map(|line| line.text).collect();
    let file = file_of(good, id);
    scenario["source"] = json!(file.map(|(_, file)| &file.text));
    scenario["diagnostics"] = match (&good.sources, file) {
        (Some(sources), Some((file, _))) => {
            let own: Vec<Diagnostic> = good.warnings.iter().filter(|d| d.at.file == file).cloned().collect();
            diagnostics(sources, &own)
        }
        _ => json!([]),
    };
    scenario["errors"] = errors(&good.plan, id, observed(&state, name));
    Ok(ok(&scenario))
}

fn ids(plan: &Plan) -> impl Iterator<Item = ScenarioId> {
    (0..plan.scenarios.len()).map(|s| ScenarioId(s as u32))
}

fn title(plan: &Plan, id: ScenarioId) -> &str {
    plan.text(plan.scenarios[id.index()].name)
}

fn observed<'a>(state: &'a SessionState, name: &str) -> Option<&'a Observed> {
    state.scenarios.iter().find(|observed| observed.name == name)
}

fn brief(edition: &Edition, state: &SessionState, id: ScenarioId) -> Value {
    let (plan, name) = (&edition.plan, title(&edition.plan, id));
    let file_weight = plan.scenarios[id.index()].weight;
    let seen = observed(state, name);
    let expected = plan.expectation(id).map(|e| json!({ "failed": e.failed, "spans": e.spans }));
    json!({
        "name": name,
        "file": file_of(edition, id).map(|(_, file)| &file.name),
        "weight": seen.map_or(file_weight, |seen| seen.weight),
        "file_weight": file_weight,
        "min_spans": plan.bound(id).min_spans,
        "max_spans": plan.bound(id).max_spans,
        "expected": expected,
        "observed": {
            "traces": seen.map_or(0, |seen| seen.traces),
            "failed": seen.map_or(0, |seen| seen.failed),
            "spans": seen.map_or(0, |seen| seen.spans),
        },
    })
}

/// For each error condition how often it should fail its span, and how often it did.
fn errors(plan: &Plan, id: ScenarioId, seen: Option<&Observed>) -> Value {
    let blocks = plan.expectation(id).into_iter().flat_map(|expectation| expectation.blocks);
    let rows = blocks.flat_map(|expected| {
        let block = plan.block(expected.block);
        let runs = seen.and_then(|seen| seen.blocks.iter().find(|b| b.block == expected.block.0));
        let service = plan.text(plan.services[block.span.service.index()].name);
        let operation = plan.block_name(expected.block);
        expected.hits.into_iter().map(move |(at, share)| {
            let error = match block.code.get(at) {
                Some(Inst::Fail { error, .. }) => Some(plan.error_name(*error)),
                _ => None,
            };
            let hits = runs.and_then(|runs| runs.hits.iter().find(|(pc, _)| *pc == at)).map_or(0, |(_, hits)| *hits);
            json!({
                "service": service,
                "operation": operation,
                "error": error,
                "expected": share,
                "runs": runs.map_or(0, |runs| runs.runs),
                "hits": hits,
            })
        })
    });
    rows.collect()
}

/// As `compile --format json` has them.
fn diagnostics(sources: &Sources, diagnostics: &[Diagnostic]) -> Value {
    serde_json::from_str(&render::json(sources, diagnostics)).unwrap_or_default()
}

/// What is tried out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    /// Of a scenario file.
    source: String,
    /// The scenario of the library that it stands for.
    #[serde(default)]
    from: Option<String>,
    /// Of the sample: the first trace from here on.
    #[serde(default)]
    index: Option<u64>,
    #[serde(default)]
    seed: Option<u64>,
}

/// YAML as it stands, or JSON with more to say.
pub async fn try_out(app: &Arc<App>, request: &Request) -> Result<Response, Problem> {
    let is_json = request.header("content-type").is_some_and(|kind| kind.trim_start().starts_with("application/json"));
    let question: Question = match is_json {
        true => serde_json::from_slice(&request.body).map_err(|e| Problem::parameter("body", e.to_string()))?,
        false => {
            let source = String::from_utf8_lossy(&request.body).into_owned();
            Question { source, from: None, index: None, seed: None }
        }
    };
    if question.source.trim().is_empty() {
        return Err(Problem::parameter(
            "body",
            "There is no scenario in it: send one as YAML, or as JSON in `source`.",
        ));
    }
    let app = app.clone();
    let answer = sandbox::in_turn(move || outcome(&app, &question)).await;
    answer.map(|outcome| ok(&outcome)).ok_or_else(|| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "others are trying out scenarios at the moment; try again in a second",
        )
    })
}

fn outcome(app: &App, question: &Question) -> Value {
    let trial = sandbox::compile(&app.library.shelf(), question.from.as_deref(), &question.source);
    let seed = question.seed.unwrap_or_else(|| app.session.seed());
    let plan = trial.plan.as_ref().map(|plan| {
        let lines = trial.own.iter().flat_map(|id| plan.scenario_listing(*id)).map(|line| line.text);
        json!({ "digest": plan.digest_hex(), "listing": lines.collect::<Vec<_>>() })
    });
    json!({
        "diagnostics": diagnostics(&trial.sources, &trial.diagnostics),
        "plan": plan,
        "sample": trial.sample(seed, question.index).map(|sample| json!({
            "seed": seed,
            "index": sample.index,
            "trace": otlp(&sample),
        })),
    })
}

/// The trace as OTLP JSON.
fn otlp(sample: &Sample) -> Value {
    let mut encoder = Json::new(&sample.origin.resources);
    // a trace of very many spans comes in several requests
    let mut resource_spans = vec![];
    let mut take = |batch: crate::export::Batch| {
        let mut request: Value = serde_json::from_slice(&batch.body).unwrap_or_default();
        if let Value::Array(part) = request["resourceSpans"].take() {
            resource_spans.extend(part);
        }
    };
    encoder.add(sample.origin.view(&sample.trace), &mut take);
    encoder.flush(&mut take);
    json!({ "resourceSpans": resource_spans })
}
