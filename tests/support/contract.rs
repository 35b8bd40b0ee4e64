//! The contract of every store, tested with one corpus of traces. The expected answers are computed here from the
//! interpreter's views, trace by trace.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{Debug, Write};
use std::sync::Arc;
use tracegen::interpreter::{Arrivals, Interpreter, Run, Schedule};
use tracegen::store::{
    Backlink, DurationBins, Order, Overview, Percentiles, ScenarioFilter, Store, TimeRange, TraceQuery, TraceSummary,
    report,
};
use tracegen::trace::{Attributes, Datum, Origin, SpanView, Status, StoredTrace, Trace, TraceId, View};
use tracegen::{compiler, language};

/// 2026-01-01T00:00:00Z, which is a multiple of all steps.
pub const OPENING: u64 = 1_767_225_600 * SECOND;
pub const SECOND: u64 = 1_000_000_000;
/// The number of traces; two begin in each unit of a corpus's time.
const TRACES: u64 = 400;

/// Traces to fill a store with, in the order in which they come.
pub struct Corpus {
    pub origin: Arc<Origin>,
    pub traces: Vec<Trace>,
    /// The unit of time in ns.
    unit: u64,
}

impl Corpus {
    /// Makes a corpus of a shop and its billing.
    pub fn new() -> Corpus {
        Corpus::of(include_str!("shop.yaml"))
    }

    /// Makes a corpus of the scenarios in a file.
    pub fn of(yaml: &str) -> Corpus {
        Corpus::spread(yaml, SECOND)
    }

    /// Makes a corpus with two traces of a file's scenarios in each `unit` ns.
    pub fn spread(yaml: &str, unit: u64) -> Corpus {
        let files = vec![("a.yaml".into(), yaml.into())];
        let (_, compiled) = compiler::compile_loaded(language::load_texts(files));
        let told = format!("{:?}", compiled.diagnostics);
        let plan = Arc::new(compiled.plan.unwrap_or_else(|| panic!("{told}")));
        let schedule = Schedule::new(OPENING, Arrivals::Even { count: 2, per_ns: unit }).expect("a sound schedule");
        let run = Arc::new(Run::new(plan, 7, schedule));
        let mut interpreter = Interpreter::new(&run);
        let trace = |index| {
            let mut trace = Trace::default();
            interpreter.trace(index, &mut trace);
            trace
        };
        Corpus { traces: (0..TRACES).map(trace).collect(), origin: run.origin().clone(), unit }
    }

    fn views(&self) -> impl Iterator<Item = View<'_>> {
        self.traces.iter().map(|trace| self.origin.view(trace))
    }

    fn spans(&self) -> impl Iterator<Item = SpanView<'_>> {
        self.views().flat_map(View::spans)
    }

    /// Returns a trace with a variety of content.
    fn richest(&self) -> View<'_> {
        self.views().max_by_key(|view| view.trace.spans.len() + view.trace.failures.len()).expect("traces")
    }
}

/// Checks an empty store.
pub async fn is_empty(store: &impl Store) {
    let page = store.fetch_unique_traces(&TraceQuery::default()).await.expect("a page");
    assert_eq!((page.traces.len(), page.total), (0, 0));
    assert_eq!(store.get_trace_counts().await.expect("counts"), Default::default());
    assert!(store.get_service_names().await.expect("names").is_empty());
    assert!(store.get_operation_names(None).await.expect("names").is_empty());
    assert_eq!(store.trace([1; 16]).await, Ok(None));
    assert_eq!(store.links_to([1; 16]).await, Ok(vec![]));
    let filtered = TraceQuery { failed: Some(true), ..TraceQuery::default() };
    for query in [TraceQuery::default(), filtered] {
        let overview = store.overview(&query).await.expect("an overview");
        assert_eq!(Overview { kept_only: false, ..overview }, Overview::default());
    }
    let services = store.services(TimeRange::default(), None).await.expect("services");
    assert!(services.services.is_empty() && services.edges.is_empty());
}

/// Checks a store that contains exactly the corpus.
pub async fn answers(store: &impl Store, corpus: &Corpus) {
    store.health_check().await.expect("healthy");
    counts_and_names(store, corpus).await;
    traces(store, corpus).await;
    links(store, corpus).await;
    filters(store, corpus).await;
    pages(store, corpus).await;
    overviews(store, corpus).await;
    services(store, corpus).await;
}

