//! The ground truth of incidents: what `explain` says of every minute of a day is what a real ClickHouse answers about the
//! traces of that day, and what the trial of an alert in `docs/alerts` compares with.

#[path = "scenarios/binomial.rs"]
mod binomial;
mod support {
    pub mod binary;
    pub mod clickhouse;
    pub mod ports;
}

use binomial::p_value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use support::binary::tracegen;
use support::clickhouse::{Server, ask};
use tracegen::explain::{Figure, Part, Question, Step, Subject, timeline};
use tracegen::interpreter::{Arrivals, Epoch};
use tracegen::store::Connection;
use tracegen::{compiler, language};

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
/// 2026-01-01T00:00:00Z in ns.
const START: u64 = 1_767_225_600 * SECOND;
const SAMPLES: u64 = 6_000;

fn shop() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/alerts/shop.yaml")
}

fn database(connection: &Connection) -> [(&'static str, String); 4] {
    [
        ("DATABASE_HOST", connection.host.clone()),
        ("DATABASE_PORT", connection.port.to_string()),
        ("DATABASE_USER", connection.user.clone()),
        ("DATABASE_NAME", connection.database.clone()),
    ]
}

/// Writes a day of the shop, one trace a second, to a new database.
fn backfilled(server: &Server) -> Connection {
    let connection = server.fresh();
    tracegen()
        .args(["run", "--seed", "5", "--start", "2026-01-01", "--duration", "24h", "--rate", "1/s", "--quiet"])
        .args(["--exporter", "clickhouse"])
        .envs(database(&connection))
        .arg(shop())
        .assert()
        .success();
    connection
}

/// The durations of an operation's spans in a minute, and the number of those that failed.
type Minute = (Vec<u64>, u64);

/// The steps with one explanation: their spans, those that failed, those that took longer than its p99, and one step.
type State = (u64, u64, u64, Step);

/// Returns the minutes of each operation, by the position of the minute in the day.
async fn asked(connection: &Connection) -> BTreeMap<(u64, String, String), Minute> {
    let query = format!(
        "SELECT intDiv(toUnixTimestamp64Nano(Timestamp) - {START}, {MINUTE}) AS minute, ServiceName, SpanName, \
         countIf(StatusCode = 'Error'), arrayStringConcat(groupArray(toString(Duration)), ' ') \
         FROM {}.otel_traces GROUP BY minute, ServiceName, SpanName",
        connection.database
    );
    let answer = ask(connection, &query).await;
    let rows = answer.lines().map(|line| {
        let cells: Vec<&str> = line.split('\t').collect();
        let durations = cells[4].split(' ').map(|ns| ns.parse().expect("a duration")).collect();
        let key = (cells[0].parse().expect("a minute"), cells[1].to_owned(), cells[2].to_owned());
        (key, (durations, cells[3].parse().expect("a count")))
    });
    rows.collect()
}

/// Returns the probability that `hits` of `n` are as far from a figure as they are, at the end of its interval that fits best.
fn likely(figure: Figure, hits: u64, n: u64) -> f64 {
    match figure {
        Figure::Exact(share) => p_value(hits, n, share.clamp(0.0, 1.0)),
        // Six standard deviations on each side, instead of 3.29.
        Figure::Sampled { value, low, high } => {
            let widen = |end: f64| (value + (end - value) * 6.0 / 3.29).clamp(0.0, 1.0);
            p_value(hits, n, (hits as f64 / n as f64).clamp(widen(low), widen(high)))
        }
        Figure::Unknown => 1.0,
    }
}

/// The number of spans in a minute from which on its p99 is tested.
const ENOUGH: u64 = 30;

/// Returns the share of spans that take longer than the p99 of a sample, which is that of the traces up to the sample's chance.
fn p99(part: &Part) -> Figure {
    let seen = part.spans.mean.value().unwrap_or(0.0) * SAMPLES as f64;
    let deviation = (0.01 * 0.99 / seen.max(1.0)).sqrt();
    Figure::Sampled { value: 0.01, low: 0.01 - 3.29 * deviation - 0.001, high: 0.01 + 3.29 * deviation }
}

/// Every minute of every operation of a day with five incidents: errors and p99 are what the ground truth says, and of the
/// whole of all minutes with the same incidents, too. All together hold with a probability of 99.99 %.
#[tokio::test(flavor = "multi_thread")]
async fn every_minute_of_a_day_is_as_explained() {
    let Some(server) = Server::start() else { return };
    let connection = backfilled(&server);
    let mut minutes = asked(&connection).await;
    let loaded = language::load(&[shop()]);
    let plan = Arc::new(compiler::compile_loaded(loaded).1.plan.expect("it compiles"));
    let (from, to) = (START, START + 24 * 60 * MINUTE);
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let epoch = Epoch::new(0, START, Arrivals::Even { count: 1, per_ns: SECOND });
    let question = Question { plan, seed: 77, epoch, from, to, step: MINUTE, samples: SAMPLES, threads };
    let answer = timeline(&question, &|_| {}).expect("a timeline");
    let mut tested: Vec<(String, f64)> = vec![];
    // The minutes with the same explanation, by the address of it.
    let mut states: BTreeMap<(usize, String, String), State> = BTreeMap::new();
    for (at, step) in answer.steps.iter().enumerate() {
        for part in &step.explanation.parts {
            let Subject::Operation { service, operation } = &part.subject else { continue };
            let key = (at as u64, service.clone(), operation.clone());
            let Some((durations, failed)) = minutes.remove(&key) else {
                // What is down is not seen.
                let expected = part.spans.mean.value().unwrap_or(0.0) * 60.0;
                tested.push((format!("{key:?}: nothing of {expected}"), libm::exp(-expected)));
                continue;
            };
            let n = durations.len() as u64;
            tested.push((format!("{key:?}: {failed} of {n}, {:?}", part.failed), likely(part.failed, failed, n)));
            let Some(known) = part.durations else { continue };
            let longer = durations.iter().filter(|duration| **duration > known.p99 + known.p99 / 200).count() as u64;
            // With fewer spans, none of them may well be among the slowest hundredth, and all of them hardly say anything.
            if n >= ENOUGH {
                tested.push((format!("{key:?}: {longer} of {n} longer than p99"), likely(p99(part), longer, n)));
            }
            let state = (Arc::as_ptr(&step.explanation) as usize, service.clone(), operation.clone());
            let sum = states.entry(state).or_insert((0, 0, 0, step.clone()));
            (sum.0, sum.1, sum.2) = (sum.0 + n, sum.1 + failed, sum.2 + longer);
        }
    }
    assert!(minutes.is_empty(), "{} operations are not explained", minutes.len());
    for ((_, service, operation), (n, failed, longer, step)) in &states {
        let of = |part: &&tracegen::explain::Part| {
            part.subject == Subject::Operation { service: service.clone(), operation: operation.clone() }
        };
        let part = step.explanation.parts.iter().find(of).expect("the part");
        let name = format!("{service} {operation} in {} steps like {:?}", n, step.in_force);
        tested.push((format!("{name}: {failed} failed, {:?}", part.failed), likely(part.failed, *failed, *n)));
        tested.push((format!("{name}: {longer} longer than p99"), likely(p99(part), *longer, *n)));
    }
    assert!(tested.len() > 10_000, "only {}", tested.len());
    let level = 1e-4 / tested.len() as f64;
    let mut wrong = String::new();
    for (place, likely) in tested.iter().filter(|(_, likely)| likely.is_nan() || *likely < level) {
        writeln!(wrong, "{place}, p = {likely:.1e}").expect("written");
    }
    assert!(wrong.is_empty(), "of {}:\n{wrong}", tested.len());
}

/// The script in the documentation finds every incident, and nothing else; with thresholds that are too high it misses some.
#[test]
fn the_trial_of_an_alert_finds_what_there_is() {
    let Some(server) = Server::start() else { return };
    let trial = |more: &[&str]| {
        let output = Command::new("python3")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/alerts/trial.py"))
            .args(["--tracegen", assert_cmd::cargo::cargo_bin("tracegen").to_str().expect("a path")])
            .args(["--hours", "8", "--rate", "2/s", "--samples", "4000"])
            .args(more)
            .envs(database(&server.fresh()))
            .output()
            .expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (status, text, errors) = trial(&[]);
    assert_eq!(status, Some(0), "{text}{errors}");
    assert!(text.contains("payment provider slow: fired after"), "{text}");
    assert!(text.contains("stock outage: fired after"), "{text}");
    assert!(text.ends_with("0 missed, 0 false\n"), "{text}");
    let (status, text, errors) = trial(&["--errors", "100", "--slower", "1000"]);
    assert_eq!(status, Some(1), "{text}{errors}");
    assert!(text.ends_with("2 missed, 0 false\n"), "{text}");
}
