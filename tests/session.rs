//! Sessions that are changed while they run: store and collector receive exactly what the journal says, and all of it can
//! be generated again.

mod support {
    pub mod collector;
    pub mod lasting;
    pub mod peer;
    #[allow(dead_code)]
    pub mod plans;
    pub mod ports;
    pub mod requests;
    pub mod shipped;
    pub mod time;
}

use prost::Message;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};
use support::collector::{Collector, Output};
use support::lasting::lasting;
use support::peer::{Answer, Listen, Peer};
use support::plans;
use support::shipped::compiled;
use support::time::TestClock;
use tracegen::clock::{Clock, Process};
use tracegen::engine::{Pace, Phase, Session, SessionOptions, SessionState, Settings};
use tracegen::export::deliver::Link;
use tracegen::export::target::{Target, TargetFlags};
use tracegen::interpreter::{Identity, Run};
use tracegen::journal::{Archive, Identified, Manifest, Sending, Unit};
use tracegen::plan::Plan;
use tracegen::store::{Database, Memory, MemoryLimits, Store, TraceQuery, Wanted, create_database};
use tracegen::trace::{StoredTrace, TraceId};
use tracegen::verify::{Fidelity, Policy, Verdict, Verifier};

const SECOND: u64 = 1_000_000_000;
const MS: u64 = SECOND / 1_000;

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn rate(count: u64) -> Settings {
    Settings {
        pace: Pace::Rate { count, per_ns: SECOND, poisson: false },
        lanes: 4,
        by_files: false,
        factor: 1_000_000,
        weights: BTreeMap::new(),
    }
}

fn database() -> Arc<Database> {
    create_database(&Wanted { memory: MemoryLimits::new(1_000_000), clickhouse: None, written: false }).unwrap()
}

struct Started {
    session: Session,
    database: Arc<Database>,
}

/// Starts a session that sends to a collector.
fn start(plan: &Arc<Plan>, seed: u64, settings: Settings, collector: &str) -> Started {
    let flags = TargetFlags { endpoint: Some(collector.into()), protocol: Some("grpc".into()), ..Default::default() };
    let target = Target::resolve(flags, &|_| None).unwrap();
    start_by(Arc::new(Process), plan, seed, settings, Some(target))
}

fn start_by(clock: Arc<dyn Clock>, plan: &Arc<Plan>, seed: u64, settings: Settings, target: Option<Target>) -> Started {
    let database = database();
    let options = SessionOptions {
        plan: plan.clone(),
        seed,
        settings,
        target,
        sending: Sending::default(),
        database: database.clone(),
        clock,
    };
    Started { session: Session::start(options).unwrap(), database }
}

/// A session whose time is controlled by the test.
struct Still {
    started: Started,
    clock: Arc<TestClock>,
}

impl std::ops::Deref for Still {
    type Target = Started;

    fn deref(&self) -> &Started {
        &self.started
    }
}

/// Starts a session that has generated the traces of its past.
fn still(plan: &Arc<Plan>, seed: u64, settings: Settings) -> Still {
    const NOW: u64 = 1_767_225_600 * SECOND;
    let clock = Arc::new(TestClock::new(NOW));
    let still = Still { started: start_by(clock.clone(), plan, seed, settings, None), clock };
    still.pass(0);
    still
}

impl Still {
    /// Lets `ns` pass, and returns the state.
    fn pass(&self, ns: u64) -> SessionState {
        self.clock.run_until(self.clock.now() + ns);
        self.session.state()
    }
}

impl Started {
    fn stored(&self) -> Vec<TraceId> {
        let mut ids = vec![];
        loop {
            let query = TraceQuery { offset: ids.len() as u64, limit: 1_000, ..TraceQuery::default() };
            let page = wait(self.database.fetch_unique_traces(&query)).unwrap();
            if page.traces.is_empty() {
                return ids;
            }
            ids.extend(page.traces.iter().map(|trace| trace.id));
        }
    }

    fn count(&self) -> u64 {
        wait(self.database.get_trace_counts()).unwrap().total_traces
    }

