//! The shipped scenarios: they compile without a diagnostic, behave as their files say, show the whole language, and their
//! traces are pinned byte for byte.

#[path = "scenarios/binomial.rs"]
mod binomial;
#[path = "scenarios/expected.rs"]
mod expected;

use binomial::p_value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracegen::compiler::{self, SourceMap};
use tracegen::export::{Batch, Encode, Protobuf};
use tracegen::interpreter::{Arrivals, Interpreter, Run, Schedule};
use tracegen::language::scenario::{Kind, Span};
use tracegen::language::{self, Loaded, diagnostic::render};
use tracegen::plan::{Plan, ScenarioId};
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
fn compile(paths: &[PathBuf]) -> (Loaded, Arc<Plan>, SourceMap) {
    let loaded = language::load(paths);
    let compiled = compiler::compile(&loaded.model, &loaded.budget);
    let diagnostics: Vec<_> = loaded.diagnostics.iter().chain(&compiled.diagnostics).cloned().collect();
    assert!(diagnostics.is_empty(), "{}", render::human(&loaded.sources, &diagnostics, false));
    (loaded, Arc::new(compiled.plan.expect("a plan, as nothing is wrong")), compiled.map)
}

fn run(plan: Arc<Plan>) -> (Arc<Run>, Interpreter) {
    let run = Arc::new(Run::new(plan, SEED, Schedule::new(START, PACE).unwrap()));
    let interpreter = Interpreter::new(&run);
    (run, interpreter)
}

#[test]
fn all_compile_without_a_diagnostic() {
    let (loaded, plan, _) = compile(&[shipped("")]);
    assert_eq!(loaded.model.scenarios.len(), 15);
    for scenario in 0..plan.scenarios.len() {
        let bound = plan.bound(ScenarioId(scenario as u32));
        let name = plan.text(plan.scenarios[scenario].name);
        assert!((3..=17).contains(&bound.max_spans), "{name}: {} spans", bound.max_spans);
        assert!(bound.duration < 600 * SECOND, "{name} takes up to {} s", bound.duration / SECOND);
    }
}

#[test]
fn the_examples_compile_without_a_diagnostic() {
    let (loaded, plan, _) = compile(&[shipped("examples")]);
    let spans: Vec<(&str, u32)> = (loaded.model.scenarios.iter())
        .map(|s| {
            let at = plan.scenarios.iter().position(|p| plan.text(p.name) == s.name.value).unwrap();
            (s.name.value.as_str(), plan.bound(ScenarioId(at as u32)).max_spans)
        })
        .collect();
    assert_eq!(spans, [("E-commerce Order Processing", 6), ("Service Foo Scenario", 2)]);
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
    let (loaded, _, _) = compile(&[shipped("")]);
    let mut next: Vec<&Span> = loaded.model.scenarios.iter().map(|s| &s.root).collect();
    while let Some(span) = next.pop() {
        for callee in expected::callees(span) {
            let place = format!("{} calls {}", loaded.sources.text(span.loc), loaded.sources.text(callee.loc));
            let service = |span: &Span| span.service.as_ref().map(|service| service.value.clone());
            let remote = service(span) != service(callee);
            let kind = |span: &Span| span.kind.unwrap_or(Kind::Internal);
            let expected = match kind(span) {
                Kind::Client => Some(Kind::Server),
                Kind::Producer => Some(Kind::Consumer),
                _ => None,
            };
            assert_eq!(remote, expected.is_some(), "{place}");
            match expected {
                Some(expected) => assert_eq!(kind(callee), expected, "{place}"),
                None => assert!(!matches!(kind(callee), Kind::Server | Kind::Consumer), "{place}"),
            }
        }
        next.extend(expected::callees(span));
    }
}

