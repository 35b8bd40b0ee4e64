//! The list of traces: filters, charts, rows or cards.

mod charts;
mod row;

use super::bands::Bands;
use super::outage::Outage;
use super::{Chrome, Tab};
use crate::clock;
use crate::engine::Phase;
use crate::engine::SessionState;
use crate::store::{Arrivals, Overview, Store, StoreError, TimeRange, TraceCounts, TracePage, TraceQuery};
use crate::text;
use crate::web::filter::{Filter, RANGES};
use crate::web::incidents;
use crate::web::palette::Palette;
use crate::web::request::Request;
use crate::web::response::{self, Response};
use crate::web::{App, format};
use askama::Template;
use charts::{ArrivalsChart, DurationsChart};
use hyper::StatusCode;
use row::Row;
use std::sync::Arc;

/// The default time range.
const RANGE: &str = "15m";
/// The maximum number of a service's operations to choose from.
const MOST_OPERATIONS: usize = 200;

#[derive(Template)]
#[template(path = "traces.html")]
struct Traces {
    chrome: Chrome,
    filter: Filter,
    choices: Choices,
    outage: Option<Outage>,
    /// A text such as `100 kept of 18,431 generated since 14:06`.
    counts: String,
    content: Content,
}

/// The values that can be selected.
struct Choices {
    services: Vec<String>,
    operations: Vec<String>,
    scenarios: Vec<String>,
    ranges: Vec<(String, String)>,
}

enum Content {
    /// The store has not answered.
    Failed,
    /// There is nothing in the store.
    Nothing,
    /// Nothing in the store matches; the text is such as `100 traces are`.
    NoMatch {
        kept: String,
        range: Option<String>,
    },
    List(Box<List>),
}

struct List {
    arrivals: ArrivalsChart,
    durations: DurationsChart,
    rows: Vec<Row>,
    /// A text such as `1–30`, and the total.
    shown: String,
    total: String,
    /// If not everything was searched, a text such as `since 2026-03-14 14:32:07.000 UTC`, and a link to earlier traces.
    searched: Option<String>,
    further: Option<String>,
    /// A note if the charts do not cover everything.
    charted: Option<String>,
    /// A link to the previous page.
    back: Option<String>,
    on: Option<String>,
    /// A link to the newest traces, if the list is fixed at a point in time.
    newest: Option<String>,
}

pub async fn list(app: &Arc<App>, request: &Request) -> Response {
    let now = clock::now();
    let filter = Filter::read(&request.query, now, RANGE);
    if let Some(path) = whole_id(app, &filter).await {
        return response::see_other(&path);
    }
    let limit = if filter.cards { app.card_limit } else { app.fetch_limit };
    let query = filter.query(app, limit);
    let (status, state) = (app.database.status(), app.session.state());
    let (page, error) = match answers(app, &query).await {
        Ok(answers) => (Some(answers), None),
        Err(error) => (None, Some(error)),
    };
    let code = if error.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let outage = Outage::of(&status, error.as_ref(), now);
    let (services, operations) = match &page {
        Some(answers) => (answers.services.clone(), answers.operations.clone()),
        None => Default::default(),
    };
    let template = Traces {
        chrome: Chrome::new(app, Tab::Traces),
        choices: choices(&filter, &state, services, operations),
        outage,
        counts: counts(page.as_ref().map(|p| p.counts), &state),
        content: match page {
            None => Content::Failed,
            Some(answers) => content(app, &filter, &query, answers, &state, now),
        },
        filter,
    };
    response::html(code, &template)
}

/// Returns the page of the trace whose whole id was searched for, if it exists.
async fn whole_id(app: &App, filter: &Filter) -> Option<String> {
    let id = format::parse_trace_id(filter.id()?)?;
    let known = app.session.locate(id).is_some() || matches!(app.database.trace(id).await, Ok(Some(_)));
    known.then(|| format!("/traces/{}", format::trace_id(id)))
}

/// The store's answers for a page.
struct Answers {
    counts: TraceCounts,
    page: TracePage,
    overview: Overview,
    /// The overview without a restriction on durations, from which one is selected.
    any_duration: Option<Overview>,
    services: Vec<String>,
    operations: Vec<String>,
}

async fn answers(app: &App, query: &TraceQuery) -> Result<Answers, StoreError> {
    let store = &app.database;
    let limited = query.min_duration.is_some() || query.max_duration.is_some();
    let any_duration = async {
        let wider = TraceQuery { min_duration: None, max_duration: None, ..query.clone() };
        if limited { store.overview(&wider).await.map(Some) } else { Ok(None) }
    };
    let (counts, page, overview, any_duration, services, operations) = tokio::try_join!(
        store.get_trace_counts(),
        store.fetch_unique_traces(query),
        store.overview(query),
        any_duration,
        store.get_service_names(),
        store.get_operation_names(query.service.as_deref()),
    )?;
    Ok(Answers { counts, page, overview, any_duration, services, operations })
}

