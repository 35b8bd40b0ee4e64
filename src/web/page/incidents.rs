//! The page of incidents: those of the plan in use, starting and ending them, and the chances of error conditions.

use super::bands::times;
use super::{Chrome, Tab};
use crate::clock;
use crate::engine::Phase;
use crate::text::count;
use crate::web::App;
use crate::web::format;
use crate::web::incidents::{self, Entry, Episode, Origin, Wish};
use crate::web::library::changes::{Condition, Effect, Refusal};
use crate::web::request::{Fields, Request};
use crate::web::response::{self, Response};
use askama::Template;
use hyper::StatusCode;
use std::sync::Arc;

/// The prefix of the field of a chance, before the number of its condition.
const CHANCE: &str = "chance.";
/// The number of operations that are listed for an incident.
const CAUSES: usize = 6;
/// The number of past incidents that are listed.
const PAST: usize = 20;

#[derive(Template)]
#[template(path = "incidents.html")]
struct Incidents {
    chrome: Chrome,
    /// How many there are, and are in force.
    counts: String,
    rows: Vec<Row>,
    past: Vec<(String, String)>,
    /// Scenarios came in a plan file, so that nothing can be changed.
    fixed: bool,
    done: Option<&'static str>,
    problem: Option<Refusal>,
    /// The fields as they were sent, if they were refused.
    given: Fields,
    services: Vec<String>,
    scenarios: Vec<String>,
    groups: Vec<Group>,
    /// The plan to which the numbers of conditions refer.
    digest: String,
}

struct Row {
    entry: Entry,
    /// When it is in force, in words.
    when: String,
    timetable: String,
    /// The number of operations that it changes and that are not shown.
    more: usize,
}

/// The error conditions of a scenario.
struct Group {
    scenario: String,
    count: String,
    changed: usize,
    chances: Vec<Chance>,
}

struct Chance {
    field: String,
    service: String,
    operation: String,
    error: String,
    percent: f64,
    in_file: f64,
}

impl Incidents {
    /// Returns a field as it was sent.
    fn given(&self, name: &str) -> &str {
        self.given.get(name).unwrap_or_default()
    }

    /// Returns what is wrong with a field.
    fn wrong(&self, field: &str) -> Option<&str> {
        self.problem.as_ref().filter(|problem| problem.field == field).map(|problem| problem.message.as_str())
    }

    /// Returns a problem that belongs to no field of the form.
    fn other(&self) -> Option<&str> {
        let fields = ["service", "operation", "scenario", "instance", "minutes", "down"];
        let is_of_form = |problem: &&Refusal| self.given("action") == "make" && fields.contains(&problem.field);
        self.problem.as_ref().filter(|problem| !is_of_form(problem)).map(|problem| problem.message.as_str())
    }
}

pub async fn show(app: &Arc<App>, request: &Request) -> Response {
    let done = match request.query.get("done") {
        Some("start" | "make") => Some("The incident is in force for the traces that begin from now on."),
        Some("end") => Some("The incident has ended for the traces that begin from now on."),
        Some("conditions") => Some("The chances are in use from the next trace on."),
        _ => None,
    };
    response::html(StatusCode::OK, &page(app, done, None, Fields::default()))
}

/// Starts or ends an incident as a form says.
pub async fn act(app: &Arc<App>, request: &Request) -> Response {
    let form = request.form();
    let action = form.get("action").unwrap_or("start").to_owned();
    let done = match read(&form, &action) {
        Ok(wish) => incidents::carry_out(app, wish).await,
        Err(refusal) => Err(refusal),
    };
    answer(app, done, &action, form)
}

/// Sets the chances of error conditions as a form says.
pub async fn set(app: &Arc<App>, request: &Request) -> Response {
    let form = request.form();
    let done = match chances(app, &form) {
        Ok(wanted) => incidents::set_chances(app, wanted).await,
        Err(refusal) => Err(refusal),
    };
    answer(app, done, "conditions", form)
}

fn answer(app: &App, done: Result<(), Refusal>, action: &str, form: Fields) -> Response {
    match done {
        Ok(()) => response::see_other(&format!("/incidents?done={action}")),
        Err(problem) => {
            let status = if problem.is_conflict { StatusCode::CONFLICT } else { StatusCode::UNPROCESSABLE_ENTITY };
            response::html(status, &page(app, None, Some(problem), form))
        }
    }
}

