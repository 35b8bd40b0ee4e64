//! Tests of `explain`: its figures are compared with those of traces, and its output is checked.

#[path = "scenarios/binomial.rs"]
mod binomial;
mod support {
    pub mod binary;
}

use binomial::p_value;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::binary::{bare_spans, brief, scenarios, tracegen};
use tracegen::explain::{Explanation, Figure, Part, Subject, explain};
use tracegen::export::{Batch, Encode, Protobuf};
use tracegen::interpreter::{Arrivals, Interpreter, Run, Schedule};
use tracegen::plan::{BlockId, Hits, InForce, Plan};
use tracegen::trace::{NONE, Trace};
use tracegen::{compiler, language};

/// 2026-01-01T00:00:00Z in ns.
const START: u64 = 1_767_225_600_000_000_000;

/// Returns the run of a path's scenarios, and its explanation with `samples` traces.
fn explained(path: &Path, seed: u64, samples: u64) -> (Arc<Run>, Explanation) {
    let loaded = language::load(&[path.into()]);
    let plan = compiler::compile(&loaded.model, &loaded.budget).plan;
    let plan = Arc::new(plan.unwrap_or_else(|| panic!("{} does not compile", path.display())));
    let schedule = Schedule::new(START, Arrivals::Even { count: 100, per_ns: 1_000_000_000 }).expect("a schedule");
    let run = Arc::new(Run::under(plan, seed, schedule, &InForce::new()));
    let explanation = explain(&run, samples, NonZeroUsize::MIN, &|_| {});
    (run, explanation)
}

/// Sums over traces, for one part.
#[derive(Clone, Default)]
struct Seen {
    traces: u64,
    failed_traces: u64,
    /// The number of traces for each pair of the number of spans and of failed spans in a trace.
    counts: BTreeMap<(u32, u32), u64>,
}

impl Seen {
    fn add(&mut self, spans: u32, failed: u32) {
        self.traces += 1;
        self.failed_traces += u64::from(failed > 0);
        *self.counts.entry((spans, failed)).or_default() += 1;
    }

    /// Returns the probability that the mean of `of` over `n` traces, all of the part and others for which it is 0, is as
    /// far from 0 as it is.
    fn p_of_zero(&self, n: u64, of: impl Fn(f64, f64) -> f64, others: f64) -> f64 {
        let (mut sum, mut squares) = ((n - self.traces) as f64 * others, (n - self.traces) as f64 * others * others);
        for ((spans, failed), traces) in &self.counts {
            let value = of((*spans).into(), (*failed).into());
            sum += *traces as f64 * value;
            squares += *traces as f64 * value * value;
        }
        let n = n as f64;
        let deviation = (squares - sum * sum / n).max(0.0).sqrt();
        match sum.abs() < 1e-6 * n {
            true if deviation < 1e-3 => 1.0,
            _ => libm::erfc(sum.abs() / deviation / std::f64::consts::SQRT_2),
        }
    }
}

/// Returns the parts of each block's spans, computed from the plan.
fn subjects(plan: &Plan) -> Vec<Vec<Subject>> {
    let mut of_block = vec![vec![]; plan.blocks.len()];
    let service = |block: BlockId| plan.service_of(block).to_string();
    for block in plan.block_ids().filter(|block| plan.block(*block).span().is_some()) {
        let operation = plan.operation(block);
        let of_block: &mut Vec<Subject> = &mut of_block[block.index()];
        of_block.push(Subject::Service { service: service(block) });
        of_block.push(Subject::Operation { service: service(block), operation });
        if let Some(parent) = plan.parent_of(block).filter(|parent| service(*parent) != service(block)) {
            of_block.push(Subject::Edge { caller: service(parent), callee: service(block) });
        }
    }
    of_block
}

/// The number of a block's spans, and of those that each instruction failed.
type Runs = (u64, BTreeMap<(BlockId, usize), u64>);

/// A figure of a part, and the probability that it differs only by chance as much as it does from the traces.
struct Tested {
    place: String,
    likely: f64,
}

