//! The shipped scenarios: they compile without a diagnostic, behave as their files say, show the whole language, and their
//! traces are pinned byte for byte.

#[path = "scenarios/binomial.rs"]
mod binomial;
#[path = "scenarios/examples.rs"]
mod examples;
#[path = "scenarios/likeness.rs"]
mod likeness;
#[path = "scenarios/promises.rs"]
mod promises;

use binomial::p_value;
use likeness::{Shape, callees};
use promises::{PROMISES, Seen};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracegen::compiler;
use tracegen::export::{Batch, Encode, Protobuf};
use tracegen::interpreter::{Arrivals, Interpreter, Run, Schedule};
use tracegen::language::{self, Loaded, diagnostic::render};
use tracegen::plan::{Plan, ScenarioId, SpanKind};
use tracegen::trace::{NONE, Trace, View};

const SEED: u64 = 42;
/// 2026-01-01T00:00:00Z in ns.
const START: u64 = 1_767_225_600_000_000_000;
const SECOND: u64 = 1_000_000_000;
/// The default pace of `run`: four lanes with gaps of 0.5 to 2 s.
const PACE: Arrivals = Arrivals::Interval { min_ns: SECOND / 2, max_ns: 2 * SECOND, lanes: 4 };

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name)
}

/// Compiles scenarios; a warning is a failure, too.
fn compile(paths: &[PathBuf]) -> (Loaded, Arc<Plan>) {
    let loaded = language::load(paths);
    let compiled = compiler::compile(&loaded.model, &loaded.budget);
    let diagnostics: Vec<_> = loaded.diagnostics.iter().chain(&compiled.diagnostics).cloned().collect();
    assert!(diagnostics.is_empty(), "{}", render::human(&loaded.sources, &diagnostics, false));
    (loaded, Arc::new(compiled.plan.expect("a plan, as nothing is wrong")))
}

fn run(plan: Arc<Plan>) -> (Arc<Run>, Interpreter) {
    let run = Arc::new(Run::new(plan, SEED, Schedule::new(START, PACE).unwrap()));
    let interpreter = Interpreter::new(&run);
    (run, interpreter)
}

#[test]
fn all_compile_without_a_diagnostic() {
    let (loaded, plan) = compile(&[shipped("")]);
    assert_eq!(loaded.model.scenarios.len(), 15);
    for scenario in 0..plan.scenarios.len() {
        let bound = plan.bound(ScenarioId(scenario as u32));
        let name = plan.text(plan.scenarios[scenario].name);
        assert!((5..=250).contains(&bound.max_spans), "{name}: {} spans", bound.max_spans);
        // Each computed time takes up to an hour, and so does one of the jobs.
        assert!(bound.duration < 2 * 3_600 * SECOND, "{name} takes up to {} s", bound.duration / SECOND);
    }
}

/// The first scenario of the README and of the reference compile.
#[test]
fn the_documented_examples_compile_without_a_diagnostic() {
    for text in [include_str!("../README.md"), include_str!("../grammar/language.md")] {
        let mut blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
        let scenario = blocks.find(|block| block.contains("root_span:")).expect("an example");
        let base = "schema_version: 1\nservices: [web, orders]\n";
        let files = [("_base.yaml", base), ("checkout.yaml", scenario)];
        let loaded = language::load_texts(files.map(|(name, text)| (name.into(), text.into())).into());
        let compiled = compiler::compile(&loaded.model, &loaded.budget);
        let diagnostics: Vec<_> = loaded.diagnostics.iter().chain(&compiled.diagnostics).cloned().collect();
        assert!(diagnostics.is_empty(), "{}", render::human(&loaded.sources, &diagnostics, false));
        assert!(compiled.plan.is_some_and(|plan| plan.blocks.len() == 2));
    }
}

