//! The pages of scenarios: the index, and a scenario's source beside its plan.

mod graph;
mod pair;
mod rates;

use super::{Chrome, Tab, problem};
use crate::engine::Phase;
use crate::engine::SessionState;
use crate::plan::{Plan, ScenarioId};
use crate::text::grouped;
use crate::web::App;
use crate::web::diagnostic::Diagnostics;
use crate::web::format::{encoded, share};
use crate::web::library::{Edition, Shelf};
use crate::web::palette::Palette;
use crate::web::request::Request;
use crate::web::response::{self, Response};
use askama::Template;
use graph::Graph;
use hyper::StatusCode;
use pair::Pair;
use rates::Rates;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

#[derive(Template)]
#[template(path = "scenarios.html")]
struct Index {
    chrome: Chrome,
    trouble: Option<Trouble>,
    warnings: Option<Diagnostics>,
    rows: Vec<Figures>,
    digest: String,
}

/// Files that do not compile in their current state.
struct Trouble {
    summary: String,
    diagnostics: Diagnostics,
}

impl Trouble {
    fn of(shelf: &Shelf) -> Option<Trouble> {
        let (sources, diagnostics) = shelf.broken.as_ref()?;
        let summary = crate::language::diagnostic::render::summary(sources, diagnostics).unwrap_or_default();
        Some(Trouble { summary, diagnostics: Diagnostics::new(sources, diagnostics, None) })
    }
}

/// The figures of a scenario, as text.
struct Figures {
    name: String,
    link: String,
    /// The address at which the scenario can be tried out.
    try_out: String,
    /// The file; `None` if the scenario came in a plan file.
    file: Option<String>,
    weight: f64,
    weights: f64,
    /// When its traces start, if it has a load of its own.
    load: Option<String>,
    share: String,
    /// The observed share of all traces; `None` if there are none yet.
    share_seen: Option<String>,
    made: String,
    min_spans: u32,
    max_spans: u32,
    /// The mean number of spans.
    spans: Option<String>,
    spans_seen: Option<String>,
    fails: Option<String>,
    fails_seen: Option<String>,
    /// The weight in the file, if another one is in use.
    file_weight: Option<f64>,
}

pub async fn index(app: &Arc<App>, request: &Request) -> Response {
    // The parameter is sent when a scenario is selected without a script.
    if let Some(name) = request.query.get("name") {
        return response::see_other(&link(name));
    }
    let (shelf, state) = (app.library.shelf(), app.session.state());
    let Shelf { good, .. } = &*shelf;
    let sums = Sums::of(&good.plan, &state);
    let warnings = (good.sources.as_ref()).filter(|_| !good.warnings.is_empty());
    let page = Index {
        chrome: Chrome::new(app, Tab::Scenarios),
        trouble: Trouble::of(&shelf),
        warnings: warnings.map(|sources| Diagnostics::new(sources, &good.warnings, None)),
        rows: scenarios(&good.plan).map(|id| figures(good, &state, &sums, id)).collect(),
        digest: good.plan.digest_short(),
    };
    response::html(StatusCode::OK, &page)
}

#[derive(Template)]
#[template(path = "scenario.html")]
struct Scenario<'a> {
    chrome: Chrome,
    trouble: Option<Trouble>,
    figures: Figures,
    /// A version that changes with the shown plan and source.
    version: String,
    /// All scenarios, and whether each is the shown one.
    choices: Vec<(String, bool)>,
    digest: String,
    pair: Pair<'a>,
    /// The graph that replaces the listing.
    graph: Option<Graph>,
    /// The error rates; `None` if the plan can't be analysed.
    rates: Option<Rates>,
}

