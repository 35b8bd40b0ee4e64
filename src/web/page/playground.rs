//! The playground: a scenario that is edited and compiled while one types. Nothing is written to disk.

mod sample;

use super::{Chrome, Tab, problem};
use crate::engine::Phase;
use crate::language::budget::Budget;
use crate::language::diagnostic::Severity;
use crate::plan::{ListingLine, Plan, ScenarioId};
use crate::text;
use crate::text::duration;
use crate::web::App;
use crate::web::diagnostic::Diagnostics;
use crate::web::highlight::{self, Line};
use crate::web::palette::Palette;
use crate::web::request::{Fields, Request};
use crate::web::response::{self, Response};
use crate::web::sandbox;
use askama::Template;
use askama::filters::HtmlSafe;
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use sample::SampleView;
use std::sync::Arc;

/// The maximum number of lines of a plan that are shown.
const MAX_LINES: usize = 2_000;
const MAX_BYTES: usize = 1 << 20;

const EXAMPLE: &str = "\
name: Order lookup
vars:
  order_id: <<random.uuid>>
root_span:
  service: web
  operation: GET /orders/{id}
  kind: SERVER
  delay_ms: [5, 15]
  attributes:
    order.id: <<order_id>>
  calls:
    - service: web
      operation: SELECT orders
      kind: CLIENT
      delay_ms: [2, 30]
      attributes:
        db.system.name: postgresql
      error_conditions:
        - {probability: 4%, type: timeout, message: no answer within 2 s}
";

#[derive(Template)]
#[template(path = "playground.html")]
struct Playground<'a> {
    chrome: Chrome,
    /// The scenario from which the text started.
    from: Option<String>,
    /// The scenarios to start from.
    choices: Vec<String>,
    outcome: Outcome<'a>,
}

/// The result for a text: every part of the page that changes while one types.
#[derive(Template)]
#[template(path = "playground_result.html")]
struct Outcome<'a> {
    /// The text to be edited; `None` if the page has it already.
    text: Option<&'a str>,
    from_library: bool,
    errors: u64,
    warnings: u64,
    took: String,
    lines: Vec<Line<'a>>,
    diagnostics: Diagnostics,
    /// The plan; `None` if the text does not compile.
    plan: Option<PlanView>,
    sample: Option<SampleView>,
    seed: u64,
}

// The template escapes what it shows.
impl HtmlSafe for Outcome<'_> {}

