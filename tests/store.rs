//! The contract of all stores, and the particular properties of the memory.

mod support {
    pub mod contract;
}

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::contract::{Corpus, OPENING, SECOND, answers, is_empty};
use tracegen::store::{Memory, MemoryLimits, Order, Store, StoreError, TimeRange, TraceQuery};

fn filled(corpus: &Corpus, capacity: usize) -> Memory {
    let store = Memory::new(MemoryLimits::new(capacity));
    corpus.traces.iter().for_each(|trace| store.add_trace(&corpus.origin, trace).expect("kept"));
    store
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    let corpus = Corpus::new();
    let store = filled(&corpus, corpus.traces.len());
    is_empty(&Memory::new(MemoryLimits::new(10))).await;
    answers(&store, &corpus).await;
    let traces = corpus.traces.len() as u64;
    assert_eq!((store.size().traces, store.size().limits.traces as u64), (traces, traces));
}

#[tokio::test]
async fn memory_keeps_the_contract_after_other_traces() {
    let corpus = Corpus::new();
    let store = Memory::new(MemoryLimits::new(corpus.traces.len()));
    // Traces of another origin come first and are dropped again; they are an hour older in the rolling figures.
    for trace in &corpus.traces {
        let mut other = trace.clone();
        other.id[0] ^= 0x80;
        other.start -= 7_200 * SECOND;
        other
            .spans
            .iter_mut()
            .for_each(|span| (span.start, span.end) = (span.start - 7_200 * SECOND, span.end - 7_200 * SECOND));
        store.add_trace(&Arc::new((*corpus.origin).clone()), &other).expect("kept");
    }
    corpus.traces.iter().for_each(|trace| store.add_trace(&corpus.origin, trace).expect("kept"));
    answers(&store, &corpus).await;
}

#[tokio::test]
async fn the_oldest_traces_are_dropped_completely() {
    let corpus = Corpus::new();
    let store = filled(&corpus, 10);
    let query = TraceQuery { order: Order::Oldest, ..TraceQuery::default() };
    let page = store.fetch_unique_traces(&query).await.expect("a page");
    let (gone, kept) = corpus.traces.split_at(corpus.traces.len() - 10);
    assert_eq!(page.traces.iter().map(|t| t.id).collect::<Vec<_>>(), kept.iter().map(|t| t.id).collect::<Vec<_>>());
    assert_eq!(store.get_trace_counts().await.expect("counts").total_traces, 10);
    for trace in gone {
        assert_eq!(store.trace(trace.id).await, Ok(None));
    }
    let names: BTreeSet<String> =
        kept.iter().flat_map(|t| corpus.origin.view(t).spans()).map(|span| span.name().to_string()).collect();
    assert_eq!(store.get_operation_names(None).await, Ok(names.into_iter().collect()));

    let bytes = store.size().bytes;
    assert_eq!(bytes, filled_with(&corpus, kept).size().bytes, "as if the others had never been");
    let spans: usize = kept.iter().map(|trace| trace.spans.len()).sum();
    assert!((100..600).contains(&(bytes / spans as u64)), "{} B a span", bytes / spans as u64);
    let none = filled(&corpus, 0);
    assert_eq!((none.size().traces, none.size().bytes), (0, 0));

    let overview = store.overview(&TraceQuery::default()).await.expect("an overview");
    assert_eq!((overview.traces, overview.kept_only), (corpus.traces.len() as u64, false), "counted all the same");
    let failed =
        store.overview(&TraceQuery { failed: Some(true), ..TraceQuery::default() }).await.expect("an overview");
    assert!(failed.traces <= 10 && failed.kept_only);
    let services = store.services(TimeRange::default(), None).await.expect("services");
    let spans: usize = corpus.traces.iter().map(|trace| trace.spans.len()).sum();
    assert_eq!(services.services.iter().map(|s| s.figures.spans).sum::<u64>(), spans as u64);
    let messages = services.edges.iter().find(|edge| edge.from == "orders" && edge.to == "billing").expect("an edge");
    let links: usize = corpus.traces.iter().map(|trace| trace.links.len()).sum();
    assert_eq!((messages.calls, messages.asynchronous), (links as u64, true), "also to what is no longer kept");
}

#[tokio::test]
async fn the_kept_traces_take_at_most_the_allowed_bytes() {
    let corpus = Corpus::new();
    let whole = filled(&corpus, 50).size().bytes;
    let limits = MemoryLimits { bytes: whole, ..MemoryLimits::new(corpus.traces.len()) };
    let store = Memory::new(limits);
    for (at, trace) in corpus.traces.iter().enumerate() {
        store.add_trace(&corpus.origin, trace).expect("kept");
        let size = store.size();
        assert!(size.bytes <= whole && size.traces > 0, "{size:?} after trace {at}");
    }
    let newest = corpus.traces.last().expect("traces");
    assert!(store.trace(newest.id).await.expect("an answer").is_some(), "the oldest go first");
    assert_eq!(store.trace(corpus.traces[0].id).await, Ok(None));
    assert!((10..=100).contains(&store.size().traces), "{:?}", store.size());
}