/// Returns the incidents that were in force in the time of the chart.
fn bands(app: &App, overview: &Overview) -> Bands {
    let Arrivals { from, step, buckets } = &overview.arrivals;
    let to = from + step * buckets.len() as u64;
    Bands::new(&incidents::episodes(app, *from, to), *from, to)
}

fn content(
    app: &App,
    filter: &Filter,
    query: &TraceQuery,
    answers: Answers,
    state: &SessionState,
    now: u64,
) -> Content {
    let Answers { counts, page, overview, any_duration, .. } = answers;
    if counts.total_traces == 0 {
        return Content::Nothing;
    }
    if page.total == 0 {
        let bounded = filter.time.from.is_some() || filter.time.until.is_some();
        let searched = page.searched.map(|range| format!("traces that were looked at, {}", bounds(range)));
        let range = searched.or_else(|| bounded.then(|| words_of_range(filter)));
        let kept = text::count(counts.total_traces, "trace");
        let kept = format!("{kept} {}", if counts.total_traces == 1 { "is" } else { "are" });
        return Content::NoMatch { kept, range };
    }
    let palette = Palette::of(&state.plan);
    let end = filter.time.until.unwrap_or(now);
    let longest = page.traces.iter().map(|t| t.duration).max().unwrap_or(0);
    let rows: Vec<Row> = page.traces.into_iter().map(|t| Row::new(app, &palette, t, longest)).collect();
    let first = query.offset + 1;
    let last = query.offset + rows.len() as u64;
    let page_link = |number: u32, anchor: &str| match number {
        1 => filter.link(&[("page", "")]),
        n => filter.link(&[("page", &n.to_string()), ("until", anchor)]),
    };
    // Pages do not change while new traces come.
    let anchor = match filter.given("until") {
        "" => format::stamp(now, "%Y-%m-%dT%H:%M:%S%.fZ"),
        given => given.to_string(),
    };
    Content::List(Box::new(List {
        arrivals: ArrivalsChart {
            // Without a filter, dropped traces are counted if possible.
            kept_only: overview.kept_only && !query.is_plain(),
            ..ArrivalsChart::new(&overview, end, filter.time.until.is_none(), bands(app, &overview))
        },
        durations: DurationsChart::new(
            &any_duration.as_ref().unwrap_or(&overview).durations,
            overview.percentiles,
            (query.min_duration, query.max_duration),
        ),
        shown: if rows.is_empty() {
            "none here".into()
        } else {
            format!("{}–{}", text::grouped(first), text::grouped(last))
        },
        rows,
        total: match page.searched {
            Some(_) => format!("at least {}", text::grouped(page.total)),
            None => text::grouped(page.total),
        },
        searched: page.searched.map(bounds),
        further: page.searched.and_then(|range| range.from).map(|from| {
            let until = format::stamp(from, "%Y-%m-%dT%H:%M:%S%.fZ");
            filter.link(&[("until", &until), ("page", "")])
        }),
        charted: overview.counted_from.map(format::counted_since),
        back: (filter.page > 1).then(|| page_link(filter.page - 1, &anchor)),
        on: ((last < page.total || page.searched.is_some() && last + 1 - first == query.limit as u64) && last >= first)
            .then(|| page_link(filter.page + 1, &anchor)),
        newest: (!filter.given("until").is_empty()).then(|| filter.link(&[("until", ""), ("page", "")])),
    }))
}

fn bounds(range: TimeRange) -> String {
    match range {
        TimeRange { from: Some(from), until: None } => format!("since {} UTC", format::date_time(from)),
        TimeRange { from: None, until: Some(until) } => format!("before {} UTC", format::date_time(until)),
        TimeRange { from, until } => {
            let [from, until] = [from, until].map(|time| format::date_time(time.unwrap_or_default()));
            format!("from {from} to {until} UTC")
        }
    }
}

fn words_of_range(filter: &Filter) -> String {
    let named = |value: &str| RANGES.iter().find(|(v, _)| *v == value).map(|(_, words)| words.to_lowercase());
    match (filter.given("from"), filter.given("until"), filter.given("range")) {
        ("", "", "") => named(RANGE).unwrap_or_default(),
        ("", "", range) => named(range).unwrap_or_else(|| format!("last {range}")),
        ("", until, _) => format!("time before {until}"),
        (from, "", _) => format!("time since {from}"),
        (from, until, _) => format!("time from {from} to {until}"),
    }
}

