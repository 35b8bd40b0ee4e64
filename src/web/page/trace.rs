//! The page of one trace: a waterfall, with a panel for the selected span.
//!
//! The whole view is in the address: the span, the part of the time, the search, the number of rows. The script only avoids
//! loading the whole page again.

mod critical_path;
mod failure;
mod find;
mod links;
mod panel;
mod tree;
mod waterfall;

use super::outage::Outage;
use super::{Chrome, Tab, problem};
use crate::clock::now;
use crate::engine::Located;
use crate::engine::Phase;
use crate::store::{Store, StoreError};
use crate::text;
use crate::trace::{StoredTrace, TooLarge, TraceId};
use crate::web::filter;
use crate::web::palette::Palette;
use crate::web::request::{Fields, Request};
use crate::web::response::{self, Response};
use crate::web::{App, format};
use askama::Template;
use hyper::StatusCode;
use panel::Panel;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tree::{Calls, Stretch, Tree};
use waterfall::{Drawing, Row, Stroke, Window};

/// The number of rows on a page, and of further rows that are shown at a time.
const ROWS: usize = 500;

#[derive(Template)]
#[template(path = "trace.html")]
struct Page {
    chrome: Chrome,
    notices: Vec<String>,
    outage: Option<Outage>,
    facts: Facts,
    split: Vec<Part>,
    /// The root's duration, to which the critical path belongs.
    request: String,
    minimap: Vec<Stroke>,
    zoom: Zoom,
    look: Look,
    rows: Vec<Row>,
    ticks: Vec<(String, String)>,
    /// The number of spans that are not shown.
    hidden: Option<String>,
    /// The part behind `?span=..` in the address of a row.
    rest: String,
    /// The number of spans found by a search.
    found: Option<usize>,
    panel: Panel,
    errors: usize,
    jaeger: Option<String>,
}

/// The panel alone, as the script requests it.
#[derive(Template)]
#[template(path = "trace/panel.html")]
struct PanelPage {
    panel: Panel,
    look: Look,
}

struct Facts {
    id: String,
    operation: String,
    service: String,
    class: &'static str,
    duration: String,
    /// The duration until the end of the last span, if that is later than the root's.
    in_all: Option<String>,
    spans: String,
    services: usize,
    started: String,
    scenario: Option<String>,
    /// A text such as `18,428 of seed 42`.
    index: Option<String>,
    command: Option<String>,
}

/// A service's part of the critical path.
struct Part {
    service: String,
    class: &'static str,
    x: String,
    width: String,
    share: String,
}

/// The shown part of the time, in ns after the trace's start, with its position on the minimap.
struct Zoom {
    length: u64,
    from: u64,
    to: u64,
    x: String,
    width: String,
    end: String,
    zoomed: bool,
}

/// The view that the address describes.
#[derive(Clone, Default)]
struct Look {
    /// The path of the page.
    path: String,
    /// The beginning of the shown time in ms after the trace's start, as given.
    from: String,
    to: String,
    find: String,
    rows: usize,
    /// A span was selected in the address.
    chosen: bool,
}

