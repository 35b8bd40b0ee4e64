//! The page of services: the map, and rate, errors and durations.

mod layout;
mod map;
mod table;

use super::bands::times;
use super::{Chrome, Tab};
use crate::clock::now;
use crate::engine::Phase;
use crate::store::{Store, StoreError};
use crate::text;
use crate::text::count;
use crate::web::App;
use crate::web::filter::{Filter, RANGES, encode};
use crate::web::format;
use crate::web::incidents::{self, Episode};
use crate::web::palette::Palette;
use crate::web::request::{Fields, Request};
use crate::web::response::{self, Response};
use askama::Template;
use hyper::StatusCode;
use map::Map;
use std::collections::BTreeMap;
use std::sync::Arc;
use table::Table;

/// The share of failed spans, in per cent, from which on a figure and an edge of the map are red.
const HOT: u64 = 5;
/// The number of times of incidents that are named for a service.
const MOST_MARKS: usize = 5;
/// The default time range.
const RANGE: &str = "15m";

#[derive(Template)]
#[template(path = "services.html")]
struct Services {
    chrome: Chrome,
    choice: Choice,
    /// The problem with the requested range.
    problem: Option<String>,
    scenarios: Vec<String>,
    /// The incidents that were in force for services, in words, by the services' names.
    marks: BTreeMap<String, String>,
    content: Content,
}

impl Services {
    /// Returns the incidents that were in force for a service.
    fn mark(&self, service: &str) -> Option<&str> {
        self.marks.get(service).map(String::as_str)
    }
}

enum Content {
    Report {
        facts: String,
        sampled: u32,
        map: Map,
        table: Table,
    },
    /// There is no span in this range, but maybe in another.
    Nothing,
    Failed(StoreError),
}

pub async fn show(app: &Arc<App>, request: &Request) -> Response {
    let choice = Choice::read(&request.query);
    let asked = Fields(vec![("scenario".into(), choice.scenario.clone()), ("range".into(), choice.range.clone())]);
    let filter = Filter::read(&asked, now(), RANGE);
    let query = filter.query(app, 1);
    let plan = app.session.plan();
    let content = match app.database.services(query.range, query.scenario.as_ref()).await {
        Ok(report) if report.services.is_empty() => Content::Nothing,
        Ok(report) => {
            let palette = Palette::of(&plan);
            let operations = report.services.iter().map(|s| s.operations.len() as u64).sum();
            Content::Report {
                facts: format!(
                    "{}, {}{}",
                    count(report.services.len() as u64, "service"),
                    count(operations, "operation"),
                    report.counted_from.map(format::counted_since).unwrap_or_default()
                ),
                sampled: report.edges_sampled,
                map: Map::draw(&report, &palette),
                table: Table::of(&report, &palette, &choice),
            }
        }
        Err(error) => Content::Failed(error),
    };
    let page = Services {
        chrome: Chrome::new(app, Tab::Services),
        marks: marks(&incidents::episodes(app, query.range.from.unwrap_or(0), query.range.until.unwrap_or(u64::MAX))),
        problem: filter.wrong("range").map(String::from),
        scenarios: plan.scenarios.iter().map(|s| plan.text(s.name).into()).collect(),
        content,
        choice,
    };
    response::html(StatusCode::OK, &page)
}

/// Returns the incidents by the services that they were in force for.
fn marks(episodes: &[Episode]) -> BTreeMap<String, String> {
    let (now, mut marks): (u64, BTreeMap<String, Vec<String>>) = (now(), BTreeMap::new());
    for episode in episodes {
        let words = format!("{}, {}", episode.name, times(episode, now));
        for service in &episode.services {
            let of_service = marks.entry(service.clone()).or_default();
            if of_service.len() < MOST_MARKS {
                of_service.push(words.clone());
            }
        }
    }
    marks.into_iter().map(|(service, words)| (service, format!("Incident: {}", words.join("; ")))).collect()
}

/// The selection in the query.
#[derive(Clone, Debug, Default, PartialEq)]
struct Choice {
    scenario: String,
    range: String,
    sort: table::Sort,
    reversed: bool,
    /// A part of a service's or an operation's name.
    search: String,
    /// The services whose operations are shown.
    open: Vec<String>,
}

impl Choice {
    fn read(query: &Fields) -> Choice {
        let text = |name| query.get(name).unwrap_or_default().to_string();
        let open = query.0.iter().filter(|(name, value)| name == "service" && !value.is_empty());
        Choice {
            scenario: text("scenario"),
            range: query.get("range").unwrap_or(RANGE).into(),
            sort: table::Sort::named(query.get("sort").unwrap_or_default()),
            reversed: query.get("order") == Some("reversed"),
            search: text("q"),
            open: open.map(|(_, value)| value.clone()).collect(),
        }
    }