/// The text of such a trace is not copied.
#[tokio::test]
async fn a_trace_that_is_larger_than_the_memory_is_counted_and_not_kept() {
    let corpus = Corpus::new();
    let store = Memory::new(MemoryLimits { bytes: 1_000_000, ..MemoryLimits::new(100) });
    corpus.traces.iter().for_each(|trace| store.add_trace(&corpus.origin, trace).expect("kept"));
    let before = store.size();
    let mut large = corpus.traces[0].clone();
    large.id[0] ^= 0x80;
    large.text.append(&[b'x'; 1_000_000]);
    store.add_trace(&corpus.origin, &large).expect("counted");
    assert_eq!(store.trace(large.id).await, Ok(None));
    let after = store.size();
    assert_eq!((after.traces, after.bytes, after.too_large), (before.traces, before.bytes, 1));
    let overview = store.overview(&TraceQuery::default()).await.expect("an overview");
    assert_eq!(overview.traces, corpus.traces.len() as u64 + 1);
}

/// A text is once in the plan and many times in a trace. The trace is refused before anything is copied.
#[tokio::test]
async fn repeated_texts_are_counted_before_they_are_copied() {
    let long = "x".repeat(1_000_000);
    let calls = vec!["{service: *s, operation: o}"; 20].join(", ");
    let attributes: Vec<String> = (0..100).map(|i| format!("k{i}: <<v>>")).collect();
    let attributes = attributes.join(", ");
    let span = format!("{{service: &s {long}, operation: o, attributes: {{{attributes}}}, calls: [{calls}]}}");
    let corpus = Corpus::of(&format!("{{name: a, vars: {{v: {long}}}, root_span: {span}}}"));
    let store = filled_with(&corpus, &corpus.traces[..100]);
    assert!(store.size().traces == 100 && store.size().bytes < 10_000_000, "{:?}", store.size());
    let whole = store.trace(corpus.traces[0].id).await;
    assert!(matches!(whole, Err(StoreError::TooLarge(_))), "more than 100 MB");
    let page = async |limit| store.fetch_unique_traces(&TraceQuery { limit, ..TraceQuery::default() }).await;
    assert!(page(2).await.is_ok(), "44 MB");
    assert!(matches!(page(4).await, Err(StoreError::TooLarge(_))), "88 MB");
}

fn filled_with(corpus: &Corpus, traces: &[tracegen::trace::Trace]) -> Memory {
    let store = Memory::new(MemoryLimits::new(traces.len()));
    traces.iter().for_each(|trace| store.add_trace(&corpus.origin, trace).expect("kept"));
    store
}

#[tokio::test]
async fn an_id_is_kept_once() {
    let corpus = Corpus::new();
    let store = filled(&corpus, 100);
    let [.., again, _, _] = &corpus.traces[..] else { panic!("traces") };
    let mut changed = again.clone();
    changed.spans[0].start = OPENING;
    store.add_trace(&corpus.origin, &changed).expect("kept");
    let counts = store.get_trace_counts().await.expect("counts");
    assert_eq!(counts.total_traces, 100);
    let page = store.fetch_unique_traces(&TraceQuery { limit: 200, ..TraceQuery::default() }).await.expect("a page");
    let ids: BTreeSet<_> = page.traces.iter().map(|trace| trace.id).collect();
    assert_eq!((page.traces.len(), ids.len(), page.total), (100, 100, 100));
    let found = store.trace(again.id).await.expect("an answer").expect("kept");
    assert_eq!(found.spans[0].start, OPENING, "the later one");
    for trace in &corpus.traces[..99] {
        store.add_trace(&corpus.origin, trace).expect("kept");
    }
    assert!(store.trace(again.id).await.expect("an answer").is_some(), "it came last");
    store.add_trace(&corpus.origin, &corpus.traces[99]).expect("kept");
    assert_eq!(store.trace(again.id).await, Ok(None));
}

/// There are more services than a row has bits.
#[tokio::test]
async fn any_number_of_services_is_distinguished() {
    let scenario = |n| format!("  - {{name: s{n}, root_span: {{service: service{n}, operation: o}}}}\n");
    let corpus = Corpus::of(&format!("scenarios:\n{}", (0..80).map(scenario).collect::<String>()));
    let store = filled(&corpus, corpus.traces.len());
    let mut found = 0;
    for n in 0..80 {
        let service = format!("service{n}");
        let query = TraceQuery { service: Some(service.clone()), ..TraceQuery::default() };
        let page = store.fetch_unique_traces(&query).await.expect("a page");
        assert!(page.total > 0 || !store.get_service_names().await.expect("names").contains(&service));
        assert!(page.traces.iter().all(|trace| trace.service == service));
        found += page.total;
    }
    assert_eq!(found, corpus.traces.len() as u64);
}

