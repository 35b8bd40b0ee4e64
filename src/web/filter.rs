//! The filters of the traces page and of `GET /api/traces`: from a query string to a [`TraceQuery`], and back to links.
//!
//! A value that can't be read is reported with its parameter and what is allowed; the other parameters still apply.

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

/// The parameters of the list, in their order in links.
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
/// The parameters that affect how traces are shown, and not which.
const SHOWING: [&str; 4] = ["sort", "order", "view", "page"];
const MOST_PAGES: u32 = 1_000_000;
/// The maximum length of a parameter in bytes.
const LONGEST: usize = 500;

/// The filter of a request. Reading it never fails; see [`Filter::problems`].
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The fields as they were given, so that forms and links keep them.
    given: Fields,
    pub problems: Vec<Problem>,
    search: Search,
    failed: Option<bool>,
    /// The minimum duration in ns.
    min: Option<u64>,
    /// The maximum duration in ns.
    max: Option<u64>,
    pub time: TimeRange,
    pub by_duration: bool,
    pub ascending: bool,
    pub cards: bool,
    /// The number of the page, counted from 1.
    pub page: u32,
}

/// A parameter that can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub parameter: &'static str,
    pub message: String,
}

impl Filter {
    /// Reads a filter. `now` is in ns since 1970; `range` is the default time range, such as `15m`.
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
            filter.problem("max", "not below the minimum duration".into());
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
        // The range begins with a whole bucket: 15 min are 90 buckets of 10 s.
        let bucket = |length: u64| (length / MOST_BUCKETS as u64 / SECOND * SECOND).max(1);
        let begin = length.map(|l| until.unwrap_or(now).saturating_sub(l).next_multiple_of(bucket(l)));
        self.time = TimeRange { from: from.or(begin), until };
        if from.zip(until).is_some_and(|(from, until)| from >= until) {
            self.time.until = None;
            self.problem("until", "later than the beginning of the range".into());
        }
    }

    /// Returns a parameter as parsed by `read`, if it is given and valid.
    fn part<T>(&mut self, name: &'static str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match read(self.given.get(name)?) {
            Ok(value) => Some(value),
            Err(allowed) => {
                self.problem(name, allowed);
                None
            }
        }
    }

    /// Returns whether a parameter has the second of two values; the first one is the default.
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

    /// Returns what is wrong with a parameter.
    pub fn wrong(&self, name: &str) -> Option<&str> {
        Some(&self.problems.iter().find(|p| p.parameter == name)?.message)
    }

    /// Returns a parameter as it was given, or an empty text.
    pub fn given(&self, name: &str) -> &str {
        self.given.get(name).unwrap_or_default()
    }

    /// Iterates over the conditions that are set, as parameter and value, without the time range.
    pub fn conditions(&self) -> impl Iterator<Item = (&str, &str)> {
        let set = self.given.0.iter().filter(|(name, _)| {
            !SHOWING.contains(&name.as_str()) && !matches!(name.as_str(), "range" | "from" | "until")
        });
        set.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns a link to the list in which some parameters have other values; empty ones are left out.
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

    /// Returns a link to the list without conditions, shown in the same way.
    pub fn cleared(&self) -> String {
        let conditions: Vec<(&str, &str)> =
            PARAMETERS.into_iter().filter(|name| !SHOWING[..3].contains(name)).map(|name| (name, "")).collect();
        self.link(&conditions)
    }

    /// Returns a query for a page of `limit` traces. The scenario's name is looked up in the plan.
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

    /// Returns the first digits of a trace id, or all of them, if that is what was searched for.
    pub fn id(&self) -> Option<&str> {
        self.search.id.as_deref()
    }
}

/// The characters that are encoded in a query; those that are safe there stay unchanged.
const ENCODED: AsciiSet =
    NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b':').remove(b'/');

pub fn encode(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, &ENCODED)
}

/// Returns a filter for the traces of a scenario of the plan in use. If the store does not know a trace's scenario, the
/// session does.
fn scenario(app: &Arc<App>, name: &str) -> ScenarioFilter {
    let (plan, held, wanted) = (app.session.plan(), app.clone(), name.to_string());
    let is_of = move |id| {
        let located = held.session.locate(id);
        located.is_some_and(|located| located.scenario_name() == wanted)
    };
    ScenarioFilter { name: name.into(), roots: roots(&plan, name), is_of: Arc::new(is_of) }
}

/// Returns the service and name of the scenario's root span.
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