/// A span that is called from another service is called by a CLIENT; a consumer of messages has them from a PRODUCER; and
/// the only callee of a CLIENT runs in another service.
#[test]
fn span_kinds_come_in_pairs() {
    let (_, plan) = compile(&[shipped("")]);
    for scenario in 0..plan.scenarios.len() {
        for caller in plan.spans_of(ScenarioId(scenario as u32)) {
            for callee in plan.children_of(*caller) {
                let place = format!("{} calls {}", plan.operation(*caller), plan.operation(callee));
                let remote = plan.service_of(*caller) != plan.service_of(callee);
                let expected = match plan.span(*caller).kind {
                    SpanKind::Client => Some(SpanKind::Server),
                    SpanKind::Producer => Some(SpanKind::Consumer),
                    _ => None,
                };
                assert_eq!(remote, expected.is_some(), "{place}");
                match expected {
                    Some(kind) => assert_eq!(plan.span(callee).kind, kind, "{place}"),
                    None => {
                        assert!(!matches!(plan.span(callee).kind, SpanKind::Server | SpanKind::Consumer), "{place}")
                    }
                }
            }
        }
    }
}

/// Compares the shares of scenarios, and of what happens in them, in 100,000 traces with the files.
#[test]
fn traces_do_what_the_files_say() {
    const TRACES: u64 = 100_000;
    /// A figure fails if chance alone explains it less often than this.
    const LEVEL: f64 = 1e-4;

    let (_, plan) = compile(&[shipped("")]);
    let mut share = vec![0u64; plan.scenarios.len()];
    let mut seen = vec![(0u64, 0u64); PROMISES.len()];
    let of_scenario =
        |name: &str| PROMISES.iter().enumerate().filter(move |(_, p)| p.scenario == name).collect::<Vec<_>>();
    let promised: Vec<_> = plan.scenarios.iter().map(|scenario| of_scenario(plan.text(scenario.name))).collect();
    let (run, mut interpreter) = run(plan.clone());
    let mut trace = Trace::default();
    for index in 0..TRACES {
        interpreter.trace(index, &mut trace);
        share[trace.scenario.index()] += 1;
        // The own work ends where the first child starts, or with the span if it has no child.
        let mut worked: Vec<u64> = trace.spans.iter().map(|s| s.end).collect();
        for span in trace.spans.iter().rev().filter(|s| s.parent != NONE) {
            worked[span.parent as usize] = span.start;
        }
        let view = View { plan: &plan, resources: run.resources(), trace: &trace };
        for (span, worked) in view.spans().zip(worked) {
            let span = Seen { span, own: worked - span.record().start };
            for (place, promise) in promised[trace.scenario.index()].iter().filter(|(_, p)| (p.concerns)(&span)) {
                seen[*place].0 += u64::from((promise.holds)(&span));
                seen[*place].1 += 1;
            }
        }
    }

    let mut wrong = String::new();
    let mut check = |what: &str, k: u64, n: u64, p: f64| {
        let chance = p_value(k, n, p);
        if chance <= LEVEL {
            writeln!(wrong, "{what}: {k} of {n} where {:.3} % were said, p = {chance:.1e}", p * 100.0).unwrap();
        }
    };
    // A scheduled job has no weight, but comes as often as it is scheduled.
    let rates = run.schedule().epochs()[0].mean_rates(&plan);
    let total: f64 = rates.iter().sum();
    for (((scenario, rate), count), promises) in plan.scenarios.iter().zip(&rates).zip(&share).zip(&promised) {
        let name = plan.text(scenario.name);
        assert!(!promises.is_empty(), "nothing is promised of {name}");
        check(&format!("share of {name}"), *count, TRACES, rate / total);
    }
    for (promise, (k, n)) in PROMISES.iter().zip(&seen) {
        assert!(*n > 0, "{}, {}: there is no such span", promise.scenario, promise.says);
        check(&format!("{}, {}", promise.scenario, promise.says), *k, *n, promise.percent / 100.0);
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// The traces have the shape of production's. Of those whose root is healthy, about three in ten contain a failed span if a
/// service asks for more than it needs; most failures on the critical path also fail the root; calls overlap; no span ends
/// with its last callee.
#[test]
fn traces_are_like_those_of_production() {
    const TRACES: u64 = 20_000;
    /// The scenarios in which a service asks for more than it needs.
    const ASKING: [&str; 6] = [
        "API Gateway",
        "Async consumer",
        "Billing: charge an invoice",
        "Configuration: read",
        "Grafana Tempo: TraceQL search",
        "Search: batch indexing",
    ];
    let (_, plan) = compile(&[shipped("")]);
    let (_, mut interpreter) = run(plan.clone());
    let mut trace = Trace::default();
    let mut shapes = vec![Shape::default(); plan.scenarios.len()];
    for index in 0..TRACES {
        interpreter.trace(index, &mut trace);
        shapes[trace.scenario.index()].add(&trace);
        for (caller, calls) in callees(&trace).iter().enumerate() {
            let last = calls.iter().map(|call| trace.spans[*call].end).max();
            let end = trace.spans[caller].end;
            assert_ne!(last, Some(end), "{} ends with what it calls", plan.operation(trace.spans[caller].block));
        }
    }
    let percent = |part: u64, of: u64| 100.0 * part as f64 / of as f64;
    let named = |name: &str| plan.scenarios.iter().position(|s| plan.text(s.name) == name).expect("a scenario");
    for name in ASKING {
        let shape = &shapes[named(name)];
        let hidden = percent(shape.hidden, shape.traces - shape.failed);
        assert!((22.0..38.0).contains(&hidden), "{name}: {hidden:.1} % of the healthy hold a failed span");
    }
    let asking = ASKING.iter().fold(Shape::default(), |sum, name| sum.and(&shapes[named(name)]));
    let all = shapes.iter().fold(Shape::default(), |sum, shape| sum.and(shape));
    let figures = [
        (
            "healthy traces with a failed span, where that is usual",
            percent(asking.hidden, asking.traces - asking.failed),
            27.5..30.5,
        ),
        ("healthy traces with a failed span", percent(all.hidden, all.traces - all.failed), 21.5..24.5),
        ("failed traces", percent(all.failed, all.traces), 2.6..3.5),
        ("failures on the critical path that are the root's", percent(all.fatal, all.critical), 57.0..66.0),
        ("traces with calls side by side", percent(all.overlapping, all.traces), 88.0..90.0),
        ("spans of a trace", all.spans as f64 / all.traces as f64, 12.7..13.1),
    ];
    for (figure, found, expected) in figures {
        assert!(expected.contains(&found), "{figure}: {found:.2} is not in {expected:?}");
    }
}

/// After the first virtual minute, nine of ten consumers link, each to an ended producer's span of the same run.
#[test]
fn consumers_link_to_producers_that_have_ended() {
    let (_, plan) = compile(&[shipped("")]);
    let (run, mut interpreter) = run(plan.clone());
    let mut trace = Trace::default();
    let mut producers: HashMap<([u8; 16], u64), u64> = HashMap::new();
    let mut links = vec![];
    let mut consumers = 0;
    for index in 0..20_000 {
        interpreter.trace(index, &mut trace);
        let view = View { plan: &plan, resources: run.resources(), trace: &trace };
        let root = view.span(0);
        for export in &trace.exports {
            let span = &trace.spans[export.span as usize];
            producers.insert((trace.id, span.id), span.end);
        }
        if view.scenario() == "Async consumer" && trace.start >= START + 60 * SECOND {
            consumers += 1;
            links.extend(root.links().map(|link| (link.trace_id, link.span_id, trace.start)));
        }
    }
    assert!(consumers > 1_000);
    assert!(links.len() * 10 >= consumers * 9, "{} of {consumers} consumers link", links.len());
    for (trace_id, span_id, start) in links {
        let end = producers.get(&(trace_id, span_id)).expect("the linked span is in the output, and did not fail");
        assert!(*end <= start, "a link to a span that has not ended");
    }
}

/// Each file is compiled alone, so that an edit moves only the fingerprints of its own scenarios; the consumer is compiled
/// with its producer. A fingerprint covers the first 1,000 traces of a scenario, each encoded as one request.
#[test]
fn fingerprints() {
    let files: [&[&str]; 18] = [
        &["01_api_gateway.yaml"],
        &["02_billing_service.yaml"],
        &["03_search_service.yaml"],
        &["04_async_producer.yaml"],
        &["04_async_producer.yaml", "05_async_consumer.yaml"],
        &["06_grafana_tempo.yaml"],
        &["07_analytics_batch.yaml"],
        &["08_user_profile_update.yaml"],
        &["09_configuration_service.yaml"],
        &["10_search_service_slow.yaml"],
        &["examples/alibaba_call_graph.yaml"],
        &["examples/cached_search.yaml"],
        &["examples/database_service.yaml"],
        &["examples/grpc_mesh.yaml"],
        &["examples/llm_agent.yaml"],
        &["examples/nightly_batch.yaml"],
        &["examples/order_pipeline.yaml"],
        &["examples/shop.yaml"],
    ];
    let mut text = String::new();
    for files in files {
        writeln!(text, "{}", files.join(" + ")).unwrap();
        let (_, plan) = compile(&files.iter().map(|file| shipped(file)).collect::<Vec<_>>());
        for (name, fingerprint) in fingerprint(plan) {
            writeln!(text, "  {fingerprint}  {name}").unwrap();
        }
    }
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("fingerprints", text);
    });
}