/// Returns by how much traces are longer than one of six spans, so that fewer of them are made of what is long; at least 1.
fn length(run: &Arc<Run>) -> u64 {
    const TRACES: u64 = 200;
    let (mut interpreter, mut trace) = (Interpreter::new(run), Trace::default());
    let spans = (0..TRACES).map(|index| {
        interpreter.trace(index, &mut trace);
        trace.spans.len() as u64
    });
    (spans.sum::<u64>() / TRACES / 6).max(1)
}

/// Makes `traces` traces of the scenarios of a path, fewer where they are long, and tests each figure of `explain` against them, of which some may be a
/// sample's.
fn compare(path: &Path, traces: u64, tested: &mut Vec<Tested>) {
    let (run, _) = explained(path, 42, 0);
    let traces = traces / length(&run);
    // The sample has another seed, so that it is independent of the traces.
    let (_, explanation) = explained(path, 7, traces / 10);
    let plan = run.plan();
    let of_block = subjects(plan);
    let place = |subject: &Subject| explanation.parts.iter().position(|part| part.subject == *subject);
    let of_block: Vec<Vec<usize>> =
        of_block.iter().map(|all| all.iter().map(|one| place(one).expect("it is explained")).collect()).collect();
    let of_scenario: Vec<usize> = (plan.scenarios.iter())
        .map(|s| Subject::Scenario { scenario: plan.text(s.name).into() })
        .map(|subject| place(&subject).expect("it is explained"))
        .collect();

    let mut seen = vec![Seen::default(); explanation.parts.len()];
    let mut runs: Vec<Runs> = vec![Runs::default(); plan.blocks.len()];
    let mut interpreter = Interpreter::new(&run);
    let mut trace = Trace::default();
    let mut here: BTreeMap<usize, (u32, u32)> = BTreeMap::new();
    for index in 0..traces {
        interpreter.trace(index, &mut trace);
        for span in &trace.spans {
            let (runs, hits) = &mut runs[span.block.index()];
            *runs += 1;
            if let Some(failure) = trace.failures.get(span.failure as usize) {
                *hits.entry((failure.block, failure.inst as usize)).or_default() += 1;
            }
            let failed = u32::from(span.failure != NONE);
            for part in of_block[span.block.index()].iter().chain([&0, &of_scenario[trace.scenario.index()]]) {
                let (spans, failures) = here.entry(*part).or_default();
                (*spans, *failures) = (*spans + 1, *failures + failed);
            }
        }
        while let Some((part, (spans, failed))) = here.pop_first() {
            seen[part].add(spans, failed);
        }
    }

    let name = path.file_name().unwrap_or_default().to_string_lossy();
    for (Part { subject, traces: share, spans, failed, .. }, seen) in explanation.parts.iter().zip(&seen) {
        let mut test =
            |figure: &str, likely| tested.push(Tested { place: format!("{name}: {subject:?}: {figure}"), likely });
        let Some(((share, mean), failed)) = exactly(*share).zip(exactly(spans.mean)).zip(exactly(*failed)) else {
            // They are compared with the traces, which are a sample like the other one.
            let of_traces = subject.is_of_traces();
            test("sampled share", like(*share, seen.traces, traces));
            if of_traces {
                test("sampled failed traces", like(*failed, seen.failed_traces, seen.traces));
            } else if let (Figure::Sampled { low, high, .. }, true) = (*failed, seen.traces > 1_000) {
                let (spans, failures) =
                    seen.counts.iter().fold((0.0, 0.0), |(spans, failures), ((n, hits), traces)| {
                        (spans + f64::from(*n) * *traces as f64, failures + f64::from(*hits) * *traces as f64)
                    });
                let found = failures / spans;
                // The interval contains 99.9 %. The traces need another interval of the same size.
                let half = (high - low) / 2.0;
                assert!(low - half <= found && found <= high + half, "{name}: {subject:?}: {found} is not {failed:?}");
            }
            continue;
        };
        let within = |n: u32| (spans.min..=spans.max).contains(&n);
        assert!(seen.counts.keys().all(|(n, _)| within(*n)), "{name}: {subject:?}: {spans:?}");
        test("share", p_value(seen.traces, traces, share));
        let (of, spans_of) = if subject.is_of_traces() { (seen.traces, 0.0) } else { (traces, -mean) };
        test("spans", seen.p_of_zero(of, |n, _| n - mean, spans_of));
        match subject.is_of_traces() {
            true => test("failed traces", p_value(seen.failed_traces, seen.traces, failed)),
            // The spans of a trace depend on each other, but traces are independent.
            false => test("failed spans", seen.p_of_zero(traces, |n, hits| hits - failed * n, 0.0)),
        }
    }

    for expected in plan.scenario_ids().filter_map(|scenario| plan.expectation(scenario)).flat_map(|it| it.blocks) {
        let (runs, hits) = &runs[expected.block.index()];
        for Hits { block, pc, share } in &expected.hits {
            let Some(share) = *share else { continue };
            let place = format!("{name}: {} {block} at {pc}", expected.block);
            // The number is binomially distributed only if spans are independent, which the turns of a span may not be.
            if plan.bound(plan.scenario_of(expected.block)).max_spans as usize <= plan.blocks.len() {
                let hits = hits.get(&(*block, *pc)).copied().unwrap_or(0);
                tested.push(Tested { place, likely: p_value(hits, *runs, share) });
            }
        }
    }
}

