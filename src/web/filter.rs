//! The filters of the traces page and of `GET /api/traces`: from a query string to a [`TraceQuery`], and back into links.
//!
//! What can't be read is named with its parameter and what is allowed; the rest applies all the same.

mod search;
mod time;

use super::App;
use super::request::Fields;
use crate::plan::Plan;
use crate::store::report::{MOST_BUCKETS, SECOND};
use crate::store::{Order, ScenarioFilter, TimeRange, TraceQuery};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::sync::Arc;

pub use search::Search;
pub use time::{RANGES, duration};

/// Parameters of the list, in the order links give them.
const PARAMETERS: [&str; 14] = [
    "q",
    "service",
    "operation",
    "scenario",
    "status",
    "min",
    "max",
    "range",
    "from",
    "until",
    "sort",
    "order",
    "view",
    "page",
];
/// Those that say how traces are shown, not which.
const SHOWING: [&str; 4] = ["sort", "order", "view", "page"];
const MOST_PAGES: u32 = 1_000_000;
/// Bytes of a parameter.
const LONGEST: usize = 500;

/// What is asked for. Reading it never fails: see [`Filter::problems`].
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// As they were given, so that forms and links keep them.
    given: Fields,
    pub problems: Vec<Problem>,
    search: Search,
    failed: Option<bool>,
    /// ns.
    min: Option<u64>,
    max: Option<u64>,
    pub time: TimeRange,
    pub by_duration: bool,
    pub ascending: bool,
    pub cards: bool,
    /// From 1.
    pub page: u32,
}

/// A parameter that can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub parameter: &'static str,
    pub message: String,
}

impl Filter {
    /// `now` in ns since 1970; `range` is the time range where none is given, such as `15m`.
    pub fn read(fields: &Fields, now: u64, range: &str) -> Filter {
        let mut filter = Filter::default();
        let given = PARAMETERS.iter().filter_map(|name| Some((*name, fields.get(name)?)));
        for (name, value) in given {
            match value.len() {
                0..=LONGEST => filter.given.0.push((name.into(), value.into())),
                _ => filter.problem(name, format!("at most {LONGEST} characters")),
            }
        }
        filter.search = filter.part("q", Search::parse).unwrap_or_default();
        filter.failed = filter.part("status", |v| match v {
            "ok" => Ok(false),
            "error" => Ok(true),
            _ => Err("`ok` or `error`".into()),
        });
        filter.min = filter.part("min", time::duration);
        filter.max = filter.part("max", time::duration);
        if filter.min.zip(filter.max).is_some_and(|(min, max)| min > max) {
            filter.max = None;
            filter.problem("max", "not below the duration it begins at".into());
        }
        filter.read_time(now, range);
        filter.by_duration = filter.either("sort", "start", "duration");
        filter.ascending = filter.either("order", "desc", "asc");
        filter.cards = filter.either("view", "table", "cards");
        let page = filter.part("page", |v| match v.parse() {
            Ok(page @ 1..=MOST_PAGES) => Ok(page),
            _ => Err(format!("a number from 1 to {MOST_PAGES}")),
        });
        filter.page = page.unwrap_or(1);
        filter
    }

    fn read_time(&mut self, now: u64, range: &str) {
        let until = self.part("until", |v| time::moment(v, now));
        let from = self.part("from", |v| time::moment(v, now));
        let length = self.part("range", time::range).unwrap_or_else(|| time::range(range).ok().flatten());
        // a whole bucket at the beginning: 15 min are 90 of 10 s
        let bucket = |length: u64| (length / MOST_BUCKETS as u64 / SECOND * SECOND).max(1);
        let begin = length.map(|l| until.unwrap_or(now).saturating_sub(l).next_multiple_of(bucket(l)));
        self.time = TimeRange { from: from.or(begin), until };
        if from.zip(until).is_some_and(|(from, until)| from >= until) {
            self.time.until = None;
            self.problem("until", "later than the time it begins at".into());
        }
    }