fn counts(kept: Option<TraceCounts>, state: &SessionState) -> String {
    let generated = text::grouped(state.traces);
    let since = format::stamp(state.began, "%H:%M");
    match kept {
        Some(TraceCounts { total_traces, counted_from, .. }) => {
            let partly = counted_from.map(format::counted_since).unwrap_or_default();
            format!("{} kept of {generated} generated since {since}{partly}", text::grouped(total_traces))
        }
        None => format!("{generated} generated since {since}"),
    }
}

fn choices(filter: &Filter, state: &SessionState, services: Vec<String>, operations: Vec<String>) -> Choices {
    // A selected value stays in the list even if no trace has it any more.
    let with = |mut names: Vec<String>, parameter: &str| {
        let chosen = filter.given(parameter);
        if !chosen.is_empty() && !names.iter().any(|name| name == chosen) {
            names.insert(0, chosen.into());
        }
        names
    };
    // An empty name can't be selected, because it stands for no selection.
    let some = |names: Vec<String>| names.into_iter().filter(|name| !name.is_empty());
    let (services, operations) = (some(services).collect(), some(operations).take(MOST_OPERATIONS).collect());
    let scenarios = state.plan.scenarios.iter().map(|s| state.plan.text(s.name).to_string()).collect();
    let mut ranges: Vec<(String, String)> = RANGES.map(|(value, words)| (value.into(), words.into())).to_vec();
    let range = filter.given("range");
    if !range.is_empty() && filter.wrong("range").is_none() && !ranges.iter().any(|(value, _)| value == range) {
        ranges.insert(0, (range.into(), format!("Last {range}")));
    }
    Choices {
        services: with(services, "service"),
        operations: with(operations, "operation"),
        scenarios: with(scenarios, "scenario"),
        ranges,
    }
}

impl Traces {
    /// Returns the number of active filters, which is shown when they are folded away.
    fn set(&self) -> usize {
        self.filter.conditions().filter(|(name, _)| *name != "q").count()
    }

    fn is_list(&self) -> bool {
        matches!(self.content, Content::List(_))
    }

    fn range(&self) -> &str {
        if self.filter.given("range").is_empty() { RANGE } else { self.filter.given("range") }
    }

    /// Returns the link for sorting; it reverses the order if the list is already sorted in this way.
    fn sort_link(&self, by_duration: bool) -> String {
        let turn = self.filter.by_duration == by_duration && !self.filter.ascending;
        let sort = if by_duration { "duration" } else { "" };
        self.filter.link(&[("sort", sort), ("order", if turn { "asc" } else { "" }), ("page", "")])
    }

    /// Returns the `aria-sort` attribute and an arrow.
    fn sorted(&self, by_duration: bool) -> (&'static str, &'static str) {
        match (self.filter.by_duration == by_duration, self.filter.ascending) {
            (false, _) => ("none", ""),
            (true, false) => ("descending", " ↓"),
            (true, true) => ("ascending", " ↑"),
        }
    }

    /// Returns the labels of the links to the previous and the next page.
    fn beside(&self) -> (&'static str, &'static str) {
        match (self.filter.by_duration, self.filter.ascending) {
            (false, false) => ("Newer", "Older"),
            (false, true) => ("Older", "Newer"),
            (true, _) => ("Previous", "Next"),
        }
    }

    fn brush_width(&self, chart: &DurationsChart) -> String {
        let [from, to] = &chart.grips;
        format::percent(to.value - from.value, chart.high - chart.low)
    }

    /// Returns a parameter's name as words of a sentence.
    fn words(parameter: &str) -> &str {
        match parameter {
            "q" => "text",
            "min" => "duration from",
            "max" => "duration to",
            other => other,
        }
    }

    /// Returns the attributes of a field whose value can't be read.
    fn state(&self, parameter: &str) -> &'static str {
        match (self.filter.wrong(parameter), parameter) {
            (None, _) => "",
            (_, "q") => " aria-invalid=true aria-describedby=wrong-q",
            (_, "min") => " aria-invalid=true aria-describedby=wrong-min",
            (_, "max") => " aria-invalid=true aria-describedby=wrong-max",
            (_, "from") => " aria-invalid=true aria-describedby=wrong-from",
            _ => " aria-invalid=true aria-describedby=wrong-until",
        }
    }

    fn clear_link(&self) -> String {
        self.filter.cleared()
    }

    fn view_link(&self, view: &str) -> String {
        self.filter.link(&[("view", view), ("page", "")])
    }
}