/// Every page that is read meanwhile is consistent: no trace is there twice, and the number is right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_one_moment() {
    let corpus = Arc::new(Corpus::new());
    let (store, stop) = (Arc::new(filled(&corpus, 300)), Arc::new(AtomicBool::new(false)));
    let writer = std::thread::spawn({
        let (corpus, store, stop) = (corpus.clone(), store.clone(), stop.clone());
        move || {
            for trace in corpus.traces.iter().cycle().take_while(|_| !stop.load(Ordering::Relaxed)) {
                store.add_trace(&corpus.origin, trace).expect("kept");
            }
        }
    });
    for text in [None, Some("kafka".to_string())].into_iter().cycle().take(60) {
        let whole = text.is_none();
        let query = TraceQuery { limit: 1_000, text, ..TraceQuery::default() };
        let page = store.fetch_unique_traces(&query).await.expect("a page");
        let ids: BTreeSet<_> = page.traces.iter().map(|trace| trace.id).collect();
        assert_eq!(ids.len() as u64, page.total);
        assert_eq!(page.traces.len() as u64, page.total);
        assert!(!whole || page.total == 300);
        assert!(page.traces.is_sorted_by_key(|trace| (std::cmp::Reverse(trace.start), trace.id)));
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().expect("it ran");
}

/// The limits for 100,000 traces in a release build are five times the durations measured on two cores.
#[tokio::test]
#[ignore = "needs a release build and a quiet machine"]
async fn with_100_000_traces_it_is_quick() {
    let corpus = Corpus::new();
    let store = Memory::new(MemoryLimits::new(100_000));
    let mut traces = corpus.traces.clone();
    let mut spent = Duration::ZERO;
    for round in 0..500u64 {
        for trace in &mut traces {
            trace.id[..8].copy_from_slice(&round.to_le_bytes());
            trace
                .spans
                .iter_mut()
                .for_each(|span| (span.start, span.end) = (span.start + 3 * SECOND, span.end + 3 * SECOND));
        }
        let began = Instant::now();
        traces.iter().for_each(|trace| store.add_trace(&corpus.origin, trace).expect("kept"));
        spent += began.elapsed();
    }
    let spans: usize = traces.iter().map(|trace| trace.spans.len()).sum();
    let size = store.size();
    println!("{:.1} spans a trace, {} B a span", spans as f64 / 400.0, size.bytes / (100_000 * spans as u64 / 400));
    report("add_trace", spent / 200_000, 25);
    let none = TraceQuery::default;
    for (what, query, limit) in [
        ("newest page", none(), 5_000),
        ("service", TraceQuery { service: Some("ledger".into()), ..none() }, 25_000),
        ("failed", TraceQuery { failed: Some(true), ..none() }, 25_000),
        ("duration", TraceQuery { min_duration: Some(200_000_000), ..none() }, 25_000),
        ("longest", TraceQuery { order: Order::Longest, ..none() }, 25_000),
        ("operation", TraceQuery { operation: Some("reserve 7".into()), ..none() }, 200_000),
        ("attribute", TraceQuery { attributes: vec![("user.id".into(), "7".into())], ..none() }, 500_000),
        ("text", TraceQuery { text: Some("kafka".into()), ..none() }, 500_000),
        ("text that is not there", TraceQuery { text: Some("no such words".into()), ..none() }, 2_500_000),
    ] {
        let began = Instant::now();
        for _ in 0..10 {
            store.fetch_unique_traces(&query).await.expect("a page");
        }
        report(what, began.elapsed() / 10, limit);
    }
    let began = Instant::now();
    for _ in 0..10 {
        store.overview(&none()).await.expect("an overview");
    }
    report("overview", began.elapsed() / 10, 5_000);
    let began = Instant::now();
    for _ in 0..10 {
        store.services(TimeRange::default(), None).await.expect("services");
    }
    report("services", began.elapsed() / 10, 25_000);
    let began = Instant::now();
    for _ in 0..10 {
        store.get_operation_names(None).await.expect("names");
        store.get_service_names().await.expect("names");
        store.get_trace_counts().await.expect("counts");
        store.trace(traces[7].id).await.expect("an answer").expect("kept");
        store.links_to(traces[7].id).await.expect("links");
    }
    report("names, counts, a trace and its links", began.elapsed() / 10, 5_000);
}

/// Prints the duration; `limit` is in us.
fn report(what: &str, took: Duration, limit: u64) {
    println!("{what:40} {took:?}");
    assert!(cfg!(debug_assertions) || took < Duration::from_micros(limit), "{what} took {took:?}");
}