struct PlanView {
    digest: String,
    lines: Vec<Vec<(&'static str, String)>>,
    /// There are more lines than are shown.
    more: bool,
}

/// The content of a request.
struct Question {
    from: Option<String>,
    text: String,
    /// The index from which on a sample is looked for.
    index: Option<u64>,
}

impl Question {
    fn new(fields: &Fields, text: &str) -> Question {
        Question {
            from: fields.get("from").map(str::to_string),
            // Forms send line ends as the network uses them.
            text: text.replace("\r\n", "\n"),
            index: fields.get("index").and_then(|index| index.parse().ok()),
        }
    }
}

/// Shows the page with the scenario `from`, or with an example.
pub async fn show(app: &Arc<App>, request: &Request) -> Response {
    let shelf = app.library.shelf();
    let text = match request.query.get("from") {
        None => example(app),
        Some(from) => match sandbox::origin(&shelf, from) {
            Some((_, text)) => text.to_string(),
            None => return problem::not_found(app, &format!("No scenario that has a source is called \"{from}\".")),
        },
    };
    page(app, Question::new(&request.query, &text)).await
}

/// Shows the page for a form that was sent without a script.
pub async fn submit(app: &Arc<App>, request: &Request) -> Response {
    let form = request.form();
    let text = form.0.iter().rev().find(|(name, _)| name == "source").map_or("", |(_, text)| text);
    let mut question = Question::new(&form, text);
    if let Some(change) = form.get("apply") {
        apply(&mut question.text, change);
    }
    page(app, question).await
}

/// Returns the result for the text in the body, to be inserted into the page.
pub async fn check(app: &Arc<App>, request: &Request) -> Response {
    let question = Question::new(&request.query, &String::from_utf8_lossy(&request.body));
    answer(app, question, |app, question, budget| {
        let outcome = outcome(app, question, budget);
        response::html(StatusCode::OK, &Outcome { text: None, ..outcome })
    })
    .await
}

async fn page(app: &Arc<App>, question: Question) -> Response {
    answer(app, question, |app, question, budget| {
        let good = &app.library.shelf().good;
        let scenarios = good.plan.scenarios.iter().filter(|_| good.sources.is_some());
        let page = Playground {
            chrome: Chrome::new(app, Tab::Scenarios),
            from: question.from.clone(),
            choices: scenarios.map(|s| good.plan.text(s.name).to_string()).collect(),
            outcome: outcome(app, question, budget),
        };
        response::html(StatusCode::OK, &page)
    })
    .await
}

async fn answer(app: &Arc<App>, question: Question, make: fn(&App, &Question, Budget) -> Response) -> Response {
    let app = app.clone();
    sandbox::in_turn(move |budget| make(&app, &question, budget)).await.unwrap_or_else(busy)
}

fn busy() -> Response {
    let text = "Others are trying out scenarios at the moment: try again in a second.\n";
    let mut response = response::with(StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", text);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn outcome<'a>(app: &App, question: &'a Question, budget: Budget) -> Outcome<'a> {
    let shelf = app.library.shelf();
    let seed = app.session.seed();
    let trial = sandbox::compile(&shelf, question.from.as_deref(), &question.text, budget);
    let count = |severity| trial.diagnostics.iter().filter(|d| d.severity() == severity).count() as u64;
    let here = trial.diagnostics.iter().filter(|d| d.at.file == trial.file);
    let marks: Vec<_> = here.map(|d| d.at.range()).collect();
    let sample = trial.sample(seed, question.index);
    Outcome {
        text: Some(&question.text),
        from_library: shelf.good.sources.is_some(),
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
        took: duration(trial.took.as_nanos() as u64),
        lines: highlight::yaml(&question.text, &marks),
        diagnostics: Diagnostics::new(&trial.sources, &trial.diagnostics, Some(trial.file)),
        plan: trial.plan.as_ref().map(|plan| PlanView::new(plan, &trial.own)),
        sample: sample.map(|sample| SampleView::new(&sample, &Palette::of(&shelf.good.plan))),
        seed,
    }
}

impl PlanView {
    fn new(plan: &Plan, scenarios: &[ScenarioId]) -> PlanView {
        let (listing, more) = plan.listing_within(scenarios, MAX_BYTES);
        let pieces = |line: &ListingLine| {
            let pieces = highlight::listing(&line.text).into_iter();
            pieces.map(|piece| (piece.class, piece.text.to_string())).collect()
        };
        PlanView {
            digest: plan.digest_short(),
            lines: listing.iter().take(MAX_LINES).map(pieces).collect(),
            more: more || listing.len() > MAX_LINES,
        }
    }
}

/// Applies a change given as `START END TEXT`, which replaces these bytes. A change that does not fit is ignored.
fn apply(text: &mut String, change: &str) {
    let mut parts = change.splitn(3, ' ');
    let mut number = || parts.next().and_then(|n| n.parse::<usize>().ok());
    if let (Some(start), Some(end)) = (number(), number())
        && let Some(with) = parts.next()
        && text.get(start..end).is_some()
    {
        text.replace_range(start..end, with);
    }
}

/// Returns an example with services of the library.
fn example(app: &App) -> String {
    let plan = &app.library.shelf().good.plan;
    let service = plan.services.first().map_or("web", |service| plan.text(service.name));
    EXAMPLE.replace("service: web", &format!("service: {service:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_does_not_fit_is_left_alone() {
        let applied = |change: &str| {
            let mut text = String::from("service: pay ü");
            apply(&mut text, change);
            text
        };
        assert_eq!(applied("9 12 payment service"), "service: payment service ü");
        for change in ["", "9", "9 12", "12 9 x", "9 99 x", "14 15 x", "-1 2 x", "a b c"] {
            assert_eq!(applied(change), "service: pay ü", "{change}");
        }
    }
}