/// Returns the SHA-256 of each scenario in hexadecimal.
fn fingerprint(plan: Arc<Plan>) -> BTreeMap<String, String> {
    const TRACES: usize = 1_000;
    let (run, mut interpreter) = run(plan.clone());
    let mut encoder = Protobuf::new(&plan, run.resources());
    let mut hashes = vec![(0, Sha256::new()); plan.scenarios.len()];
    let mut trace = Trace::default();
    let mut index = 0;
    while hashes.iter().any(|(count, _)| *count < TRACES) {
        let (count, hash) = &mut hashes[interpreter.run().scenario(index).index()];
        if *count < TRACES {
            interpreter.trace(index, &mut trace);
            let mut emit = |batch: Batch| hash.update(&batch.body);
            encoder.add(View { plan: &plan, resources: run.resources(), trace: &trace }, &mut emit);
            encoder.flush(&mut emit);
            *count += 1;
        }
        index += 1;
    }
    let names = plan.scenarios.iter().map(|s| plan.text(s.name).to_string());
    let hex = |hash: Sha256| hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    names.zip(hashes.into_iter().map(|(_, hash)| hex(hash))).collect()
}

/// Every word of the language occurs in a shipped scenario or an example, and in the language reference.
#[test]
fn every_word_of_the_language_is_shown_and_explained() {
    let names = "random.int random.float random.bool random.choice random.weighted random.uuid random.hex random.ipv4 \
        random.ipv6 random.user_agent random.zipf random.normal random.lognormal random.exp random.pareto time.now time.iso \
        time.unix_ms time.unix_nano trace.id trace.index span.id scenario.name service.name instance.index vars. \
        parent.attributes. root.attributes. linked.attributes. linked.context_key context_key callee.attributes. error.type \
        error.propagated repeat.index repeat.count retry.attempt";
    let filters = "upper lower default omit round pad clamp int double bool text uuid hex ipv4 pick lookup nth";
    let operators = ["or", "and", "not", "==", "!=", "<=", ">=", "<", ">", "in", "+", "-", "*", "/"];
    let fields = "schema_version services version namespace instances attributes name scenario_name description weight vars \
        root_span steps service operation kind delay_ms delay events error_conditions probability type message calls \
        export_context_as link_from_context scenarios parallel repeat when wait_ms timeout_ms retry attempts \
        backoff_ms factor jitter client network_ms propagate async at at_ms match count lag_ms spans use with";

    let loaded = language::load(&[shipped(""), shipped("examples")]);
    let yaml: String = loaded.sources.files().map(|(_, file)| file.text.as_str()).collect();
    let reference = include_str!("../grammar/language.md");
    let mut missing = vec![];
    let mut want = |text: &str, wanted: &str, place: &str| {
        if !text.contains(wanted) {
            missing.push(format!("{wanted} in {place}"));
        }
    };
    for name in names.split_whitespace() {
        want(&yaml, name, "the scenarios");
        want(reference, name, "the reference");
    }
    for filter in filters.split_whitespace() {
        want(&yaml, &format!(" | {filter}"), "the scenarios");
        want(reference, &format!("`{filter}"), "the reference");
    }
    for field in fields.split_whitespace() {
        want(&yaml, &format!("{field}:"), "the scenarios");
        want(reference, &format!("`{field}`"), "the reference");
    }
    for operator in operators {
        want(reference, &format!("`{operator}`"), "the reference");
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