pub async fn show(app: &Arc<App>, request: &Request, id: &str) -> Response {
    let Some(id) = format::parse_trace_id(id) else {
        return problem::not_found(app, "A trace id has 32 hexadecimal digits, not all of them 0.");
    };
    let located = app.session.locate(id);
    let (kept, error) = match app.database.trace(id).await {
        Ok(kept) => (kept, None),
        Err(StoreError::TooLarge(why)) => return too_large(app, &why),
        Err(error) => (None, Some(error)),
    };
    let outage = Outage::of(&app.database.status(), error.as_ref(), now());
    let remade = kept.is_none();
    let trace = kept.map(Ok).or_else(|| remake(app, located.as_ref()?)).transpose();
    let trace = match trace {
        Ok(trace) => trace.filter(|trace| !trace.spans.is_empty()),
        Err(error) => return too_large(app, &error.to_string()),
    };
    let Some(trace) = trace else { return unknown(app, id, outage) };
    let calls = located.as_ref().and_then(|located| calls(app, located)).unwrap_or_default();
    let tree = Tree::new(&trace.spans, &calls);
    let (look, selected) = Look::read(&request.query, &tree, id);
    let critical = critical_path::critical_path(&tree);
    let plan = located.as_ref().map_or_else(|| app.session.plan(), |located| located.origin.plan.clone());
    let palette = Palette::of(&plan);
    let panel = Panel::new(app, &trace, &tree, &palette, located.as_ref(), selected).await;
    if request.query.get("part") == Some("span") {
        return response::html(StatusCode::OK, &PanelPage { panel, look });
    }
    let mut notices = vec![];
    if let Some(located) = located.as_ref().filter(|_| remade) {
        notices.push(format!(
            "This trace was made as number {} of this run, but is not kept. It was made again from the seed: what is shown is \
             what was sent, not whether it arrived.",
            text::grouped(located.index)
        ));
    }
    let orphans = tree.nodes.iter().filter(|node| node.orphan).count();
    if orphans > 0 {
        let spans = text::count(orphans as u64, "span");
        notices.push(format!("{spans} name a parent that is not there. They stand beside the root, marked."));
    }
    let zoom = look.zoom(&tree);
    let window = Window { from: tree.start + zoom.from, to: tree.start + zoom.to };
    let found = find::find(&tree, &look.find);
    let drawing = Drawing {
        tree: &tree,
        palette: &palette,
        critical: &critical,
        window,
        selected,
        found: found.as_deref().unwrap_or_default(),
    };
    let shown = look.rows.min(tree.spans.len());
    let page = Page {
        chrome: Chrome::new(app, Tab::Traces),
        notices,
        outage,
        facts: facts(app, &trace, &tree, &palette, located.as_ref()),
        split: split(&tree, &critical, &palette),
        request: text::duration(tree.spans[tree.root()].lasts()),
        minimap: waterfall::minimap(&tree, &palette),
        rows: (0..shown).map(|i| drawing.row(i)).collect(),
        ticks: drawing.ticks(),
        hidden: (shown < tree.spans.len()).then(|| text::grouped((tree.spans.len() - shown) as u64)),
        rest: look.rest(),
        found: found.as_ref().map(Vec::len),
        panel,
        errors: tree.spans.iter().filter(|span| span.failed()).count(),
        jaeger: app.jaeger.as_deref().and_then(|base| jaeger(base, id)),
        zoom,
        look,
    };
    response::html(StatusCode::OK, &page)
}

/// A handle of the zoom.
struct Grip<'a> {
    name: &'static str,
    label: &'static str,
    x: &'a str,
    /// The value in ns after the trace's start.
    value: u64,
    text: String,
}

impl Page {
    fn grips(&self) -> [Grip<'_>; 2] {
        let Zoom { from, to, .. } = self.zoom;
        [
            Grip { name: "from", label: "Zoom from", x: &self.zoom.x, value: from, text: waterfall::offset(from) },
            Grip { name: "to", label: "Zoom to", x: &self.zoom.end, value: to, text: waterfall::offset(to) },
        ]
    }

    fn errors(&self) -> String {
        text::count(self.errors as u64, "error")
    }

    fn has_cut(&self) -> bool {
        self.rows.iter().any(|row| row.cut.is_some())
    }

    fn has_outliving(&self) -> bool {
        self.rows.iter().any(|row| row.parent_end.is_some())
    }

    /// Returns the text of the ruler.
    fn ruler(&self) -> String {
        format!("{} to {}", waterfall::offset(self.zoom.from), waterfall::offset(self.zoom.to))
    }

    /// Returns the number of rows after showing more.
    fn more(&self) -> usize {
        self.rows.len() + ROWS
    }
}

/// Generates a trace of this session again.
fn remake(app: &App, located: &Located) -> Option<Result<StoredTrace, TooLarge>> {
    let (origin, trace) = app.session.remake(located.index)?;
    Some(StoredTrace::of(origin.view(&trace)))
}