async fn counts_and_names(store: &impl Store, corpus: &Corpus) {
    let counts = store.get_trace_counts().await.expect("counts");
    assert_eq!(counts.total_traces, TRACES);
    assert_eq!(counts.total_spans, corpus.spans().count() as u64);
    assert_eq!(counts.error_traces, corpus.views().filter(|view| failed(*view)).count() as u64);
    let names = |of: BTreeSet<&str>| of.into_iter().map(String::from).collect::<Vec<_>>();
    let services: BTreeSet<&str> = corpus.spans().map(|span| span.service()).collect();
    assert_eq!(store.get_service_names().await, Ok(names(services.clone())));
    let operations = corpus.spans().map(|span| span.name()).collect();
    assert_eq!(store.get_operation_names(None).await, Ok(names(operations)));
    for service in services {
        let operations = corpus.spans().filter(|span| span.service() == service).map(|span| span.name()).collect();
        assert_eq!(store.get_operation_names(Some(service)).await, Ok(names(operations)), "{service}");
    }
    assert_eq!(store.get_operation_names(Some("nobody")).await, Ok(vec![]));
}

async fn traces(store: &impl Store, corpus: &Corpus) {
    for view in corpus.views() {
        let stored = store.trace(view.trace.id).await.expect("an answer").expect("it was stored");
        assert_eq!(as_stored(&stored), as_made(view));
        assert!(stored.scenario.is_none_or(|scenario| scenario == view.scenario()));
    }
    let [first, .., last] = &corpus.traces[..] else { panic!("traces") };
    let mut near = first.id;
    near[15] ^= 1;
    for unknown in [near, [0; 16], [255; 16]] {
        assert_eq!(store.trace(unknown).await, Ok(None));
        assert_eq!(store.links_to(unknown).await, Ok(vec![]));
    }
    assert_ne!(first.id, last.id);
}

/// Formats a trace from a store with a line for each item. Attributes are compared as a map, and their values as text.
fn as_stored(trace: &StoredTrace) -> String {
    fn attributes(all: &Attributes) -> BTreeMap<&str, String> {
        map(all.iter().map(|(key, value)| (key.as_str(), value.as_datum())))
    }
    let mut out = format!("{:x?}\n", trace.id);
    for span in &trace.spans {
        let status = match &span.status {
            Status::Error(message) => Some(message.as_str()),
            Status::Unset => None,
            Status::Ok => Some("OK"),
        };
        let kind = span.kind.name();
        line(&mut out, (span.id, span.parent, &*span.name, kind, &*span.service, span.start, span.duration, status));
        line(
            &mut out,
            (
                &*span.scope.name,
                &*span.scope.version,
                &*span.trace_state,
                attributes(&span.resource),
                attributes(&span.attributes),
            ),
        );
        span.events.iter().for_each(|e| line(&mut out, (e.time, &*e.name, attributes(&e.attributes))));
        let links = span.links.iter();
        links.for_each(|l| line(&mut out, (l.trace_id, l.span_id, &*l.trace_state, attributes(&l.attributes))));
    }
    out
}

/// Formats a trace of the interpreter in the same way.
fn as_made(view: View<'_>) -> String {
    let mut out = format!("{:x?}\n", view.trace.id);
    for span in view.spans() {
        let record = span.record();
        let status = span.failure().map(|(_, message)| message).or(span.is_ok().then_some("OK"));
        let parent = span.parent().map(|parent| parent.record().id);
        let length = record.end - record.start;
        line(
            &mut out,
            (record.id, parent, span.name(), span.kind().name(), span.service(), record.start, length, status),
        );
        let resource = map(view.resources.get(record.resource));
        let (scope, version) = span.scope();
        line(&mut out, (scope, version, span.trace_state(), resource, map(span.attributes())));
        span.events().into_iter().for_each(|e| line(&mut out, (e.time, e.name, map(e.attributes.into_iter()))));
        span.links()
            .for_each(|l| line(&mut out, (l.trace_id, l.span_id, l.trace_state, map(l.attributes.into_iter()))));
    }
    out
}

fn line(out: &mut String, of: impl Debug) {
    writeln!(out, "{of:?}").expect("memory");
}

fn map<'a>(attributes: impl Iterator<Item = (&'a str, Datum<'a>)>) -> BTreeMap<&'a str, String> {
    attributes.map(|(key, value)| (key, value.to_string())).collect()
}