    /// Returns the names and values of a query with the same selection.
    fn fields(&self) -> Vec<(&'static str, &str)> {
        let mut fields = vec![];
        let mut put = |name, value, unsaid| {
            if value != unsaid {
                fields.push((name, value));
            }
        };
        put("scenario", &self.scenario[..], "");
        put("range", &self.range, RANGE);
        put("sort", self.sort.name(), table::Sort::default().name());
        put("order", if self.reversed { "reversed" } else { "" }, "");
        put("q", &self.search, "");
        self.open.iter().for_each(|service| put("service", service, ""));
        fields
    }

    /// Returns the fields that a form must send in addition to its own.
    fn others(&self, own: &[&str]) -> Vec<(&'static str, &str)> {
        self.fields().into_iter().filter(|(name, _)| !own.contains(name)).collect()
    }

    fn link(&self) -> String {
        let pairs: Vec<String> =
            self.fields().iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        if pairs.is_empty() { "/services".into() } else { format!("/services?{}", pairs.join("&")) }
    }

    fn sorted_by(&self, sort: table::Sort) -> String {
        Choice { sort, reversed: self.sort == sort && !self.reversed, ..self.clone() }.link()
    }

    /// Returns the query in which the operations of a service are toggled.
    fn toggled(&self, service: &str) -> String {
        let mut choice = self.clone();
        match choice.open.iter().position(|open| open == service) {
            Some(at) => drop(choice.open.remove(at)),
            None => choice.open.push(service.into()),
        }
        choice.link()
    }

    fn without_search(&self) -> String {
        Choice { search: String::new(), ..self.clone() }.link()
    }
}

/// Returns a link to the traces with a span of this service and name.
fn traces_of(service: &str, operation: Option<&str>) -> String {
    // An empty name is not a filter.
    let operation = operation
        .filter(|name| !name.is_empty())
        .map(|name| format!("&operation={}", encode(name)))
        .unwrap_or_default();
    format!("/?service={}{operation}", encode(service))
}

/// Reports whether enough failed to be shown in red.
fn is_hot(failed: u64, whole: u64) -> bool {
    whole > 0 && failed as u128 * 100 >= whole as u128 * HOT as u128
}

/// Formats a rate a second: `0.04`, `5.9`, `1,234`.
fn rate(count: u64, ns: u64) -> String {
    let rate = if ns == 0 { 0.0 } else { count as f64 * 1e9 / ns as f64 };
    match rate {
        0.0 => "0".into(),
        r if r < 0.095 => format!("{r:.2}"),
        r if r < 99.95 => format!("{r:.1}"),
        r => text::grouped(r.round() as u64),
    }
}

fn part(some: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { some as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_is_written_as_it_is_read() {
        let query = "scenario=a%20b&range=1h&sort=p99&order=reversed&q=x%26y&service=one&service=two";
        let choice = Choice::read(&Fields::parse(query));
        assert_eq!(choice.link(), format!("/services?{query}"));
        assert_eq!(choice.open, ["one", "two"]);
        assert_eq!(Choice::read(&Fields::parse("")).link(), "/services");
        assert_eq!(choice.others(&["q", "service"]).len(), 4);
        let toggled = Choice::read(&Fields::parse("service=one"));
        assert_eq!(toggled.toggled("one"), "/services");
        assert_eq!(toggled.toggled("a&b"), "/services?service=one&service=a%26b");
    }

    #[test]
    fn sorting_twice_reverses_the_order() {
        let choice = Choice::default();
        assert_eq!(Choice::read(&Fields::parse("")).sorted_by(table::Sort::P99), "/services?sort=p99");
        let by_p99 = Choice { sort: table::Sort::P99, range: RANGE.into(), ..choice };
        assert_eq!(by_p99.sorted_by(table::Sort::P99), "/services?sort=p99&order=reversed");
        assert_eq!(by_p99.sorted_by(table::Sort::Rate), "/services");
    }

    #[test]
    fn the_red_figures_agree_with_the_legend() {
        for (failed, whole, hot) in
            [(0, 0, false), (0, 9, false), (49, 1_000, false), (50, 1_000, true), (56, 1_000, true)]
        {
            assert_eq!(is_hot(failed, whole), hot, "{failed} of {whole}");
        }
    }

    #[test]
    fn rates_read_well() {
        let second = 1_000_000_000;
        assert_eq!(rate(59, 10 * second), "5.9");
        assert_eq!(rate(4, 100 * second), "0.04");
        assert_eq!(rate(1_234, second), "1,234");
        assert_eq!(rate(0, 0), "0");
    }
}