fn exactly(figure: Figure) -> Option<f64> {
    figure.value().filter(|_| figure.is_exact())
}

/// Returns the probability that `hits` in `trials` differ this much from a probability, which is exact or that of a sample.
fn like(figure: Figure, hits: u64, trials: u64) -> f64 {
    match figure {
        Figure::Exact(share) => p_value(hits, trials, share),
        Figure::Unknown => 1.0,
        Figure::Sampled { value, low, high } => {
            // The interval has 3.29 standard deviations on each side.
            let (deviation, n) = ((high - low) / 2.0 / 3.29, trials.max(1) as f64);
            let seen = hits as f64 / n;
            let variance = deviation * deviation + seen * (1.0 - seen) / n;
            libm::erfc((seen - value).abs() / (2.0 * variance).sqrt())
        }
    }
}

/// Returns the paths of the shipped scenarios, and of all other scenario files.
fn sources() -> Vec<PathBuf> {
    let files = |folder: PathBuf| {
        let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        let mut files: Vec<PathBuf> = entries.collect();
        files.sort();
        let is_scenario = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // Jobs that come once a day are too rare to be seen, and the edge cases have traces of 60,000 spans. Malformations
            // are made from traces for which the figures hold.
            let left_out = ["load.yaml", "edge_cases.yaml", "malform.yaml"].contains(&name);
            name.ends_with(".yaml") && !name.starts_with('_') && !left_out
        };
        files.into_iter().filter(is_scenario).collect::<Vec<_>>()
    };
    let plans = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans");
    [vec![scenarios()], files(scenarios().join("examples")), files(plans)].concat()
}

