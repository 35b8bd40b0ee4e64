//! The status page: engine, account, exporter, store and configuration.

mod account;
mod chart;
mod form;

use super::{Chrome, Tab};
use crate::clock::now;
use crate::engine::Phase;
use crate::engine::{ExporterState, SessionState};
use crate::export::deliver::Link;
use crate::language::diagnostic::Severity;
use crate::store::{Counting, DatabaseStatus, Store};
use crate::text;
use crate::text::count;
use crate::text::grouped;
use crate::web::format::{self};
use crate::web::request::{Fields, Request};
use crate::web::response::{self, Response};
use crate::web::settings::{self, Problem};
use crate::web::{App, Setting, SettingValue};
use account::{Account, Unit};
use askama::Template;
use chart::Chart;
use form::Form;
use hyper::StatusCode;
use std::sync::Arc;

#[derive(Template)]
#[template(path = "status.html")]
struct Status {
    chrome: Chrome,
    version: &'static str,
    /// The server has a token, so one can log out.
    guarded: bool,
    plan: String,
    /// The time since the start.
    up: String,
    warnings: Vec<Warning>,
    figures: Vec<Figure>,
    chart: Chart,
    form: Form,
    /// The settings were changed just now.
    applied: bool,
    account: Account,
    exporter: Option<Exporter>,
    store: StoreFacts,
    configuration: [Vec<Setting>; 2],
}

/// A figure with its unit, in large type.
struct Figure {
    name: &'static str,
    value: String,
    unit: String,
}

/// Something that a person should know, with a link.
enum Warning {
    Outage {
        wanted: String,
        cause: String,
        since: String,
        next_try: String,
    },
    Broken {
        errors: String,
        plan: String,
    },
    Full,
    /// Anybody who reaches this machine may start and stop the engine.
    Open,
}

struct Exporter {
    endpoint: String,
    protocol: String,
    link: Link,
    requests: String,
    latency: String,
    /// The last error, its time, and since when it is over.
    last_error: Option<(String, String, Option<String>)>,
}

