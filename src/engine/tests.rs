//! Runs with a clock that the tests turn.

#[path = "../../tests/support/lasting.rs"]
mod lasting;
#[path = "../../tests/support/time.rs"]
mod time;

use super::*;
use crate::export::Protobuf;
use crate::interpreter::Arrivals;
use crate::plans;
use lasting::lasting;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use parking_lot::Mutex;
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};
use time::TestClock;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
const NOW: u64 = 1_767_225_600 * SECOND;
/// The duration of each trace.
const LASTS: u64 = 400 * MS;
/// The maximum time that a trace waits for its batch to fill.
const FLUSH: u64 = 200 * MS;

/// Makes a run of a trace every 100 ms, whose clock begins at the same time as its schedule.
fn job(clock: &Arc<TestClock>, selection: Selection, ordered: bool) -> Job {
    let schedule = Schedule::new(NOW, Arrivals::Even { count: 10, per_ns: SECOND }).unwrap();
    job_by(clock, schedule, selection, ordered)
}

fn job_by(clock: &Arc<TestClock>, schedule: Schedule, selection: Selection, ordered: bool) -> Job {
    Job {
        run: Arc::new(Run::new(Arc::new(lasting(LASTS / MS)), 42, schedule)),
        selection,
        threads: 1,
        at_full_speed: false,
        ordered,
        sending: Sending::default(),
        sent: Sent::default(),
        clock: clock.clone(),
        on_epoch: None,
    }
}

/// An output that records what it takes.
struct Taken<'c> {
    clock: &'c TestClock,
    batches: Mutex<Vec<(u64, Ends)>>,
}

/// The ends of traces by their ids, in ns since 1970.
type Ends = BTreeMap<Vec<u8>, u64>;

impl<'c> Taken<'c> {
    fn new(clock: &'c TestClock) -> Self {
        Taken { clock, batches: Mutex::default() }
    }

    /// Returns the times at which traces ended, ascending, each with the time at which it was sent.
    fn ends(&self) -> Vec<(u64, u64)> {
        let batches = self.batches.lock();
        let ends = batches.iter().flat_map(|(at, ends)| ends.values().map(|end| (*end, *at)));
        BTreeSet::from_iter(ends).into_iter().collect()
    }
}

impl Output for Taken<'_> {
    fn send(&self, batch: Batch) -> Result<Option<Vec<u8>>, Closed> {
        let request = ExportTraceServiceRequest::decode(&batch.body[..]).unwrap();
        let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        let mut ends = Ends::new();
        for span in scopes.flat_map(|scope| scope.spans) {
            let end: &mut u64 = ends.entry(span.trace_id).or_default();
            *end = span.end_time_unix_nano.max(*end);
        }
        assert_eq!(ends.len() as u64, batch.traces);
        self.batches.lock().push((self.clock.now(), ends));
        Ok(Some(batch.body))
    }
}

/// Runs a job to its end, while `steer` turns its clock.
fn run(job: &Job, taken: &Taken<'_>, steer: impl FnOnce(&Stop)) -> (Ended, Ending, Figures) {
    let (progress, stop) = (Progress::default(), Stop::default());
    let encoder = || -> Box<dyn Encode> { Box::new(Protobuf::new(job.run.plan(), job.run.resources())) };
    std::thread::scope(|scope| {
        let generates = scope.spawn(|| generate(job, &encoder, taken, &progress, &stop));
        steer(&stop);
        let (ended, ending) = generates.join().unwrap();
        (ended, ending, progress.figures())
    })
}

#[test]
fn a_trace_leaves_when_its_last_span_has_ended() {
    let clock = Arc::new(TestClock::ticking(NOW, u64::MAX, 0));
    let (count, taken) = (30, Taken::new(&clock));
    let job = job(&clock, Selection { count: Some(count), ..Selection::default() }, false);
    let (ended, ending, figures) = run(&job, &taken, |_| ());
    assert_eq!((ended, ending.stopped, ending.end, figures.traces), (Ended::Complete, None, count, count));
    assert_eq!((figures.lateness.count, figures.lateness.max), (count, 0));
    let ends = taken.ends();
    assert_eq!(ends.iter().map(|(end, _)| *end).collect::<Vec<_>>(), ends_of(0..count));
    assert!(ends.iter().all(|(end, at)| (*end..=end + FLUSH).contains(at)), "{ends:?}");
    assert!(taken.batches.lock().len() as u64 > count / 4, "they do not wait for a batch to fill");
}