/// Compares shares, error rates and own delays of 100,000 traces with the files.
#[test]
fn traces_do_what_the_files_say() {
    const TRACES: u64 = 100_000;
    /// A figure fails if chance alone explains it less often than this.
    const LEVEL: f64 = 1e-4;

    let (loaded, plan, map) = compile(&[shipped("")]);
    let expected = expected::spans(&loaded.model, |at| loaded.sources.text(at).to_string(), &map);

    #[derive(Clone, Default)]
    struct Seen {
        spans: u64,
        /// The failures by error condition.
        errors: Vec<u64>,
        /// The numbers of own delays in the lowest quarter, and in the lower half, of the file's range.
        quarter: u64,
        half: u64,
    }
    let mut seen: Vec<Seen> =
        expected.iter().map(|e| Seen { errors: vec![0; e.errors.len()], ..Seen::default() }).collect();
    let mut share = vec![0u64; plan.scenarios.len()];
    let mut totals = vec![Totals::default(); plan.scenarios.len()];

    let (run, mut interpreter) = run(plan.clone());
    let mut trace = Trace::default();
    for index in 0..TRACES {
        interpreter.trace(index, &mut trace);
        share[trace.scenario.index()] += 1;
        totals[trace.scenario.index()].add(&trace);
        let view = View { plan: &plan, resources: run.resources(), trace: &trace };
        // The own delay ends where the first child starts, or with the span if it has no child.
        let mut worked: Vec<u64> = trace.spans.iter().map(|s| s.end).collect();
        for span in trace.spans.iter().rev().filter(|s| s.parent != NONE) {
            worked[span.parent as usize] = span.start;
        }
        for (ordinal, span) in trace.spans.iter().enumerate() {
            let (expected, seen) = (&expected[span.block.index()], &mut seen[span.block.index()]);
            seen.spans += 1;
            if let Some((failed, _)) = view.span(ordinal).failure() {
                let condition = expected.errors.iter().position(|(r#type, _)| r#type == failed);
                seen.errors[condition.unwrap_or_else(|| panic!("{}: {failed}", expected.place))] += 1;
            }
            let (min, max) = expected.delay;
            let own = worked[ordinal] - span.start;
            assert!((min..=max).contains(&own), "{}: {own} ns is not in {min}..={max}", expected.place);
            let values = max - min + 1;
            seen.quarter += u64::from(own - min < values / 4);
            seen.half += u64::from(own - min < values / 2);
        }
    }

    let mut wrong = String::new();
    let mut check = |what: &str, k: u64, n: u64, p: f64| {
        let chance = p_value(k, n, p);
        if chance <= LEVEL {
            writeln!(wrong, "{what}: {k} of {n} where {:.3} % were said, p = {chance:.1e}", p * 100.0).unwrap();
        }
    };
    let total: f64 = plan.scenarios.iter().map(|s| s.weight).sum();
    for (scenario, count) in plan.scenarios.iter().zip(&share) {
        check(&format!("share of {}", plan.text(scenario.name)), *count, TRACES, scenario.weight / total);
    }
    for (s, seen) in totals.iter().enumerate() {
        let expectation = plan.expectation(ScenarioId(s as u32)).expect("what is compiled can be foreseen");
        let name = plan.text(plan.scenarios[s].name);
        check(&format!("failed traces of {name}"), seen.failed, share[s], expectation.failed);
        let off = seen.off(share[s], expectation.spans);
        assert!(off < 4.5, "{name}: {} spans in {} traces, {off:.1} deviations off", seen.spans, share[s]);
        for block in &expectation.blocks {
            let percents = expected[block.block.index()].errors.iter().map(|(_, percent)| percent / 100.0);
            let differ = percents
                .zip(&block.hits)
                .any(|(said, hits)| hits.share.is_none_or(|share| (said - share).abs() > 1e-9));
            assert!(!differ, "{}: {:?}", expected[block.block.index()].place, block.hits);
        }
    }
    for (expected, seen) in expected.iter().zip(&seen) {
        assert!(seen.spans > 0, "{} never ran", expected.place);
        for ((r#type, percent), count) in expected.errors.iter().zip(&seen.errors) {
            check(&format!("{} fails with {type}", expected.place), *count, seen.spans, percent / 100.0);
        }
        let range = expected.delay.1 - expected.delay.0 + 1;
        if range > 1 {
            let parts = [("quarter", seen.quarter, range / 4), ("half", seen.half, range / 2)];
            for (part, count, below) in parts {
                let what = format!("{}: delays in the lower {part}", expected.place);
                check(&what, count, seen.spans, below as f64 / range as f64);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// The totals of a scenario's traces.
#[derive(Clone, Default)]
struct Totals {
    failed: u64,
    spans: u64,
    /// The sum of the squared numbers of spans.
    squares: u64,
}

impl Totals {
    fn add(&mut self, trace: &Trace) {
        let spans = trace.spans.len() as u64;
        self.failed += u64::from(trace.spans.iter().any(|span| span.failure != NONE));
        self.spans += spans;
        self.squares += spans * spans;
    }

    /// Returns the difference between the mean number of spans and the expected one, in standard deviations of the mean.
    fn off(&self, traces: u64, expected: f64) -> f64 {
        let (n, mean) = (traces as f64, self.spans as f64 / traces as f64);
        let variance = self.squares as f64 / n - mean * mean;
        if variance < 1e-9 {
            return if (mean - expected).abs() < 1e-9 { 0.0 } else { f64::INFINITY };
        }
        (mean - expected).abs() / (variance / n).sqrt()
    }
}

/// After the first virtual minute, nine of ten consumers link, each to an ended producer's span of the same run.
#[test]
fn consumers_link_to_producers_that_have_ended() {
    let (_, plan, _) = compile(&[shipped("")]);
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
    let files: [&[&str]; 10] = [
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
    ];
    let mut text = String::new();
    for files in files {
        writeln!(text, "{}", files.join(" + ")).unwrap();
        let (_, plan, _) = compile(&files.iter().map(|file| shipped(file)).collect::<Vec<_>>());
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

/// Every word of the language occurs in a shipped scenario and in the reference.
#[test]
fn every_word_of_the_language_is_shown_and_explained() {
    let names = "random.int random.float random.bool random.choice random.weighted random.uuid random.hex random.ipv4 \
        random.ipv6 random.user_agent random.zipf random.normal random.lognormal random.exp random.pareto time.now time.iso \
        time.unix_ms time.unix_nano trace.id trace.index span.id scenario.name service.name instance.index vars. \
        parent.attributes. root.attributes. linked.attributes. linked.context_key context_key";
    let filters = "upper lower default omit round pad clamp int double bool text uuid hex ipv4 pick";
    let operators = ["or", "and", "not", "==", "!=", "<=", ">=", "<", ">", "in", "+", "-", "*", "/"];
    let fields = "schema_version services version namespace instances attributes name scenario_name description weight vars \
        root_span steps service operation kind delay_ms delay events error_conditions probability type message calls \
        export_context_as link_from_context scenarios";

    let loaded = language::load(&[shipped("")]);
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