/// Shows a scenario by its name.
pub async fn show(app: &Arc<App>, request: &Request, name: &str) -> Response {
    let (shelf, state) = (app.library.shelf(), app.session.state());
    let good = &shelf.good;
    let plan = &good.plan;
    let Some(id) = scenarios(plan).find(|id| plan.scenario_name(*id) == name) else {
        return problem::not_found(app, &format!("No scenario is called \"{name}\"; all there are: /scenarios."));
    };
    let figures = figures(good, &state, &Sums::of(plan, &state), id);
    let palette = Palette::of(plan);
    let expectation = plan.expectation(id);
    let listing: Vec<_> = plan.scenario_listing(id).into_iter().map(|line| (line.place, line.text)).collect();
    let graph = request.query.get("view") == Some("graph");
    let choices = scenarios(plan).map(|other| (plan.scenario_name(other).to_string(), other == id));
    let page = Scenario {
        chrome: Chrome::new(app, Tab::Scenarios),
        trouble: Trouble::of(&shelf),
        version: version(good, id),
        choices: choices.collect(),
        digest: plan.digest_short(),
        pair: pair::pair(good, id, &listing),
        graph: graph.then(|| graph::graph(plan, id, expectation.as_ref(), &palette)),
        rates: expectation.map(|expected| rates::rates(plan, &expected, state.observed(plan, id), &palette)),
        figures,
    };
    response::html(StatusCode::OK, &page)
}

fn version(edition: &Edition, id: ScenarioId) -> String {
    let text = edition.file_of(id).map(|(_, file)| &file.text);
    format!("{}-{:x}", edition.plan.digest_short(), BuildHasherDefault::<DefaultHasher>::default().hash_one(text))
}

/// Returns the address of a scenario's page.
pub fn link(name: &str) -> String {
    format!("/scenarios/{}", encoded(name))
}

fn scenarios(plan: &Plan) -> impl Iterator<Item = ScenarioId> {
    (0..plan.scenarios.len()).map(|s| ScenarioId(s as u32))
}

/// The sums over all scenarios of an edition.
struct Sums {
    weights: f64,
    /// The mean number of traces per second, if the session runs this edition.
    rate: f64,
    /// The number of traces of all scenarios that the session runs.
    traces: u64,
}

impl Sums {
    fn of(plan: &Plan, state: &SessionState) -> Sums {
        let weight = |id: ScenarioId| {
            state.observed(plan, id).map_or(plan.scenarios[id.index()].weight, |observed| observed.weight)
        };
        let weights = scenarios(plan).filter(|id| plan.own_source(*id).is_none()).map(weight).sum();
        let rate = scenarios(plan).filter_map(|id| state.observed(plan, id)).map(|observed| observed.rate).sum();
        Sums { weights, rate, traces: state.scenarios.iter().map(|s| s.traces).sum() }
    }
}

fn figures(edition: &Edition, state: &SessionState, sums: &Sums, id: ScenarioId) -> Figures {
    let plan = &edition.plan;
    let (scenario, bound, expectation) = (&plan.scenarios[id.index()], plan.bound(id), plan.expectation(id));
    let seen = state.observed(plan, id);
    let weight = seen.map_or(scenario.weight, |seen| seen.weight);
    let Sums { weights, rate, traces: all } = *sums;
    let expected = match seen {
        Some(seen) if rate > 0.0 => seen.rate / rate,
        _ if weights > 0.0 => weight / weights,
        _ => 0.0,
    };
    let (made, failed, spans) = seen.map_or((0, 0, 0), |seen| (seen.traces, seen.failed, seen.spans));
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let name = plan.text(scenario.name);
    Figures {
        name: name.into(),
        link: link(name),
        try_out: format!("/playground?from={}", encoded(name)),
        file: edition.file_of(id).map(|(_, file)| file.name.clone()),
        weight,
        weights,
        load: plan.own_load(id),
        share: percent(expected),
        share_seen: (all > 0).then(|| share(made, all)),
        made: grouped(made),
        min_spans: bound.min_spans,
        max_spans: bound.max_spans,
        spans: expectation.as_ref().map(|e| format!("{:.1}", e.spans)),
        spans_seen: (made > 0).then(|| format!("{:.1}", spans as f64 / made as f64)),
        fails: expectation.map(|e| percent(e.failed)),
        fails_seen: (made > 0).then(|| share(failed, made)),
        file_weight: (weight != scenario.weight).then_some(scenario.weight),
    }
}
