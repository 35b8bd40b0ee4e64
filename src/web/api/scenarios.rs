//! Scenarios with their source, plan and counts; and the playground.

use super::body::{self, Object};
use super::{Problem, ok, otlp};
use crate::engine::{Observed, SessionState};
use crate::language::budget::Budget;
use crate::language::diagnostic::{Diagnostic, render};
use crate::language::source::Sources;
use crate::plan::{Hits, Plan, ScenarioId};
use crate::trace::{StoredTrace, TooLarge};
use crate::web::App;
use crate::web::library::Edition;
use crate::web::request::Request;
use crate::web::response::{self, Response};
use crate::web::sandbox;
use hyper::StatusCode;
use serde::Serialize;
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

/// Answers with a scenario, its source, plan and counts.
///
/// # Errors
/// No scenario has the name.
pub fn one(app: &App, name: &str) -> Result<Response, Problem> {
    let (shelf, state) = (app.library.shelf(), app.session.state());
    let good = &shelf.good;
    let id = ids(&good.plan).find(|id| title(&good.plan, *id) == name);
    let id = id.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "No scenario has this name; see /api/scenarios."))?;
    let mut scenario = brief(good, &state, id);
    let listing = good.plan.scenario_listing(id);
    scenario["listing"] = listing.into_iter().map(|line| line.text).collect();
    let file = good.file_of(id);
    scenario["source"] = json!(file.map(|(_, file)| &file.text));
    scenario["diagnostics"] = match (&good.sources, file) {
        (Some(sources), Some((file, _))) => {
            let own: Vec<Diagnostic> = good.warnings.iter().filter(|d| d.at.file == file).cloned().collect();
            diagnostics(sources, &own)
        }
        _ => json!([]),
    };
    scenario["errors"] = errors(&good.plan, id, state.observed(&good.plan, id));
    Ok(ok(&scenario))
}

fn ids(plan: &Plan) -> impl Iterator<Item = ScenarioId> {
    plan.scenario_ids()
}

fn title(plan: &Plan, id: ScenarioId) -> &str {
    plan.scenario_name(id)
}

fn brief(edition: &Edition, state: &SessionState, id: ScenarioId) -> Value {
    let (plan, name) = (&edition.plan, title(&edition.plan, id));
    let file_weight = plan.scenarios[id.index()].weight;
    let seen = state.observed(plan, id);
    let expected = plan.expectation(id).map(|e| json!({ "failed": e.failed, "spans": e.spans }));
    json!({
        "name": name,
        "file": edition.file_of(id).map(|(_, file)| &file.name),
        "weight": seen.map_or(file_weight, |seen| seen.weight),
        "file_weight": file_weight,
        "load": plan.own_load(id),
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

/// Returns for each error condition how often it should fail its span, and how often it did.
fn errors(plan: &Plan, id: ScenarioId, seen: Option<&Observed>) -> Value {
    let seen = seen.map(Observed::by_block).unwrap_or_default();
    let blocks = plan.expectation(id).into_iter().flat_map(|expectation| expectation.blocks);
    let rows = blocks.flat_map(|expected| {
        let id = expected.block;
        let runs = seen.get(&id).map_or(0, |block| block.runs);
        let seen = &seen;
        let (service, operation) = (plan.service_of(id), plan.block_name(id));
        expected.hits.into_iter().map(move |Hits { block, pc, share }| {
            json!({
                "service": service,
                "operation": operation,
                "error": plan.failure_name(block, pc),
                "expected": share,
                "runs": runs,
                "hits": seen.get(&block).map_or(0, |block| block.hits_at(pc)),
            })
        })
    });
    rows.collect()
}

/// Returns diagnostics in the form of `compile --format json`.
fn diagnostics(sources: &Sources, diagnostics: &[Diagnostic]) -> Value {
    serde_json::from_str(&render::json(sources, diagnostics)).unwrap_or_default()
}

/// A text to be tried out.
struct Question {
    /// The text of a scenario file.
    source: String,
    /// The scenario of the library that the text replaces.
    replaces: Option<String>,
    /// The index from which on a sample trace is looked for.
    index: Option<u64>,
    /// The seed of the sample.
    seed: Option<u64>,
}

impl Question {
    fn read(body: &Value) -> Result<Question, Problem> {
        let given = Object::new(body, &["source", "from", "index", "seed"])?;
        Ok(Question {
            source: given.text("source")?.unwrap_or_default().into(),
            replaces: given.text("from")?.map(String::from),
            index: given.whole("index")?,
            seed: given.whole("seed")?,
        })
    }
}

/// Tries out a text, which is YAML or in a JSON object with further fields.
///
/// # Errors
/// The body is wrong, or too many are trying out scenarios.
pub async fn try_out(app: &Arc<App>, request: &Request) -> Result<Response, Problem> {
    let is_json = request.header("content-type").is_some_and(|kind| kind.trim_start().starts_with("application/json"));
    let question: Question = match is_json {
        true => Question::read(&body::parse(&request.body)?)?,
        false => {
            let source = String::from_utf8_lossy(&request.body).into_owned();
            Question { source, replaces: None, index: None, seed: None }
        }
    };
    if question.source.trim().is_empty() {
        return Err(Problem::parameter(
            "body",
            "There is no scenario in it: send one as YAML, or as JSON in `source`.",
        ));
    }
    let app = app.clone();
    let answer = sandbox::in_turn(move |budget| outcome(&app, &question, budget)).await;
    answer.ok_or_else(|| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "others are trying out scenarios at the moment; try again in a second",
        )
    })
}

/// The result of trying out a text.
#[derive(Serialize)]
struct Outcome<'a> {
    diagnostics: Value,
    plan: Option<PlanOutcome>,
    sample: Option<SampleOutcome<'a>>,
}

#[derive(Serialize)]
struct PlanOutcome {
    digest: String,
    listing: Vec<String>,
}

#[derive(Serialize)]
struct SampleOutcome<'a> {
    seed: u64,
    index: u64,
    trace: otlp::Traces<'a>,
}

fn outcome(app: &App, question: &Question, budget: Budget) -> Response {
    let trial = sandbox::compile(&app.library.shelf(), question.replaces.as_deref(), &question.source, budget);
    let seed = question.seed.unwrap_or_else(|| app.session.seed());
    let plan = trial.plan.as_ref().map(|plan| {
        // The listing is limited, but one that is cut here would make the answer too long anyway.
        let (lines, _) = plan.listing_within(&trial.own, response::LONGEST);
        PlanOutcome { digest: plan.digest_hex(), listing: lines.into_iter().map(|line| line.text).collect() }
    });
    let sample = trial.sample(seed, question.index);
    let stored = sample.as_ref().map(|sample| {
        let trace = StoredTrace::of(sample.origin.view(&sample.trace))?;
        Ok::<_, TooLarge>((sample.index, trace))
    });
    let Ok(stored) = stored.transpose() else { return response::too_long() };
    ok(&Outcome {
        diagnostics: diagnostics(&trial.sources, &trial.diagnostics),
        plan,
        sample: stored.as_ref().map(|(index, trace)| SampleOutcome {
            seed,
            index: *index,
            trace: otlp::Traces::of(trace),
        }),
    })
}