/// Checks all probabilities, shares and means of `traces` traces of all sources. The intervals are such that all of them
/// together contain the values with a probability of 99.99 %.
fn figures_are_what_is_seen(traces: u64) {
    let (sources, next) = (sources(), AtomicUsize::new(0));
    let work = || {
        let mut tested = vec![];
        while let Some(path) = sources.get(next.fetch_add(1, Ordering::Relaxed)) {
            compare(path, traces, &mut tested);
        }
        tested
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let tested = std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let found = all.into_iter().map(|one| one.join().unwrap_or_else(|e| std::panic::resume_unwind(e)));
        found.flatten().collect::<Vec<Tested>>()
    });
    assert!(tested.len() > 500, "only {} figures", tested.len());
    let level = 1e-4 / tested.len() as f64;
    let mut wrong = String::new();
    for Tested { place, likely } in tested.iter().filter(|test| test.likely.is_nan() || test.likely < level) {
        writeln!(wrong, "{place}, p = {likely:.1e}").expect("written");
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn figures_are_what_is_seen_in_50_000_traces() {
    figures_are_what_is_seen(50_000);
}

#[test]
#[ignore = "takes long where nothing is optimised; `make test-long` runs it"]
fn figures_are_what_is_seen_in_1_000_000_traces() {
    figures_are_what_is_seen(1_000_000);
}

/// The tests' plans contain each construct. All of them are followed, except those that can't be.
#[test]
fn what_can_be_followed_is_exact() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans");
    let (_, explanation) = explained(&folder.join("branches.yaml"), 42, 0);
    let unknown: Vec<&Subject> =
        explanation.parts.iter().filter(|part| !part.is_exact()).map(|part| &part.subject).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// The figures are compared with the requests as another decoder reads them.
#[test]
fn bytes_and_durations_are_those_of_what_is_sent() {
    const TRACES: u64 = 3_000;
    let (run, explanation) = explained(&scenarios(), 7, TRACES);
    let mut encoder = Protobuf::new(run.plan(), run.resources());
    let mut interpreter = Interpreter::new(&run);
    let mut trace = Trace::default();
    let (mut batches, mut durations): (Vec<Batch>, Vec<u64>) = (vec![], vec![]);
    for index in 0..TRACES {
        interpreter.trace(index, &mut trace);
        encoder.add(run.origin().view(&trace), &mut |batch| batches.push(batch));
        durations.push(trace.end - trace.start);
    }
    encoder.flush(&mut |batch| batches.push(batch));
    let read = |batch: &Batch| ExportTraceServiceRequest::decode(&batch.body[..]).expect("a request");
    let requests: Vec<_> = batches.iter().map(read).collect();
    let size = |len: usize| 1 + prost::length_delimiter_len(len) + len;
    let bytes: usize = bare_spans(&requests).map(|span| size(span.encoded_len())).sum();
    let total = &explanation.parts[0];
    assert_eq!((total.bytes.expect("a sample") * TRACES as f64).round(), bytes as f64);
    let found = total.durations.expect("a sample");
    durations.sort_unstable();
    for (found, percent) in [(found.p50, 50), (found.p90, 90), (found.p99, 99)] {
        let exact = durations[durations.len() * percent / 100 - 1] as f64;
        assert!((found as f64 / exact - 1.0).abs() < 0.002, "{found} is not {exact}");
    }
}

fn stdout(arguments: &[&str], path: &Path) -> String {
    let output = tracegen().arg("explain").args(arguments).arg(path).assert().success().stderr("");
    String::from_utf8(output.get_output().stdout.clone()).expect("text")
}

#[test]
fn tables() {
    let examples = brief();
    let mut shown = String::new();
    for arguments in [
        &["--samples", "5000"][..],
        &["--rate", "100/s", "--samples", "5000"],
        &["--by", "operation,edge", "--samples", "0"],
    ] {
        writeln!(shown, "$ tracegen explain {}\n{}", arguments.join(" "), stdout(arguments, &examples))
            .expect("written");
    }
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("explain", shown);
    });
}

/// What is printed as the prelude is a file of scenarios, whose shared spans are those that can be used.
#[test]
fn the_prelude_is_printed_as_it_is_used() {
    let output = tracegen().args(["explain", "--prelude"]).assert().success();
    let text = String::from_utf8(output.get_output().stdout.clone()).expect("text");
    let scenario = "scenarios: [{name: a, root_span: {use: http.server, service: web, with: {route: /}}}]\n";
    let loaded =
        language::load_texts(vec![("own.yaml".into(), text.replace("http.server:", "own.server:") + scenario)]);
    let own = compiler::compile(&loaded.model, &loaded.budget);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let alone = language::load_texts(vec![("own.yaml".into(), scenario.into())]);
    let alone = compiler::compile(&alone.model, &alone.budget);
    assert_eq!(own.plan.expect("a plan").digest(), alone.plan.expect("a plan").digest());
}