/// Returns how the spans of a trace of this session were called.
fn calls(app: &App, located: &Located) -> Option<Calls> {
    let (origin, trace) = app.session.remake(located.index)?;
    let calls = origin.view(&trace).calls();
    Some(trace.spans.iter().map(|span| span.id).zip(calls).collect())
}

fn too_large(app: &App, why: &str) -> Response {
    problem::page(app, StatusCode::PAYLOAD_TOO_LARGE, "This trace is too large to be shown.", why)
}

fn unknown(app: &App, id: TraceId, outage: Option<Outage>) -> Response {
    if let Some(outage) = outage {
        return problem::page(app, StatusCode::SERVICE_UNAVAILABLE, outage.title, &outage.text);
    }
    let (id, seed) = (format::trace_id(id), app.session.seed());
    let text = format!(
        "No trace {id} is kept, and the id is none of this run's (seed {seed}), so it can't be made again. It may be of a run \
         before: `tracegen replay` makes it again with that run's manifest."
    );
    problem::page(app, StatusCode::NOT_FOUND, "No such trace", &text)
}

fn facts(app: &App, trace: &StoredTrace, tree: &Tree<'_>, palette: &Palette, located: Option<&Located>) -> Facts {
    let root = &tree.spans[tree.root()];
    let id = format::trace_id(trace.id);
    let services: BTreeSet<&str> = tree.spans.iter().map(|s| s.service.as_str()).collect();
    Facts {
        operation: format::named(&root.name).into(),
        service: root.service.clone(),
        class: palette.class(&root.service),
        duration: text::duration(root.lasts()),
        in_all: (tree.end > root.end()).then(|| text::duration(tree.end - tree.start)),
        spans: text::grouped(tree.spans.len() as u64),
        services: services.len(),
        started: format!("{} UTC", format::date_time(root.start)),
        scenario: trace.scenario.clone().or_else(|| located.map(|l| l.scenario_name().to_string())),
        index: located.map(|l| format!("{} of seed {}", text::grouped(l.index), app.session.seed())),
        command: located.map(|_| format!("tracegen replay {id} --manifest {}/api/manifest", app.url)),
        id,
    }
}

/// Returns the services by their part of the critical path, the largest first.
fn split(tree: &Tree<'_>, critical: &[Vec<Stretch>], palette: &Palette) -> Vec<Part> {
    let mut by: BTreeMap<&str, u64> = BTreeMap::new();
    for (span, stretches) in tree.spans.iter().zip(critical) {
        let time: u64 = stretches.iter().map(|(from, to)| to - from).sum();
        if time > 0 {
            *by.entry(&span.service).or_default() += time;
        }
    }
    let total: u64 = by.values().sum();
    let mut parts: Vec<(&str, u64)> = by.into_iter().collect();
    parts.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
    let mut at = 0;
    let part = |(service, time): (&str, u64)| {
        let x = format::percent(at as f64, total as f64);
        at += time;
        Part {
            service: service.into(),
            class: palette.class(service),
            x,
            width: format::percent(time as f64, total as f64),
            share: match time as f64 * 100.0 / total as f64 {
                share if share < 1.0 => "< 1 %".into(),
                share => format!("{share:.0} %"),
            },
        }
    };
    parts.into_iter().map(part).collect()
}

/// Returns the address of the trace in Jaeger, or `None` if the configured base is not a web address.
fn jaeger(base: &str, id: TraceId) -> Option<String> {
    let web = base.starts_with("http://") || base.starts_with("https://");
    web.then(|| format!("{}/trace/{}", base.trim_end_matches('/'), format::trace_id(id)))
}