    /// Waits until something holds for the session's state. The time limit is for failures, and long enough for a busy
    /// machine.
    fn until(&self, holds: impl Fn(&SessionState) -> bool) -> SessionState {
        let began = Instant::now();
        loop {
            let state = self.session.state();
            if holds(&state) {
                return state;
            }
            assert!(began.elapsed() < Duration::from_secs(120), "{state:#?}");
            sleep(Duration::from_millis(5));
        }
    }
}

/// Returns the traces that were sent according to the journal.
fn sent(manifest: &Manifest) -> BTreeSet<u64> {
    let mut archive = Archive::open(manifest).unwrap();
    let mut sent = BTreeSet::new();
    for era in &manifest.eras {
        for index in era.epoch.first..era.end.expect("no era is open") {
            let (_, trace) = archive.remake(index).expect("a trace of the journal");
            assert_eq!(trace.index, index);
            if era.stopped.is_none_or(|stopped| trace.end <= stopped) {
                assert!(sent.insert(index), "trace {index} is in two eras");
            }
        }
    }
    sent
}

/// Returns the stored form of trace `index`, regenerated from a manifest.
fn remade(archive: &mut Archive, index: u64) -> StoredTrace {
    let (run, trace) = archive.remake(index).unwrap();
    let memory = Memory::new(MemoryLimits::new(1));
    memory.add_trace(run.origin(), &trace).unwrap();
    wait(memory.trace(trace.id)).unwrap().expect("it was just added")
}

/// Returns the manifest after it was written and read.
fn through_a_file(manifest: &Manifest) -> Manifest {
    let mut bytes = vec![];
    manifest.write(&mut bytes).unwrap();
    let read = Manifest::read(&bytes[..]).unwrap();
    assert_eq!(read, *manifest);
    read
}

/// Checks that every sent trace is in the store once, and equals the regenerated one.
fn check_store(started: &Started, manifest: &Manifest) {
    let manifest = through_a_file(manifest);
    let mut archive = Archive::open(&manifest).unwrap();
    let stored = started.stored();
    let indices: BTreeSet<u64> = stored.iter().map(|id| index(&archive, *id)).collect();
    assert_eq!(indices.len(), stored.len(), "stored twice");
    assert!(indices == sent(&manifest), "stored and sent differ: {manifest:?}");
    // Comparing all of them would take long in an unoptimized build.
    for id in stored.iter().step_by(stored.len() / 200 + 1) {
        let there = wait(started.database.trace(*id)).unwrap().expect("it was listed");
        let index = index(&archive, *id);
        assert_eq!(remade(&mut archive, index), there);
        assert_eq!(started.session.locate(*id).map(|located| located.index), Some(index));
    }
}

fn index(archive: &Archive, id: TraceId) -> u64 {
    match archive.identify(id) {
        Identified::Ours { index } => index,
        other => panic!("{other:?}"),
    }
}

fn shipped() -> Arc<Plan> {
    Arc::new(compiled("scenarios"))
}

#[test]
fn the_first_traces_show_at_once_whatever_the_seed() {
    let plan = shipped();
    let settings = Settings {
        pace: Pace::Interval { min_ns: SECOND / 2, max_ns: 2 * SECOND },
        weights: BTreeMap::new(),
        ..rate(1)
    };
    for seed in 0..20 {
        assert!(still(&plan, seed, settings.clone()).count() > 0, "seed {seed}");
    }
}

#[test]
fn a_pause_lets_traces_end_and_a_stop_does_not() {
    // With 20 ms between traces there is time to observe each.
    let still = still(&Arc::new(lasting(400)), 1, rate(50));
    let state = still.pass(SECOND);
    assert_eq!((state.pending, state.next_index - state.traces), (20, 20));
    still.session.pause();
    assert_eq!(still.session.state().phase, Phase::Paused);
    let paused = still.pass(400 * MS);
    assert_eq!((paused.pending, paused.traces), (0, paused.next_index), "all ended");
    assert_eq!(still.pass(10 * SECOND).next_index, paused.next_index, "none began");

    still.session.resume();
    let resumed = still.pass(300 * MS);
    assert_eq!(resumed.next_index - paused.next_index, resumed.pending);
    assert!((15..=16).contains(&resumed.pending), "nothing is caught up: {}", resumed.pending);
    still.session.stop();
    assert_eq!(still.session.state().phase, Phase::Stopped);
    let stopped = still.pass(0);
    assert_eq!((stopped.pending, stopped.traces), (0, paused.traces), "none of them had ended");
    assert_eq!(still.pass(10 * SECOND).traces, stopped.traces);
    let state = still.session.finish(SECOND);
    let manifest = still.session.manifest();
    assert_eq!(manifest.ended.as_ref().map(|totals| totals.traces), Some(state.traces));
    assert_eq!(manifest.eras.len(), 2);
    check_store(&still, &manifest);
}