#[test]
fn json_has_all_of_it() {
    let examples = brief();
    let arguments = ["--format", "json", "--samples", "2000", "--rate", "6000/m"];
    let text = stdout(&arguments, &examples);
    assert_eq!(text, stdout(&arguments, &examples), "again, and it is another");
    let json: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&json["sampled_traces"], &json["seed"]), (&2_000.into(), &42.into()));
    let near = |value: &Value, expected: f64| {
        assert!((value.as_f64().expect("a number") - expected).abs() < 1e-9, "{value} is not {expected}");
    };
    near(&json["total"]["traces_per_second"], 100.0);
    let orders =
        json["scenarios"].as_array().expect("a list").iter().find(|s| s["scenario"] == "E-commerce Order Processing");
    let orders = orders.expect("the order");
    near(&orders["traces_per_second"], 100.0 * orders["share"].as_f64().expect("a number"));
    assert_eq!((&orders["exact"], &orders["spans_per_trace"]["max"]), (&true.into(), &6.into()));
    let payment = json["services"].as_array().expect("a list").iter().find(|s| s["service"] == "payment-service");
    // 10 % declined, 3 % fraud, 2 % timed out
    near(&payment.expect("the service")["failure_probability"], 0.15);
    for list in ["services", "operations", "edges"] {
        for part in json[list].as_array().expect("a list") {
            for key in ["bytes_per_span", "bytes_per_second", "failed_spans_per_second", "spans_per_second"] {
                assert!(part[key].is_number(), "{list}: {key} of {part}");
            }
            assert!(part["duration_ns"]["p90"].as_u64() >= part["duration_ns"]["p50"].as_u64(), "{part}");
        }
    }
}

#[test]
fn a_plan_file_is_explained_as_its_scenarios_are() {
    let directory = tempfile::tempdir().expect("a directory");
    let plan = directory.path().join("all.plan");
    tracegen().arg("compile").arg(scenarios()).arg("-o").arg(&plan).assert().success();
    let arguments = ["--samples", "500", "--by", "operation"];
    let of_plan = stdout(&arguments, &plan);
    assert_eq!(of_plan, stdout(&arguments, &scenarios()));
    assert!(of_plan.contains("bulk <<"), "{of_plan}");
}

#[test]
fn a_rate_without_a_figure_is_refused() {
    let output = tracegen().args(["explain", "--rate", "max"]).arg(scenarios()).assert().code(2).stdout("");
    assert!(String::from_utf8_lossy(&output.get_output().stderr).contains("as --rate 5000/s"), "{output}");
}

/// Returns a run of a scenario with `spans` spans, each an operation of its own; each calling span calls `width` of them.
fn of_operations(spans: usize, width: usize) -> Arc<Run> {
    let mut text =
        String::from("name: wide\nservices: [web, db]\nroot_span:\n  service: web\n  operation: root\n  calls:\n");
    let (mut made, mut group) = (1, 0);
    while made < spans {
        writeln!(text, "  - service: web\n    operation: group {group}\n    error_conditions: [{{probability: 1%, type: E}}]\n    calls:").unwrap();
        for i in 0..width {
            writeln!(text, "    - {{service: db, operation: call {group} {i}}}").unwrap();
        }
        (made, group) = (made + 1 + width, group + 1);
    }
    let loaded = language::load_texts(vec![("wide.yaml".into(), text)]);
    let plan = Arc::new(compiler::compile(&loaded.model, &loaded.budget).plan.expect("it compiles"));
    let schedule = Schedule::new(START, Arrivals::Even { count: 100, per_ns: 1_000_000_000 }).expect("a schedule");
    Arc::new(Run::new(plan, 7, schedule))
}

/// Eight times as many operations take about eight times as long, not 64 times, however they are nested.
#[test]
fn the_time_is_in_proportion_to_the_operations() {
    for width in [1, 20, 600] {
        let took = |spans: usize| {
            let run = of_operations(spans, width);
            let once = || {
                let begun = std::time::Instant::now();
                explain(&run, 0, NonZeroUsize::MIN, &|_| {});
                begun.elapsed()
            };
            // The minimum contains the least time of other work on the machine.
            (0..4).map(|_| once()).min().unwrap_or_default()
        };
        // Other work on the machine may spoil a try. Time that grows with the square spoils all.
        let tries = (0..8).map(|_| (took(1_200), took(9_600)));
        let tries = Vec::from_iter(tries.take_while(|(few, many)| *many >= *few * 24));
        assert!(tries.len() < 8, "{width} calls each: {tries:?}");
    }
}