fn read(form: &Fields, action: &str) -> Result<Wish, Refusal> {
    let text = |name: &str| form.get(name).map(str::to_owned);
    let number = |name: &'static str, subject: &str| {
        let read = |text: &str| {
            text.parse()
                .ok()
                .filter(|n: &f64| n.is_finite())
                .ok_or_else(|| Refusal::of(name, format!("Expected {subject}.")))
        };
        form.get(name).map(read).transpose()
    };
    let name = || text("name").ok_or_else(|| Refusal::of("name", "The form names no incident."));
    let minutes = || Ok(number("minutes", "a number of minutes, as `5`")?.unwrap_or(5.0));
    Ok(match action {
        "end" => Wish::End { name: name()? },
        "make" => {
            let instance = |text: &str| text.parse().map_err(|_| Refusal::of("instance", "Expected a number, as `0`."));
            let error = text("type").unwrap_or_else(|| incidents::ERROR.into());
            let effect = Effect {
                service: text("service"),
                operation: text("operation"),
                scenario: text("scenario"),
                instance: form.get("instance").map(instance).transpose()?,
                times: number("times", "a factor, as `3`")?,
                add_ms: number("add", "a number of ms, as `200`")?,
                errors: number("errors", "a percentage, as `20`")?.map(|percent| (percent, error)),
                down: form.get("down").is_some(),
            };
            Wish::Make { name: text("name"), minutes: minutes()?, effect }
        }
        _ => Wish::Start { name: name()?, minutes: minutes()? },
    })
}

/// Reads the chances of a form; those that did not change are left out.
fn chances(app: &App, form: &Fields) -> Result<Vec<(Condition, Option<f64>)>, Refusal> {
    let known = incidents::conditions(app);
    if form.get("plan") != Some(&app.library.shelf().good.plan.digest_short()) {
        return Err(Refusal::conflict("The scenarios have changed meanwhile: here they are as they are now."));
    }
    let mut wanted = vec![];
    for (field, text) in &form.0 {
        let Some(number) = field.strip_prefix(CHANCE) else { continue };
        let at = number.parse().ok().and_then(|at: usize| known.get(at));
        let Some((condition, percent, in_file)) = at else { continue };
        let given = match text.trim() {
            "" => *in_file,
            text => text.parse().map_err(|_| {
                Refusal::of("", format!("Expected a percentage from 0 to 100 for `{}`, as `2.5`.", condition.error))
            })?,
        };
        if given != *percent {
            wanted.push((condition.clone(), Some(given).filter(|given| given != in_file)));
        }
    }
    Ok(wanted)
}

fn page(app: &App, done: Option<&'static str>, problem: Option<Refusal>, given: Fields) -> Incidents {
    let (shelf, now) = (app.library.shelf(), clock::now());
    let plan = &shelf.good.plan;
    let rows: Vec<Row> = incidents::entries(app, now).into_iter().map(|entry| Row::new(entry, now)).collect();
    let in_force = rows.iter().filter(|row| row.entry.is_in_force).count();
    let past: Vec<&Episode> = shelf.changes.past().collect();
    let mut groups: Vec<Group> = vec![];
    for (at, (condition, percent, in_file)) in incidents::conditions(app).into_iter().enumerate() {
        let Condition { scenario, service, operation, error, .. } = condition;
        if groups.last().is_none_or(|group| group.scenario != scenario) {
            groups.push(Group { scenario, count: String::new(), changed: 0, chances: vec![] });
        }
        if let Some(group) = groups.last_mut() {
            group.changed += usize::from(percent != in_file);
            group.chances.push(Chance { field: format!("{CHANCE}{at}"), service, operation, error, percent, in_file });
            group.count = count(group.chances.len() as u64, "condition");
        }
    }
    Incidents {
        chrome: Chrome::new(app, Tab::Incidents),
        counts: format!("{}, {in_force} in force", count(rows.len() as u64, "incident")),
        rows,
        past: past.into_iter().rev().take(PAST).map(|past| (past.name.clone(), times(past, now))).collect(),
        fixed: shelf.good.sources.is_none(),
        done,
        problem,
        given,
        services: plan.services.iter().map(|service| plan.text(service.name).into()).collect(),
        scenarios: plan.scenario_ids().map(|id| plan.scenario_name(id).into()).collect(),
        groups,
        digest: plan.digest_short(),
    }
}

impl Row {
    fn new(entry: Entry, now: u64) -> Row {
        let stamp = |time: u64| match time.abs_diff(now) < 24 * 3_600 * 1_000_000_000 {
            true => format::stamp(time, "%H:%M:%S"),
            false => format::stamp(time, "%Y-%m-%d %H:%M"),
        };
        let when = match entry.window {
            Some(window) if entry.is_in_force => format!("{}–{}", stamp(window.start), stamp(window.end)),
            Some(window) => format!("next {}–{}", stamp(window.start), stamp(window.end)),
            None => "over".into(),
        };
        let length = format::length(entry.length);
        let timetable = match entry.every {
            Some(every) => format!("{length} every {}", format::length(every)),
            None => format!("{length}, once"),
        };
        let more = entry.causes.len().saturating_sub(CAUSES);
        Row { entry, when, timetable, more }
    }

    /// Returns the operations that are shown.
    fn shown(&self) -> impl Iterator<Item = &(String, String, String)> {
        self.entry.causes.iter().take(CAUSES)
    }

    fn can_end(&self) -> bool {
        self.entry.origin != Origin::File
    }
}