    /// A parameter as it is read, if it is there and can be.
    fn part<T>(&mut self, name: &'static str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match read(self.given.get(name)?) {
            Ok(value) => Some(value),
            Err(allowed) => {
                self.problem(name, allowed);
                None
            }
        }
    }

    /// Whether a parameter has the second of two values; the first where it is not given.
    fn either(&mut self, name: &'static str, first: &str, second: &str) -> bool {
        let choice = self.part(name, |v| match v {
            v if v == first => Ok(false),
            v if v == second => Ok(true),
            _ => Err(format!("`{first}` or `{second}`")),
        });
        choice.unwrap_or(false)
    }

    fn problem(&mut self, parameter: &'static str, allowed: String) {
        self.problems.push(Problem { parameter, message: format!("Allowed: {allowed}.") });
    }

    /// What is wrong with a parameter.
    pub fn wrong(&self, name: &str) -> Option<&str> {
        Some(&self.problems.iter().find(|p| p.parameter == name)?.message)
    }

    /// A parameter as it was given, or nothing.
    pub fn given(&self, name: &str) -> &str {
        self.given.get(name).unwrap_or_default()
    }

    /// The conditions that are set, for people: parameter and value. The time range aside.
    pub fn conditions(&self) -> impl Iterator<Item = (&str, &str)> {
        let set = self.given.0.iter().filter(|(name, _)| {
            !SHOWING.contains(&name.as_str()) && !matches!(name.as_str(), "range" | "from" | "until")
        });
        set.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A link to the list with other values of some parameters; empty ones are left out.
    pub fn link(&self, changes: &[(&str, &str)]) -> String {
        let mut pairs = vec![];
        for name in PARAMETERS {
            let changed = changes.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
            let value = changed.unwrap_or_else(|| self.given(name));
            if !value.is_empty() {
                pairs.push(format!("{name}={}", encode(value)));
            }
        }
        if pairs.is_empty() { "/".into() } else { format!("/?{}", pairs.join("&")) }
    }

    /// A link to the list shown in the same way, without conditions.
    pub fn cleared(&self) -> String {
        let conditions: Vec<(&str, &str)> =
            PARAMETERS.into_iter().filter(|name| !SHOWING[..3].contains(name)).map(|name| (name, "")).collect();
        self.link(&conditions)
    }

    /// A page of `limit` traces. The scenario's name is looked up in the plan.
    pub fn query(&self, app: &Arc<App>, limit: u32) -> TraceQuery {
        let text = |name| self.given.get(name).map(String::from);
        TraceQuery {
            service: text("service"),
            operation: text("operation"),
            scenario: self.given.get("scenario").map(|name| scenario(app, name)),
            failed: self.failed,
            min_duration: self.min,
            max_duration: self.max,
            range: self.time,
            attributes: self.search.attributes.clone(),
            text: self.search.text.clone(),
            id_prefix: self.search.id.clone(),
            order: match (self.by_duration, self.ascending) {
                (false, false) => Order::Newest,
                (false, true) => Order::Oldest,
                (true, false) => Order::Longest,
                (true, true) => Order::Shortest,
            },
            offset: (self.page as u64 - 1) * limit as u64,
            limit,
        }
    }

    /// First digits of a trace id, or all of them, if that is what was searched for.
    pub fn id(&self) -> Option<&str> {
        self.search.id.as_deref()
    }
}

/// What is safe in a query stays as it is.
const ENCODED: AsciiSet =
    NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b':').remove(b'/');

pub fn encode(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, &ENCODED)
}

/// Traces of a scenario of the plan in use; where the store doesn't know a trace's scenario, the session does.
fn scenario(app: &Arc<App>, name: &str) -> ScenarioFilter {
    let (plan, held, wanted) = (app.session.plan(), app.clone(), name.to_string());
    let is_of = move |id| {
        let located = held.session.locate(id);
        located.is_some_and(|located| located.scenario_name() == wanted)
    };
    ScenarioFilter { name: name.into(), roots: roots(&plan, name), is_of: Arc::new(is_of) }
}

/// Service and name of the root span.
fn roots(plan: &Plan, scenario: &str) -> Vec<(String, Option<String>)> {
    let named = plan.scenarios.iter().filter(|s| plan.text(s.name) == scenario);
    let root = |block| {
        let (span, service) = (plan.span(block), plan.service_of(block));
        (service.to_string(), span.name.map(|name| plan.text(name).to_string()))
    };
    named.map(|s| root(s.root)).collect()
}

#[cfg(test)]
mod tests;