impl Look {
    /// Reads the view, and the selected span: the requested one, or else the first that failed, or else the root.
    fn read(fields: &Fields, tree: &Tree<'_>, id: TraceId) -> (Look, usize) {
        let text = |name| fields.get(name).unwrap_or_default().chars().take(200).collect::<String>();
        let asked = fields.get("span").and_then(|id| u64::from_str_radix(id, 16).ok());
        let asked = asked.and_then(|id| tree.spans.iter().position(|span| span.id == id));
        let failed = || tree.spans.iter().position(|span| span.failed());
        let selected = asked.or_else(failed).unwrap_or_else(|| tree.root());
        let selected = match fields.get("go") {
            Some("next") => error_beside(tree, selected, true),
            Some("previous") => error_beside(tree, selected, false),
            _ => selected,
        };
        let wanted = fields.get("rows").and_then(|n| n.parse().ok()).unwrap_or(ROWS);
        let look = Look {
            path: format!("/traces/{}", format::trace_id(id)),
            from: text("from"),
            to: text("to"),
            find: text("find"),
            // The rows reach at least to the selected span.
            rows: usize::max(wanted, selected + 1).next_multiple_of(ROWS),
            chosen: asked.is_some(),
        };
        (look, selected)
    }

    fn zoom(&self, tree: &Tree<'_>) -> Zoom {
        let length = (tree.end - tree.start).max(1);
        let read = |text: &str| filter::duration(text).ok();
        let (from, to) = (read(&self.from).unwrap_or(0), read(&self.to).unwrap_or(length).min(length));
        let (from, to) = if from < to { (from, to) } else { (0, length) };
        Zoom {
            length,
            from,
            to,
            x: format::percent(from as f64, length as f64),
            width: format::percent((to - from) as f64, length as f64),
            end: format::percent(to as f64, length as f64),
            zoomed: (from, to) != (0, length),
        }
    }

    /// Returns the part of the address behind `?span=..`.
    fn rest(&self) -> String {
        let mut rest = String::new();
        for (name, value) in [("from", &self.from), ("to", &self.to), ("find", &self.find)] {
            if !value.is_empty() {
                rest.push_str(&format!("&{name}={}", filter::encode(value)));
            }
        }
        if self.rows > ROWS {
            rest.push_str(&format!("&rows={}", self.rows));
        }
        rest
    }
}

/// Returns the next or previous failed span, going round at the end.
fn error_beside(tree: &Tree<'_>, from: usize, forward: bool) -> usize {
    let count = tree.spans.len();
    let step = if forward { 1 } else { count - 1 };
    let mut others = (1..=count).map(|k| (from + k * step) % count);
    others.find(|i| tree.spans[*i].failed()).unwrap_or(from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Status;

    #[test]
    fn only_a_web_address_leads_to_jaeger() {
        let id = [1; 16];
        assert_eq!(
            jaeger("http://jaeger:16686/", id).unwrap(),
            format!("http://jaeger:16686/trace/{}", "01".repeat(16))
        );
        assert_eq!(jaeger("javascript:alert(1)//http://", id), None);
    }

    #[test]
    fn the_view_is_read_from_the_address() {
        let mut spans = tree::tests::spans(&[(1, 0, 0, 100_000_000), (2, 1, 0, 50), (3, 1, 60, 70), (4, 1, 80, 90)]);
        spans[2].status = Status::Error(String::new());
        spans[3].status = Status::Error(String::new());
        let tree = Tree::new(&spans, &Calls::new());
        let read = |query: &str| Look::read(&Fields::parse(query), &tree, [1; 16]);
        assert_eq!((read("").1, read("span=2").1, read("span=77").1), (2, 1, 2));
        assert_eq!([read("span=2&go=next").1, read("span=4&go=next").1, read("span=3&go=previous").1], [2, 2, 3]);
        let look = read("from=10&to=20ms&find=a%26b&rows=700").0;
        assert_eq!((look.rest().as_str(), look.rows), ("&from=10&to=20ms&find=a%26b&rows=1000", 1000));
        let zoom = look.zoom(&tree);
        assert_eq!((zoom.from, zoom.to, zoom.width.as_str(), zoom.zoomed), (10_000_000, 20_000_000, "10%", true));
        assert!(!read("from=30&to=20").0.zoom(&tree).zoomed, "upside down");
    }
}