struct StoreFacts {
    fallback: bool,
    /// Names and values.
    facts: Vec<(&'static str, String)>,
}

pub async fn show(app: &Arc<App>, request: &Request) -> Response {
    let applied = request.query.get("applied").is_some();
    response::html(StatusCode::OK, &page(app, &request.query, Form::of(&app.session.state()), applied).await)
}

/// Carries out a button of the engine, and leads back to the page with the button.
pub async fn act(app: &Arc<App>, request: &Request, action: &str) -> Response {
    settings::steer(&app.session, action);
    response::see_other(own_path(request.header("referer")).unwrap_or("/status"))
}

/// Applies the form of the engine's settings. Invalid values stay in their fields, with what is allowed beside them.
pub async fn apply(app: &Arc<App>, request: &Request) -> Response {
    let (given, state) = (request.form(), app.session.state());
    let applied = settings::read(&given, &state.settings, &state.scenarios).and_then(|settings| {
        let whole = |e: crate::engine::SettingsError| vec![Problem { field: String::new(), message: e.0 }];
        app.session.apply(settings).map_err(whole)
    });
    match applied {
        Ok(()) => response::see_other("/status?applied=1"),
        Err(problems) => {
            let form = Form::again(&state, &given, problems);
            response::html(StatusCode::UNPROCESSABLE_ENTITY, &page(app, &request.query, form, false).await)
        }
    }
}

/// Checks the store now.
pub async fn retry(app: &Arc<App>) -> Response {
    app.database.try_now().await;
    response::see_other("/status")
}

/// Returns path and query of a URL, which is one of this server because the form came from this origin.
fn own_path(url: Option<&str>) -> Option<&str> {
    let (_, rest) = url?.split_once("://")?;
    Some(&rest[rest.find('/')?..]).filter(|path| !path.starts_with("//"))
}

async fn page(app: &Arc<App>, query: &Fields, form: Form, applied: bool) -> Status {
    let state = app.session.state();
    let database = app.database.status();
    let counts = app.database.get_trace_counts().await;
    let unit = if query.get("unit") == Some("traces") { Unit::Traces } else { Unit::Spans };
    let (left, right) = app.configuration.split_at(app.configuration.len().div_ceil(2));
    Status {
        chrome: Chrome::new(app, Tab::Status),
        version: env!("CARGO_PKG_VERSION"),
        guarded: app.token.is_some(),
        plan: state.plan.digest_short(),
        up: since(state.began),
        warnings: warnings(app, &state, &database),
        figures: figures(&state),
        chart: Chart::of(app, &state),
        form,
        applied,
        account: Account::of(&state, &database, &counts, unit),
        exporter: state.exporter.as_ref().map(Exporter::of),
        store: StoreFacts::of(&database, &counts),
        configuration: [left.to_vec(), right.to_vec()],
    }
}

const SECOND: u64 = 1_000_000_000;

/// Formats the time that has passed, in whole seconds.
fn since(time: u64) -> String {
    match now().saturating_sub(time) {
        ns if ns < 60 * SECOND => format!("{} s", ns / SECOND),
        ns => text::duration(ns),
    }
}

fn warnings(app: &App, state: &SessionState, database: &DatabaseStatus) -> Vec<Warning> {
    let mut warnings = vec![];
    if !app.host.is_loopback() && app.token.is_none() {
        warnings.push(Warning::Open);
    }
    if let Some(outage) = &database.outage {
        warnings.push(Warning::Outage {
            wanted: database.wanted.clone().unwrap_or_else(|| "The store".into()),
            cause: outage.cause.to_string(),
            since: format::stamp(outage.since, "%H:%M:%S"),
            next_try: match outage.next_try.saturating_sub(now()).div_ceil(SECOND) {
                0 => "now".into(),
                seconds => format!("in {seconds} s"),
            },
        });
    }
    if let Some((_, diagnostics)) = &app.library.shelf().broken {
        let errors = diagnostics.iter().filter(|d| d.severity() == Severity::Error).count();
        warnings.push(Warning::Broken { errors: count(errors as u64, "error"), plan: state.plan.digest_short() });
    }
    if state.waiting {
        warnings.push(Warning::Full);
    }
    warnings
}

fn figures(state: &SessionState) -> Vec<Figure> {
    let lateness = text::duration(state.lateness.p99);
    let (late, unit) = lateness.split_once(' ').unwrap_or((&lateness, ""));
    let figure = |name, value: String, unit: &str| Figure { name, value, unit: unit.into() };
    let mut figures = vec![
        figure("Achieved", text::three_figures(state.achieved_rate), "traces/s"),
        figure("Target", plain(state.target_rate), "traces/s"),
        figure("Lateness p99", late.into(), unit),
        figure("Next index", grouped(state.next_index), &format!("of seed {}", state.seed)),
    ];
    if state.pending > 0 {
        figures.push(figure("Under way", grouped(state.pending), "not ended"));
    }
    figures
}

/// Formats a number without trailing zeros.
fn plain(value: f64) -> String {
    let text = text::three_figures(value);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

impl Exporter {
    fn of(state: &ExporterState) -> Exporter {
        let account = &state.account;
        let retries: u64 = account.retries.values().sum();
        let time = |at| format::stamp(at, "%H:%M:%S");
        Exporter {
            endpoint: state.endpoint.clone(),
            protocol: state.protocol.clone(),
            link: state.link,
            requests: format!(
                "{} acknowledged with {}, {} sent again",
                grouped(account.requests),
                text::bytes(account.bytes),
                grouped(retries)
            ),
            latency: match state.latency.count {
                0 => "nothing answered yet".into(),
                _ => {
                    format!("p50 {}, p99 {}", text::duration(state.latency.p50), text::duration(state.latency.p99))
                }
            },
            last_error: state
                .last_error
                .as_ref()
                .map(|(at, cause)| (cause.clone(), time(*at), state.recovered.map(time))),
        }
    }

    fn tag(&self) -> (&'static str, &'static str) {
        match self.link {
            Link::Idle => ("", "Nothing sent yet"),
            Link::Connected => ("ok", "Connected"),
            Link::Down => ("err", "Out of reach"),
        }
    }
}

impl StoreFacts {
    fn of(database: &DatabaseStatus, counts: &account::Counts) -> StoreFacts {
        let kept = database.memory;
        let memory = format!(
            "memory, {} of {}, {} of {}",
            grouped(kept.traces),
            count(kept.limits.traces as u64, "trace"),
            text::bytes(kept.bytes),
            text::bytes(kept.limits.bytes)
        );
        let mut facts = vec![];
        match (&database.wanted, &database.outage) {
            (Some(wanted), Some(outage)) => {
                facts.push(("In use", memory));
                facts.push(("Asked for", wanted.clone()));
                let away = since(outage.since);
                let tries = if outage.tries == 1 { "try" } else { "tries" };
                facts.push(("Out of reach", format!("{away}, {} {tries}", outage.tries)));
                let back = "used again at once; what came in the meantime stays in memory alone";
                facts.push(("When it is back", back.into()));
            }
            (Some(wanted), None) => facts.push(("In use", wanted.clone())),
            (None, _) => facts.push(("In use", memory)),
        }
        facts.push(match counts {
            Ok(kept) => (
                "Kept",
                format!(
                    "{}, {}, {} with errors{}",
                    count(kept.total_traces, "trace"),
                    count(kept.total_spans, "span"),
                    grouped(kept.error_traces),
                    kept.counted_from.map(format::counted_since).unwrap_or_default()
                ),
            ),
            Err(error) => ("Kept", format!("not known: {error}")),
        });
        if kept.too_large > 0 {
            let larger = format!("{}, each larger than all of the memory", count(kept.too_large, "trace"));
            facts.push(("Not kept", larger));
        }
        if let Some(Counting { hours, total: all }) = database.counting {
            let done = format!("{} of {} are done, the newest first", grouped(hours), count(all, "hour"));
            facts.push(("Counting what was there", done));
        }
        StoreFacts { fallback: database.outage.is_some(), facts }
    }
}