#[test]
fn a_clock_that_is_set_forward_is_caught_up_with() {
    let still = still(&Arc::new(lasting(400)), 1, rate(50));
    let before = still.pass(SECOND);
    still.clock.step(60 * SECOND);
    let after = still.pass(0);
    assert_eq!(after.next_index - before.next_index, 3_000);
    assert_eq!((before.pending, after.pending), (20, 20));
    assert!(after.lateness.max > 50 * SECOND, "it is not hidden: {:?}", after.lateness);
    still.session.finish(SECOND);
}

#[test]
fn weights_take_effect_and_impossible_settings_are_refused() {
    let plan = Arc::new(plans::linked());
    let started = still(&plan, 7, rate(500));
    let weights = |weights: &[(&str, f64)]| Settings {
        weights: weights.iter().map(|(name, weight)| (name.to_string(), *weight)).collect(),
        ..rate(500)
    };
    for (settings, why) in [
        (weights(&[("producer", 0.0), ("consumer", 0.0), ("mailer", 0.0)]), "at least one scenario"),
        (weights(&[("producer", -1.0)]), "weight -1 of scenario `producer`"),
        (weights(&[("nobody", 1.0)]), "there is no scenario `nobody`"),
        (rate(0), "both must be at least 1"),
        (Settings { pace: Pace::Interval { min_ns: 2, max_ns: 1 }, ..rate(1) }, "the longest gap"),
    ] {
        let error = started.session.apply(settings).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    assert_eq!(started.session.state().settings, rate(500));
    started.session.apply(weights(&[("producer", 0.0), ("mailer", 0.0)])).unwrap();
    // From the next era on, all traces are those of the consumer.
    let before = started.pass(0);
    assert_eq!(started.session.manifest().eras.len(), 2);
    let after = started.pass(2 * SECOND);
    let made = |state: &SessionState| state.scenarios.iter().map(|s| s.traces).collect::<Vec<_>>();
    let grown: Vec<u64> = made(&after).iter().zip(made(&before)).map(|(a, b)| a - b).collect();
    assert!(grown[1] > 500 && grown[0] + grown[2] < 200, "{grown:?}");
    let weights = |state: &SessionState| state.scenarios.iter().map(|s| (s.weight, s.file_weight)).collect::<Vec<_>>();
    assert_eq!(weights(&after), [(0.0, 3.0), (1.0, 1.0), (0.0, 1.0)]);
    started.session.finish(SECOND);
    check_store(&started, &started.session.manifest());
}

#[test]
fn figures_are_those_of_the_traces() {
    let plan = Arc::new(plans::ecommerce());
    let started = still(&plan, 3, rate(300));
    started.pass(5 * SECOND);
    let state = started.session.finish(SECOND);
    let counts = wait(started.database.get_trace_counts()).unwrap();
    let observed = &state.scenarios[0];
    assert_eq!((state.traces, state.spans), (counts.total_traces, counts.total_spans));
    assert_eq!((observed.traces, observed.spans), (counts.total_traces, counts.total_spans));
    assert_eq!(observed.failed, counts.error_traces);
    assert_eq!(observed.blocks.iter().map(|b| b.runs).sum::<u64>(), counts.total_spans);
    // A failed span ends its trace here, so each failed trace has one hit.
    let hits: u64 = observed.blocks.iter().flat_map(|b| &b.hits).map(|(_, n)| n).sum();
    assert_eq!(hits, counts.error_traces);
    assert_eq!(observed.blocks[3].hits.len(), 3, "payment fails in three ways");
    assert!(observed.blocks[3].hits.iter().all(|(_, n)| *n > 0), "{observed:?}");
    assert_eq!(state.rates.iter().sum::<u64>(), state.traces);
    assert_eq!(state.target_rate, 300.0);
}

#[test]
fn a_plan_is_replaced_while_traces_are_pending() {
    let (first, second) = (Arc::new(lasting(300)), Arc::new(plans::linked()));
    let started = still(&first, 5, rate(400));
    assert!(started.pass(SECOND).pending >= 100);
    started.session.replace_plan(second.clone());
    let state = started.pass(2 * SECOND);
    assert!(state.scenarios.iter().map(|o| o.traces).sum::<u64>() > 200);
    assert_eq!(state.plan.digest(), second.digest());
    assert!(state.scenarios.iter().map(|o| o.traces).sum::<u64>() < state.traces, "counted from the change on");
    // The plan executes in the same way, so it does not change.
    started.session.replace_plan(Arc::new(plans::linked()));
    started.session.pause();
    assert_eq!(started.pass(60 * SECOND).pending, 0);
    let state = started.session.finish(SECOND);
    let manifest = started.session.manifest();
    assert_eq!((manifest.eras.len(), manifest.plans.len()), (2, 2));
    assert_eq!(state.traces, state.next_index);
    check_store(&started, &manifest);
    let of = |index| started.session.locate(Archive::open(&manifest).unwrap().remake(index).unwrap().1.id).unwrap();
    assert!(!of(0).current && of(state.next_index - 1).current);
}

#[test]
fn a_collector_may_come_and_go() {
    let plan = Arc::new(plans::linked());
    let peer = Peer::start(|_| Answer::Take);
    let (port, url) = (peer.address.port(), peer.url());
    drop(peer);
    let started = start(&plan, 11, rate(200), &url);
    let exporter = |state: &SessionState| state.exporter.clone().unwrap();
    let state = started.until(|s| exporter(s).link == Link::Down);
    assert!(exporter(&state).last_error.is_some_and(|(_, error)| error.contains("refused")));

    let peer = Peer::start_at(Listen { port, ..Listen::default() }, |_| Answer::Take);
    let state = started.until(|s| exporter(s).link == Link::Connected && exporter(s).account.requests > 3);
    assert!(exporter(&state).recovered.is_some() && exporter(&state).latency.count > 3);
    let mut arrived = peer.into_spans();
    let made = started.session.state().traces;
    started.until(|s| exporter(s).link == Link::Down && s.traces > made + 100);

    let peer = Peer::start_at(Listen { port, ..Listen::default() }, |_| Answer::Take);
    started.until(|s| exporter(s).link == Link::Connected);
    let state = started.session.finish(10 * SECOND);
    arrived.extend(peer.into_spans());
    let account = exporter(&state).account;
    assert_eq!((account.generated.traces, account.generated.spans), (state.traces, state.spans));
    assert!(account.is_whole(), "an outage this short loses nothing: {account:?}");
    check_store(&started, &started.session.manifest());
    check_arrived(&started.session.manifest(), &arrived);
}

/// Checks that the spans received by a peer are those of the sent traces.
fn check_arrived(manifest: &Manifest, spans: &[u64]) {
    let identity = Identity::new(manifest.seed, u32::from_str_radix(&manifest.tag, 16).unwrap());
    let arrived: BTreeSet<u64> = spans.iter().map(|id| identity.decode_span(id + 1).unwrap().0).collect();
    assert!(arrived == sent(manifest), "arrived and sent differ");
}

#[test]
fn spans_that_leave_one_by_one_arrive_once_across_changes_and_a_stop() {
    let Some(mut collector) = Collector::start(Output::Protobuf) else { return };
    let plan = Arc::new(compiled("scenarios/examples/shop.yaml"));
    let sending =
        Sending { unit: Unit::Spans { batch_delay: SECOND }, late: [("card-*".to_string(), 700 * MS)].into() };
    let flags =
        TargetFlags { endpoint: Some(collector.grpc_url()), protocol: Some("grpc".into()), ..TargetFlags::default() };
    let session = Session::start(SessionOptions {
        plan: plan.clone(),
        seed: 42,
        settings: rate(60),
        target: Some(Target::resolve(flags, &|_| None).unwrap()),
        sending: sending.clone(),
        database: database(),
        clock: Arc::new(Process),
    });
    let session = session.unwrap();
    sleep(Duration::from_millis(700));
    session.apply(rate(90)).unwrap();
    sleep(Duration::from_millis(700));
    session.pause();
    sleep(Duration::from_millis(300));
    session.resume();
    sleep(Duration::from_millis(700));
    let account = session.finish(20 * SECOND).exporter.expect("an exporter").account;
    collector.stop();
    let manifest = through_a_file(&session.manifest());
    assert_eq!(manifest.sending, sending);
    let mut verifier = Verifier::new(Archive::open(&manifest).unwrap(), Fidelity::Otlp, Policy::default());
    for request in collector.requests() {
        assert_eq!(request.resource_spans.len(), 1);
        verifier.request(&request.encode_to_vec(), None).unwrap();
    }
    let report = verifier.finish();
    assert_eq!(report.verdict, Verdict::Clean, "{report:#?}");
    assert_eq!((account.generated.spans, account.delivered.spans), (report.expected, report.expected));
    assert!(report.expected > 3_000 && report.traces.expected > account.delivered.traces, "{report:#?}");
}

#[test]
fn a_collector_that_hangs_never_holds_up_generation() {
    let plan = Arc::new(plans::wide());
    let peer = Peer::start(|_| Answer::Hang);
    let started = start(&plan, 13, rate(2_000), &peer.url());
    // The 30,000 traces of the head start fill the queue many times over.
    let state = started.until(|s| s.traces > 30_000);
    started.until(|s| s.traces > state.traces + 1_000);
    let state = started.session.finish(SECOND / 10);
    let account = state.exporter.unwrap().account;
    assert_eq!(account.generated.traces, state.traces);
    assert_eq!(account.in_flight.traces, 0);
    let causes: Vec<&str> = account.undelivered.keys().map(String::as_str).collect();
    assert!(causes.iter().any(|cause| cause.starts_with("queue full")), "{causes:?}");
    assert_eq!(account.total_undelivered(), account.generated);
}

/// A generator of pseudo-random numbers.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Runs a session with random commands, and checks it from end to end.
fn random_commands(seed: u64, commands: u32) {
    let mut dice = Dice(seed);
    let all = [plans::linked(), lasting(30), plans::ecommerce(), lasting(900)].map(Arc::new);
    let peer = Peer::start(|_| Answer::Take);
    let started = start(&all[0], seed, rate(100), &peer.url());
    let session = &started.session;
    for _ in 0..commands {
        match dice.roll(8) {
            0 => session.pause(),
            1 => session.stop(),
            2..=3 => session.resume(),
            4 => session.replace_plan(all[dice.roll(4) as usize].clone()),
            what => {
                let count = 1 + dice.roll(800);
                let pace = match dice.roll(3) {
                    0 => Pace::Rate { count, per_ns: SECOND, poisson: false },
                    1 => Pace::Rate { count, per_ns: SECOND, poisson: true },
                    _ => Pace::Interval { min_ns: SECOND / count / 10, max_ns: SECOND / count },
                };
                let mut weights = BTreeMap::new();
                if what == 5 {
                    let plan = session.state().plan;
                    let name = plan.text(plan.scenarios[0].name);
                    weights.insert(name.to_string(), 1.0 + dice.roll(5) as f64);
                }
                session.apply(Settings { pace, lanes: 1 + dice.roll(8) as u32, weights, ..rate(1) }).unwrap();
            }
        }
        sleep(Duration::from_micros(dice.roll(25_000)));
    }
    let state = session.finish(10 * SECOND);
    let manifest = session.manifest();
    check_store(&started, &manifest);
    assert_eq!(sent(&manifest).len() as u64, state.traces);
    let account = state.exporter.unwrap().account;
    assert!(account.is_whole() && account.generated.traces == state.traces, "{account:?}");
    check_arrived(&manifest, &peer.into_spans());
    for (one, next) in manifest.eras.iter().zip(&manifest.eras[1..]) {
        assert_eq!(one.end, Some(next.epoch.first), "no index is left out");
    }
}

#[test]
fn no_trace_is_lost_or_repeated_over_two_hundred_commands() {
    random_commands(1, 200);
}

#[test]
fn a_few_changes_replay_whatever_they_are() {
    (100..108).for_each(|seed| random_commands(seed, 5));
}

#[test]
fn ids_of_others_are_refused() {
    let plan = Arc::new(plans::linked());
    let started = still(&plan, 42, rate(100));
    started.session.finish(SECOND);
    let manifest = started.session.manifest();
    let archive = Archive::open(&manifest).unwrap();
    let tag = u32::from_str_radix(&manifest.tag, 16).unwrap();
    let other_seed = Identity::new(43, tag).trace_id(3);
    assert_eq!(archive.identify(other_seed), Identified::Foreign);
    assert!(started.session.locate(other_seed).is_none());
    let other_run = Identity::new(42, tag ^ 1).trace_id(3);
    assert_eq!(archive.identify(other_run), Identified::OtherRun { tag: tag ^ 1, index: 3 });
    assert!(started.session.locate(other_run).is_none());
    let beyond = Identity::new(42, tag).trace_id(1 << 40);
    assert!(started.session.locate(beyond).is_none());
    assert!(started.session.remake(1 << 40).is_none());
}

/// An edit of a manifest's JSON.
type Edit<'a> = &'a dyn Fn(&mut serde_json::Value);

#[test]
fn manifests_that_do_not_belong_together_are_refused() {
    let started = still(&Arc::new(lasting(10)), 42, rate(50));
    started.session.apply(Settings { weights: [("lasting".to_string(), 2.0)].into(), ..rate(60) }).unwrap();
    started.pass(0);
    started.session.finish(SECOND);
    let mut bytes = vec![];
    started.session.manifest().write(&mut bytes).unwrap();
    let whole: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let refused = |edit: Edit<'_>| {
        let mut json = whole.clone();
        edit(&mut json);
        match Manifest::read(json.to_string().as_bytes()).and_then(|manifest| Archive::open(&manifest)) {
            Ok(_) => panic!("accepted: {json}"),
            Err(error) => error.to_string(),
        }
    };
    let digest = whole["eras"][0]["plan"].as_str().unwrap();
    let cases: [(Edit<'_>, &str); 10] = [
        (&|json| json["format"] = 2.into(), "has format 2, this tracegen reads 1"),
        (&|json| *json = serde_json::json!({"format": 1}), "not a manifest"),
        (&|json| json["extra"] = 1.into(), "unknown field `extra`"),
        (&|json| json["tag"] = "00000000".into(), "tag is 00000000"),
        (&|json| json["eras"][0]["epoch"]["opening"] = 1.into(), "plan and schedule give"),
        (&|json| json["eras"][0]["end"] = 1_000_000.into(), "out of order"),
        (&|json| json["eras"] = serde_json::json!([]), "an epoch that begins with trace 0"),
        (&|json| json["plans"] = serde_json::json!({}), "which is not in it"),
        (&|json| json["plans"][digest]["program"]["blocks"][0]["span"]["kind"] = "CLIENT".into(), "was changed"),
        (&|json| json["eras"][1]["weights"]["lasting"] = 0.0.into(), "all weights are 0"),
    ];
    for (edit, why) in cases {
        let error = refused(edit);
        assert!(error.contains(why), "{why}: {error}");
    }
    for len in (0..bytes.len() - 2).step_by(bytes.len() / 40) {
        let error = Manifest::read(&bytes[..len]).unwrap_err().to_string();
        assert!(error.starts_with("the manifest is cut off"), "{error}");
    }
}

#[test]
fn a_run_of_its_own_has_another_tag() {
    let plan = Arc::new(lasting(10));
    let started = still(&plan, 42, rate(50));
    let manifest = started.session.manifest();
    let run = Run::new(plan, 42, tracegen::interpreter::Schedule::new(5, manifest.eras[0].epoch.arrivals).unwrap());
    assert_ne!(format!("{:08x}", run.tag()), manifest.tag);
}