async fn links(store: &impl Store, corpus: &Corpus) {
    let mut expected: HashMap<TraceId, Vec<Backlink>> = HashMap::new();
    for span in corpus.spans() {
        for link in span.links() {
            expected.entry(link.trace_id).or_default().push(Backlink {
                trace_id: span.view.trace.id,
                span_id: span.record().id,
                service: span.service().into(),
                name: span.name().into(),
                start: span.record().start,
                target_span: link.span_id,
            });
        }
    }
    assert!(expected.len() > 20 && expected.values().any(|links| links.len() > 1), "the corpus has links");
    for trace in &corpus.traces {
        let mut links = expected.remove(&trace.id).unwrap_or_default();
        links.sort_by_key(|link| link.start);
        assert_eq!(store.links_to(trace.id).await, Ok(links));
    }
    assert!(expected.is_empty(), "links go to traces of the corpus");
}

/// Checks each filter, alone and combined: exactly the traces that match are returned.
async fn filters(store: &impl Store, corpus: &Corpus) {
    let text = |text: &str| Some(text.to_string());
    let pair = |key: &str, value: &str| (key.to_string(), value.to_string());
    let none = TraceQuery::default;
    let rich = corpus.richest();
    let (start, length) = (rich.trace.start, rich.trace.spans[0].end - rich.trace.start);
    let id: String = rich.trace.id.iter().map(|byte| format!("{byte:02x}")).collect();
    let named = |service: Option<&str>, operation: Option<&str>| TraceQuery {
        service: service.map(String::from),
        operation: operation.map(String::from),
        ..none()
    };
    let mut queries = vec![
        (none(), true),
        (named(Some("ledger"), None), true),
        (named(Some("ledg"), None), false),
        (named(Some("nobody"), None), false),
        (named(None, Some("publish")), true),
        (named(None, Some("reserve 7")), true),
        (named(Some("orders"), Some("reserve 7")), true),
        (named(Some("front"), Some("publish")), false),
        (TraceQuery { failed: Some(true), ..none() }, true),
        (TraceQuery { failed: Some(false), ..named(Some("orders"), None) }, true),
        (TraceQuery { min_duration: Some(length), ..none() }, true),
        (TraceQuery { max_duration: Some(length), ..none() }, true),
        (TraceQuery { min_duration: Some(length), max_duration: Some(length), ..none() }, true),
        (TraceQuery { min_duration: Some(length + 1), max_duration: Some(length), ..none() }, false),
    ];
    for (from, until, some) in [
        (Some(start), None, true),
        (None, Some(start), true),
        (Some(start), Some(start + 1), true),
        (Some(start), Some(start), false),
        (Some(start + 1), Some(start + corpus.unit / 2), false),
        (Some(OPENING + 20 * corpus.unit), Some(OPENING + 50 * corpus.unit), true),
        (Some(OPENING + 1_000 * corpus.unit), None, false),
        (None, Some(OPENING), false),
    ] {
        queries.push((TraceQuery { range: TimeRange { from, until }, ..none() }, some));
    }
    for (key, value, some) in [
        ("text", r#"it's "100 %" \ sure; -- {x:String} ?"#, true),
        ("größe", "Größe ÄÖ", true),
        ("int", "-42", true),
        ("double", "2.5", true),
        ("whole", "5", true),
        ("flag", "true", true),
        ("texts", r#"["a","b \"c\""]"#, true),
        ("ints", "[1,2]", true),
        ("sure", "false", true),
        ("user.id", "7", true),
        ("error.type", "OutOfStock", true),
        ("host.name", "front-1", true),
        ("service.name", "mail", true),
        ("service.version", "1.10", true),
        ("messaging.system", "kafka", true),
        ("messaging.system", "kafk", false),
        ("messaging.system", "KAFKA", false),
        ("kafka", "messaging.system", false),
        ("ok", "true", false),
    ] {
        queries.push((TraceQuery { attributes: vec![pair(key, value)], ..none() }, some));
    }
    for (words, some) in [
        ("LEDGER", true),
        ("post /ord", true),
        ("serve 7", true),
        ("grÖSS", false),
        ("größe ä", true),
        ("100 %\" \\", true),
        ("OUTOFSTOCK", true),
        ("nothing is", true),
        ("MAY not", true),
        ("FRONT-1", true),
        ("-42", true),
        ("b \\\"c", true),
        ("%", true),
        ("_", false),
        ("no such words", false),
    ] {
        queries.push((TraceQuery { text: text(words), ..none() }, some));
    }
    for (prefix, some) in
        [(&id[..], true), (&id[..5], true), (&id[..1], true), ("", true), ("xyz", false), (&format!("{id}0"), false)]
    {
        queries.push((TraceQuery { id_prefix: text(prefix), ..none() }, some));
    }
    for name in ["place order", "bill order"] {
        queries.push((TraceQuery { scenario: Some(scenario(corpus, name)), ..none() }, true));
    }
    queries.push((TraceQuery { scenario: Some(scenario(corpus, "bill order")), ..named(Some("mail"), None) }, false));
    queries.push((
        TraceQuery {
            service: text("orders"),
            operation: text("publish"),
            scenario: Some(scenario(corpus, "place order")),
            failed: Some(false),
            min_duration: Some(50_000_000),
            max_duration: Some(450_000_000),
            range: TimeRange { from: Some(OPENING + 10 * corpus.unit), until: Some(OPENING + 190 * corpus.unit) },
            attributes: vec![pair("flag", "true"), pair("host.name", "front-0"), pair("messaging.system", "kafka")],
            text: text("Book"),
            ..none()
        },
        true,
    ));
    for (query, some) in queries {
        let query = TraceQuery { order: Order::Oldest, limit: TRACES as u32, ..query };
        let expected: Vec<TraceSummary> = matching(corpus, &query).map(summary).collect();
        assert_eq!(!expected.is_empty(), some, "the test means something: {query:?}");
        let page = store.fetch_unique_traces(&query).await.expect("a page");
        assert_eq!(page.total, expected.len() as u64, "{query:?}");
        let found: Vec<TraceSummary> = page.traces.into_iter().map(|t| TraceSummary { scenario: None, ..t }).collect();
        assert_eq!(found, expected, "{query:?}");
    }
}

fn scenario(corpus: &Corpus, name: &str) -> ScenarioFilter {
    let of: BTreeSet<TraceId> = corpus.views().filter(|v| v.scenario() == name).map(|v| v.trace.id).collect();
    let roots = corpus.views().filter(|view| view.scenario() == name).map(|view| view.span(0));
    let roots: BTreeSet<_> = roots.map(|root| (root.service().to_string(), Some(root.name().to_string()))).collect();
    ScenarioFilter {
        name: name.into(),
        roots: roots.into_iter().collect(),
        is_of: Arc::new(move |id: TraceId| of.contains(&id)),
    }
}

fn failed(view: View<'_>) -> bool {
    view.spans().any(|span| span.failure().is_some())
}

/// Returns the traces that match, checking one condition after another.
fn matching<'a>(corpus: &'a Corpus, query: &'a TraceQuery) -> impl Iterator<Item = View<'a>> {
    let holds = move |view: &View<'a>| {
        let view = *view;
        let root = view.span(0).record();
        let id: String = view.trace.id.iter().map(|byte| format!("{byte:02x}")).collect();
        let is = |wanted: &Option<String>, text: &str| wanted.as_ref().is_none_or(|wanted| wanted == text);
        let all = |span: SpanView<'a>| span.attributes().chain(view.resources.get(span.record().resource));
        let attribute = |(key, value): &(String, String)| {
            view.spans().any(|span| all(span).any(|(k, v)| k == key && v.to_string() == *value))
        };
        let words = |text: &String| {
            let has = |part: &str| part.to_lowercase().contains(&text.to_lowercase());
            view.spans().any(|span| {
                has(span.service())
                    || has(span.name())
                    || all(span).any(|(_, value)| has(&value.to_string()))
                    || span.failure().is_some_and(|(r#type, message)| has(r#type) || has(message))
            })
        };
        view.spans().any(|span| is(&query.service, span.service()) && is(&query.operation, span.name()))
            && query.scenario.as_ref().is_none_or(|scenario| scenario.name == view.scenario())
            && query.failed.is_none_or(|wanted| wanted == failed(view))
            && query.min_duration.is_none_or(|min| root.end - root.start >= min)
            && query.max_duration.is_none_or(|max| root.end - root.start <= max)
            && query.range.from.is_none_or(|from| root.start >= from)
            && query.range.until.is_none_or(|until| root.start < until)
            && query.attributes.iter().all(attribute)
            && query.text.as_ref().is_none_or(words)
            && query.id_prefix.as_ref().is_none_or(|prefix| id.starts_with(&**prefix))
    };
    corpus.views().filter(holds)
}

/// Returns the row of a trace. A store need not know the scenario.
fn summary(view: View<'_>) -> TraceSummary {
    TraceSummary { scenario: None, ..TraceSummary::of(view) }
}

/// Checks every order, cut into pages: nothing is there twice, and nothing is missing.
async fn pages(store: &impl Store, corpus: &Corpus) {
    for order in [Order::Newest, Order::Oldest, Order::Longest, Order::Shortest] {
        for (failed, limit) in [(None, 37), (Some(true), 10), (None, 150)] {
            let query = TraceQuery { order, failed, limit, ..TraceQuery::default() };
            let mut expected: Vec<View> = matching(corpus, &query).collect();
            expected.sort_by_key(|view| {
                let root = view.span(0).record();
                let first = match order {
                    Order::Newest => u64::MAX - root.start,
                    Order::Oldest => root.start,
                    Order::Longest => u64::MAX - (root.end - root.start),
                    Order::Shortest => root.end - root.start,
                };
                (first, view.trace.id)
            });
            let expected: Vec<TraceId> = expected.iter().map(|view| view.trace.id).collect();
            let mut found = vec![];
            for offset in (0..=expected.len() as u64).step_by(limit as usize) {
                let query = TraceQuery { offset, ..query.clone() };
                let page = store.fetch_unique_traces(&query).await.expect("a page");
                assert_eq!(page.total, expected.len() as u64);
                found.extend(page.traces.into_iter().map(|trace| trace.id));
            }
            assert!(found == expected, "{order:?} {failed:?} by {limit}");
        }
    }
    for (offset, limit) in [(TRACES, 30), (u64::MAX, 30), (5, 0)] {
        let query = TraceQuery { offset, limit, ..TraceQuery::default() };
        let page = store.fetch_unique_traces(&query).await.expect("a page");
        assert_eq!((page.traces.len(), page.total), (0, TRACES));
    }
}

async fn overviews(store: &impl Store, corpus: &Corpus) {
    let range = |from, until| TimeRange {
        from: Some(OPENING + from * corpus.unit),
        until: Some(OPENING + until * corpus.unit),
    };
    let whole = TraceQuery::default();
    for query in [
        whole.clone(),
        TraceQuery { range: range(0, 200), ..whole.clone() },
        TraceQuery { range: range(20, 80), ..whole.clone() },
        TraceQuery { range: range(60, 3_600), ..whole.clone() },
        TraceQuery { range: range(500, 600), ..whole.clone() },
        TraceQuery { failed: Some(true), ..whole.clone() },
        TraceQuery { failed: Some(true), range: range(33, 77), ..whole.clone() },
        TraceQuery { text: Some("kafka".into()), ..whole.clone() },
        TraceQuery { scenario: Some(scenario(corpus, "bill order")), ..whole },
    ] {
        let overview = store.overview(&query).await.expect("an overview");
        let views: Vec<View> = matching(corpus, &query).collect();
        let errors = views.iter().filter(|view| failed(**view)).count() as u64;
        assert_eq!((overview.traces, overview.errors), (views.len() as u64, errors), "{query:?}");
        let root = |view: &View| view.span(0).record().end - view.span(0).record().start;
        assert_eq!(overview.durations, DurationBins::of(views.iter().map(root)), "{query:?}");
        let exact = Percentiles::of(&mut views.iter().map(root).collect::<Vec<_>>());
        assert_eq!(overview.percentiles.is_some(), exact.is_some());
        close(overview.percentiles.unwrap_or_default(), exact.unwrap_or_default());
        let arrivals = &overview.arrivals;
        assert!(arrivals.buckets.len() <= report::MOST_BUCKETS);
        let (mut traces, mut errors) = (0, 0);
        for (at, (all, bad)) in (0..).zip(&arrivals.buckets) {
            let from = arrivals.from + at * arrivals.step;
            let of = |view: &&View| (from..from + arrivals.step).contains(&view.trace.start);
            assert_eq!(*all, views.iter().filter(of).count() as u64, "{query:?} {at}");
            assert_eq!(*bad, views.iter().filter(of).filter(|view| failed(**view)).count() as u64, "{query:?} {at}");
            (traces, errors) = (traces + all, errors + bad);
        }
        assert_eq!((traces, errors), (overview.traces, overview.errors), "{query:?}");
    }
}

/// Asserts that the estimates are within 5 %.
fn close(estimated: Percentiles, exact: Percentiles) {
    for (estimated, exact) in [(estimated.p50, exact.p50), (estimated.p95, exact.p95), (estimated.p99, exact.p99)] {
        assert!(estimated.abs_diff(exact) as f64 <= exact as f64 * 0.05, "{estimated} for {exact}");
    }
}

async fn services(store: &impl Store, corpus: &Corpus) {
    let whole = TimeRange::default();
    let part = TimeRange { from: Some(OPENING + 60 * corpus.unit), until: Some(OPENING + 120 * corpus.unit) };
    let late = TimeRange { from: Some(OPENING + 1_000 * corpus.unit), until: Some(OPENING + 2_000 * corpus.unit) };
    let billing = scenario(corpus, "bill order");
    for (range, scenario) in [(whole, None), (part, None), (late, None), (whole, Some(&billing))] {
        let report = store.services(range, scenario).await.expect("services");
        assert_eq!(report.edges_sampled, 1);
        let asked = |span: &SpanView| {
            let start = span.record().start;
            range.from.is_none_or(|from| from <= start)
                && range.until.is_none_or(|until| start < until)
                && scenario.is_none_or(|scenario| scenario.name == span.view.scenario())
        };
        let spans: Vec<SpanView> = corpus.spans().filter(asked).collect();
        if range.until.is_some() {
            let covered = if spans.is_empty() { 0 } else { 60 * corpus.unit };
            assert!(spans.is_empty() || report.covered == covered, "{range:?}: {}", report.covered);
        }
        let names: BTreeSet<&str> = spans.iter().map(|span| span.service()).collect();
        assert_eq!(report.services.iter().map(|service| &*service.name).collect::<BTreeSet<_>>(), names);
        assert!(report.services.is_sorted_by_key(|service| std::cmp::Reverse(service.figures.spans)));
        for service in &report.services {
            let of: Vec<SpanView> = spans.iter().filter(|span| span.service() == service.name).copied().collect();
            figures(&service.figures, &of, report.from, report.step);
            let names: BTreeSet<&str> = of.iter().map(|span| span.name()).collect();
            assert_eq!(service.operations.len(), names.len(), "{}", service.name);
            for operation in &service.operations {
                let of: Vec<SpanView> = of.iter().filter(|span| span.name() == operation.name).copied().collect();
                figures(&operation.figures, &of, report.from, report.step);
            }
        }
        let mut edges = BTreeMap::new();
        for span in &spans {
            let mut count = |from: &str, asynchronous: bool| {
                if from != span.service() {
                    let edge: &mut (u64, u64) =
                        edges.entry((from.to_string(), span.service().to_string(), asynchronous)).or_default();
                    *edge = (edge.0 + 1, edge.1 + span.failure().is_some() as u64);
                }
            };
            if let Some(parent) = span.parent() {
                count(parent.service(), span.kind().name() == "CONSUMER");
            }
            for link in span.links() {
                let linked = corpus.spans().find(|other| other.record().id == link.span_id).expect("in the corpus");
                count(linked.service(), true);
            }
        }
        let told = report.edges.iter().map(|edge| {
            let of = (edge.from.clone(), edge.to.clone(), edge.asynchronous);
            (of, (edge.calls, edge.errors))
        });
        // A store may look for linked spans in the same range as for the spans that link.
        let sure =
            |(_, _, asynchronous): &(String, String, bool)| !asynchronous || range == whole && scenario.is_none();
        let told: BTreeMap<_, _> = told.filter(|(edge, _)| sure(edge)).collect();
        edges.retain(|edge, _| sure(edge));
        assert!(spans.is_empty() || !edges.is_empty() || scenario.is_some());
        assert_eq!(told, edges, "{range:?}");
    }
}

fn figures(told: &tracegen::store::Figures, spans: &[SpanView], from: u64, step: u64) {
    assert_eq!(told.spans, spans.len() as u64);
    assert_eq!(told.errors, spans.iter().filter(|span| span.failure().is_some()).count() as u64);
    let lengths = spans.iter().map(|span| span.record().end - span.record().start);
    close(told.percentiles, Percentiles::of(&mut lengths.collect::<Vec<_>>()).expect("spans"));
    assert!(told.series.len() <= report::MOST_BUCKETS);
    for (at, (all, bad)) in (0..).zip(&told.series) {
        let begin = from + at * step;
        let of = |span: &&SpanView| (begin..begin + step).contains(&span.record().start);
        assert_eq!(*all, spans.iter().filter(of).count() as u64);
        assert_eq!(*bad, spans.iter().filter(of).filter(|span| span.failure().is_some()).count() as u64);
    }
    assert_eq!(told.series.iter().map(|(all, _)| all).sum::<u64>(), told.spans);
}