/// Returns the ends of traces by index, in ns since 1970.
fn ends_of(indices: std::ops::Range<u64>) -> Vec<u64> {
    indices.map(|index| NOW + index * 100 * MS + LASTS).collect()
}

#[test]
fn traces_that_have_not_ended_at_the_stop_are_not_sent() {
    for ordered in [false, true] {
        let clock = Arc::new(TestClock::new(NOW));
        let (job, taken) = (job(&clock, Selection::default(), ordered), Taken::new(&clock));
        let stopped = NOW + 2 * SECOND + 50 * MS;
        let (ended, ending, figures) = run(&job, &taken, |stop| {
            clock.run_until(stopped);
            stop.set(&*clock);
        });
        assert_eq!((ended, ending.stopped), (Ended::Stopped, Some(stopped)));
        // The first 2,050 ms contain the ends of the traces that began in the first 1,650.
        let sent: Vec<u64> = taken.ends().into_iter().map(|(end, _)| end).collect();
        assert_eq!((sent, figures.traces), (ends_of(0..17), 17), "{ordered}");
        assert!(ending.end >= 21, "{}", ending.end);
    }
}

#[test]
fn an_ordered_batch_waits_for_the_last_end_of_its_chunk() {
    let clock = Arc::new(TestClock::ticking(NOW, u64::MAX, 0));
    let (count, taken) = (30, Taken::new(&clock));
    let job = job(&clock, Selection { count: Some(count), ..Selection::default() }, true);
    let (ended, _, figures) = run(&job, &taken, |_| ());
    assert_eq!((ended, figures.traces, figures.lateness.max), (Ended::Complete, count, 0));
    for (at, ends) in &*taken.batches.lock() {
        assert_eq!(ends.values().max(), Some(at));
    }
}

#[test]
fn a_clock_that_is_set_forward_is_caught_up_with() {
    let clock = Arc::new(TestClock::new(NOW));
    let (job, taken) = (job(&clock, Selection::default(), false), Taken::new(&clock));
    let (_, ending, figures) = run(&job, &taken, |stop| {
        clock.run_until(NOW + SECOND);
        clock.step(60 * SECOND);
        clock.run_until(NOW + 61 * SECOND);
        stop.set(&*clock);
    });
    // The expected traces are all that ended within 61 s.
    assert_eq!((figures.traces, ending.stopped), (607, Some(NOW + 61 * SECOND)));
    assert!(figures.lateness.max > 59 * SECOND, "it is not hidden: {:?}", figures.lateness);
}

#[test]
fn at_full_speed_epochs_follow_the_achieved_rate_and_no_trace_leaves_early() {
    let clock = Arc::new(TestClock::ticking(NOW, u64::MAX, 100 * MS));
    let (count, taken, told) = (60_000, Taken::new(&clock), Arc::new(Mutex::new(vec![])));
    let heard = told.clone();
    let schedule = Schedule::new(NOW - LASTS, FIRST_ARRIVALS).unwrap();
    let job = Job {
        at_full_speed: true,
        on_epoch: Some(Arc::new(move |schedule: &Schedule| heard.lock().push(schedule.epochs().len()))),
        ..job_by(&clock, schedule, Selection { count: Some(count), ..Selection::default() }, false)
    };
    let (ended, ending, figures) = run(&job, &taken, |_| ());
    assert_eq!((ended, ending.end, figures.traces), (Ended::Complete, count, count));
    let epochs = ending.schedule.epochs();
    assert!(epochs.len() > 3, "{epochs:?}");
    assert!(epochs.windows(2).all(|two| two[0].first < two[1].first && two[0].opening <= two[1].opening), "{epochs:?}");
    assert_eq!(told.lock().last(), Some(&epochs.len()));
    assert!(taken.ends().iter().all(|(end, at)| end <= at), "a trace has left before it ended");
}
