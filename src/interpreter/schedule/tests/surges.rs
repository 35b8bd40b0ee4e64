//! Schedules of plans whose incidents multiply rates.

use super::load::{DAY, HOUR, OWN, any_form, by_load, forms, job, rate, starts_of, times, with_load};
use super::*;
use crate::interpreter::{Interpreter, Run};
use crate::plan::{Incident, Opening, RateChange, TextId, Windows, limits};
use crate::trace::Trace;
use proptest::prelude::*;

const MINUTE: u64 = 60 * SECOND;

/// Returns an incident that multiplies the rates of scenarios; of all, if none is given.
fn surge(at: Opening, length: u64, every: Option<u64>, times: f64, scenarios: &[u32]) -> Incident {
    let scenarios = scenarios.iter().map(|id| ScenarioId(*id)).collect();
    Incident { name: TextId(0), at, length, every, rate: Some(RateChange { times, scenarios }) }
}

/// Returns a plan with incidents, each with a name of its own.
fn with(plan: &Plan, incidents: Vec<Incident>) -> Arc<Plan> {
    let mut program = (**plan).clone();
    program.incidents = incidents;
    for (at, incident) in program.incidents.iter_mut().enumerate() {
        incident.name = TextId(program.texts.len() as u32);
        program.texts.push(format!("surge {at}"));
    }
    Arc::new(Plan::verify(program).expect("sound surges"))
}

/// Reports whether what incidents make of a plan's rates repeats before long.
fn is_possible(plan: &Plan, incidents: &[Incident]) -> bool {
    let mut program = (**plan).clone();
    program.incidents = incidents.into();
    program.load.iter().all(|source| program.rate_changes(source) <= limits::RATE_CHANGES)
}

fn count(starts: &mut Starts, from: u64, to: u64) -> u64 {
    let mut before = |time: u64| starts.last_at_or_before(0, time - 1).map_or(0, |last| last + 1);
    before(to) - before(from)
}

#[test]
fn a_rate_is_multiplied_inside_its_windows_alone() {
    let base = with_load(Some(rate(false, &[(0, 10.0)], None)), None);
    let plan = with(&base, vec![surge(Opening::AfterStart(MINUTE), 10 * SECOND, Some(2 * MINUTE), 3.0, &[])]);
    let mut starts = by_load(&plan);
    let at = |seconds: u64| OPENING + seconds * SECOND;
    for turn in [0, 1, 500, 1_000_000] {
        let window_of = |from: u64, to: u64| (at(turn * 120 + from), at(turn * 120 + to));
        for (from, to, expected) in [(0, 60, 600), (60, 70, 300), (70, 120, 500)] {
            let (from, to) = window_of(from, to);
            assert_eq!(count(&mut starts, from, to), expected, "{turn}");
            assert!((starts.rate(from) - if expected == 300 { 30.0 } else { 10.0 }).abs() < 1e-9);
        }
    }
    assert_eq!(starts.start(600 + 6), at(60) + SECOND / 5);
    // Without incidents all is as before.
    assert_eq!(times(&mut by_load(&with(&base, vec![])), 1_000), times(&mut by_load(&base), 1_000));
}

#[test]
fn windows_by_the_clock_meet_the_cycle_that_is_by_the_clock() {
    // From 10:00 to 12:00 UTC of each day the rate is 40/s, otherwise 1/s.
    let points = [(0, 1.0), (10 * HOUR, 1.0), (10 * HOUR, 40.0), (12 * HOUR, 40.0), (12 * HOUR, 1.0), (DAY, 1.0)];
    let base = with_load(Some(rate(false, &points, Some(DAY))), None);
    let plan = with(&base, vec![surge(Opening::TimeOfDay(11 * HOUR), 2 * HOUR, Some(DAY), 0.5, &[])]);
    let mut starts = by_load(&plan);
    let midnight = OPENING + 700 * DAY;
    for (hour, expected) in [(9, 3_600), (10, 144_000), (11, 72_000), (12, 1_800), (13, 3_600), (34, 144_000)] {
        let from = midnight + hour * HOUR;
        assert_eq!(count(&mut starts, from, from + HOUR), expected, "{hour}");
    }
}

#[test]
fn surges_that_meet_multiply_and_nothing_arrives_while_one_is_zero() {
    let base = with_load(Some(rate(false, &[(0, 10.0)], None)), None);
    let after = |seconds: u64| Opening::AfterStart(seconds * SECOND);
    let plan = with(
        &base,
        vec![
            surge(after(10), 20 * SECOND, None, 2.0, &[]),
            surge(after(20), 20 * SECOND, None, 3.0, &[]),
            surge(after(50), 10 * SECOND, None, 0.0, &[]),
        ],
    );
    let mut starts = by_load(&plan);
    let counts = [0, 10, 20, 30, 40, 50, 60]
        .map(|second| count(&mut starts, OPENING + second * SECOND, OPENING + (second + 10) * SECOND));
    assert_eq!(counts, [100, 200, 600, 300, 100, 0, 100]);
    assert_eq!(
        (starts.start(1_299), starts.start(1_300)),
        (OPENING + 50 * SECOND - SECOND / 10, OPENING + 60 * SECOND)
    );
}

/// Of a load that scenarios share, one comes more often, and the others come as often as before.
#[test]
fn a_surge_of_one_scenario_leaves_the_others_as_they_were() {
    for poisson in [false, true] {
        let base = with_load(Some(rate(poisson, &[(0, 1_000.0)], None)), None);
        let plan = with(&base, vec![surge(Opening::AfterStart(100 * SECOND), 100 * SECOND, None, 5.0, &[1])]);
        let (weights, all) = ([15.0, 1.0], 16.0);
        let epoch =
            Epoch { first: 0, opening: OPENING, arrivals: Arrivals::Load, load: Some(LoadTerms::plain(OPENING)) };
        let run = Arc::new(Run::new(plan, 42, Schedule::of(epoch).expect("a schedule")));
        let (mut interpreter, mut trace, mut counts) = (Interpreter::new(&run), Trace::default(), [[0.0; 2]; 3]);
        for i in 0.. {
            let start = interpreter.start(i);
            if start >= OPENING + 300 * SECOND {
                break;
            }
            interpreter.trace(i, &mut trace);
            assert!(i % 997 > 0 || run.scenario(i) == trace.scenario);
            counts[((start - OPENING) / (100 * SECOND)) as usize][trace.scenario.index()] += 1.0;
        }
        for (third, of_third) in counts.iter().enumerate() {
            for (scenario, found) in of_third.iter().enumerate() {
                let times = if (third, scenario) == (1, 1) { 5.0 } else { 1.0 };
                let expected: f64 = 100_000.0 * times * weights[scenario] / all;
                assert!(
                    (found - expected).abs() < 5.0 * expected.sqrt(),
                    "{poisson} {third} {scenario}: {found} {expected}"
                );
            }
        }
    }
}

#[test]
fn a_surge_of_a_scenario_with_a_load_of_its_own_is_for_that_load() {
    let shared = || Some(rate(false, &[(0, 10.0)], None));
    let own_base = with_load(shared(), Some(rate(false, &[(0, 4.0)], None)));
    let window = Opening::AfterStart(10 * SECOND);
    let counts = |plan: &Arc<Plan>, arrivals: Arrivals| {
        let mut starts = starts_of(plan, arrivals);
        let mut counts = [[0; 2]; 3];
        for (start, own) in
            (0..).map(|i| starts.start_and_own(i)).take_while(|(start, _)| *start < OPENING + 30 * SECOND)
        {
            counts[((start - OPENING) / (10 * SECOND)) as usize][usize::from(own.is_some())] += 1;
        }
        counts
    };
    let of_own = with(&own_base, vec![surge(window, 10 * SECOND, None, 3.0, &[OWN.0])]);
    assert_eq!(counts(&of_own, Arrivals::Load), [[100, 40], [100, 120], [100, 40]]);
    let of_all = with(&own_base, vec![surge(window, 10 * SECOND, None, 3.0, &[])]);
    assert_eq!(counts(&of_all, Arrivals::Load), [[100, 40], [300, 120], [100, 40]]);
    // What is not by the load is not multiplied.
    let even = Arrivals::Even { count: 7, per_ns: SECOND };
    assert_eq!(counts(&of_all, even), [[70, 40], [70, 120], [70, 40]]);
    let of_job =
        with(&with_load(shared(), Some(job(SECOND, 0, None))), vec![surge(window, 10 * SECOND, None, 3.0, &[])]);
    assert_eq!(counts(&of_job, Arrivals::Load), [[100, 10], [300, 10], [100, 10]], "a timetable has no rate");
}

/// Returns surges of all kinds: once, again and again, by the run and by the clock, together and one in another.
fn surges() -> Vec<Vec<Incident>> {
    let after = Opening::AfterStart;
    vec![
        vec![surge(after(0), 7 * SECOND, Some(20 * SECOND), 4.0, &[])],
        vec![surge(after(13 * SECOND), 90 * SECOND, None, 0.0, &[]), surge(after(MINUTE), HOUR, None, 2.5, &[])],
        vec![
            surge(Opening::TimeOfDay(30 * SECOND), SECOND, Some(5 * SECOND), 10.0, &[]),
            surge(after(17 * SECOND), 4 * SECOND, Some(8 * SECOND), 0.25, &[0]),
        ],
        vec![
            surge(Opening::TimeOfDay(9 * HOUR), 2 * HOUR, Some(DAY), 3.0, &[0, 1]),
            surge(after(0), HOUR, Some(HOUR), 2.0, &[]),
        ],
    ]
}

/// Returns plans with surges of all kinds, of a rate that changes by the day.
pub(super) fn mixtures() -> Vec<(Arc<Plan>, Arrivals)> {
    let daily = |poisson| rate(poisson, &[(0, 2.0), (12 * HOUR, 40.0), (DAY, 2.0)], Some(DAY));
    let bases = [with_load(Some(daily(false)), None), with_load(Some(daily(true)), Some(daily(false)))];
    let all = bases.iter().flat_map(|base| surges().into_iter().map(move |surges| (base, surges)));
    all.filter(|(base, surges)| is_possible(base, surges))
        .map(|(base, surges)| (with(base, surges), Arrivals::Load))
        .collect()
}

#[test]
fn far_arrivals_with_surges_are_those_of_a_walk_to_them() {
    for (plan, arrivals) in mixtures() {
        for far in [1_000_003, 999_999_937] {
            let (mut walking, mut jumping) = (starts_of(&plan, arrivals), starts_of(&plan, arrivals));
            let all: Vec<_> = (far - 2_000..far).map(|i| walking.start_and_own(i)).collect();
            for i in [far - 1, far - 900, far - 40, far - 2_000] {
                assert_eq!(jumping.start_and_own(i), all[(i + 2_000 - far) as usize], "{:?} {i}", plan.incidents);
            }
        }
    }
}

/// The k-th trace starts where the cumulative rate reaches k, which is computed here from the plain rate, window by window.
#[test]
fn starts_follow_the_multiplied_cumulative_rate() {
    const N: u64 = 20_000;
    for poisson in [false, true] {
        for (form, incidents) in
            forms(poisson).into_iter().flat_map(|form| surges().into_iter().map(move |s| (form.clone(), s)))
        {
            let SourceForm::Rate { points, cycle, .. } = &form else { panic!("no rate") };
            let plain = table::Table::new(points, *cycle, OPENING, 1.0);
            let base = with_load(Some(form.clone()), None);
            if !is_possible(&base, &incidents) {
                continue;
            }
            let plan = with(&base, incidents.clone());
            let windows: Vec<(Windows, &RateChange)> =
                plan.incidents.iter().map(|i| (i.windows(OPENING), i.rate.as_ref().expect("a surge"))).collect();
            let mut starts = by_load(&plan);
            let all: Vec<u64> = times(&mut starts, N).into_iter().take_while(|time| *time < MAX_TIME).collect();
            assert!(all.is_sorted() && all.len() > 1_000, "{}", all.len());
            let (mut reached, mut from, mut sum) = (vec![], OPENING, 0.0);
            for time in &all {
                while from < time + 1 {
                    let next = windows.iter().filter_map(|(w, _)| w.next_change(from)).fold(time + 1, u64::min);
                    let in_force = windows.iter().filter(|(w, _)| w.contain(from)).map(|(_, change)| change);
                    let factor = |id: u32| -> f64 {
                        in_force.clone().filter(|c| c.affects(ScenarioId(id))).map(|c| c.times).product()
                    };
                    sum += (plain.mass(next) - plain.mass(from)) as f64 * (15.0 * factor(0) + factor(1)) / 16.0;
                    from = next;
                }
                reached.push(sum);
            }
            let ks = kolmogorov_smirnov(reached.iter().map(|mass| mass / sum).collect(), |x| x);
            assert!(ks < if poisson { 2.2 } else { 0.02 }, "{form:?} {incidents:?}: {ks}");
        }
    }
}

fn any_surge() -> impl Strategy<Value = Incident> {
    let length = prop_oneof![1..1_000u64, 1..100 * SECOND, 1..3 * DAY];
    let at = prop_oneof![(0..2 * DAY).prop_map(Opening::AfterStart), (0..DAY).prop_map(Opening::TimeOfDay)];
    let times = prop_oneof![Just(0.0), 0.0..3.0];
    (at, length, prop::option::of(0..4u64), times, 0..3usize).prop_map(|(at, length, gaps, times, window_of)| {
        // Days and their parts, so that they repeat together with a cycle before long.
        let every = gaps.map(|more| (length.div_ceil(DAY) + more) * DAY);
        surge(at, length, every, times, [&[][..], &[0], &[1]][window_of])
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn whatever_surges_there_are_a_question_has_the_answer_of_a_walk(
        shared in any_form(),
        own in prop::option::of(any_form()),
        incidents in prop::collection::vec(any_surge(), 1..4),
        indices in prop::collection::vec(0..2_000u64, 1..30),
        far in 2_000..1_000_000_000u64,
    ) {
        let base = with_load(Some(shared), own);
        prop_assume!(is_possible(&base, &incidents));
        let plan = with(&base, incidents);
        let (mut walking, mut jumping) = (by_load(&plan), by_load(&plan));
        let all: Vec<_> = (0..2_000).map(|i| walking.start_and_own(i)).collect();
        prop_assert!(all.windows(2).all(|two| two[0].0 <= two[1].0));
        for i in indices {
            prop_assert_eq!(jumping.start_and_own(i), all[i as usize]);
        }
        let (start, own) = jumping.start_and_own(far);
        if start < MAX_TIME {
            let count = jumping.last_at_or_before(0, start - 1).map_or(0, |last| last + 1);
            prop_assert!(count <= far);
            let walked: Vec<_> = (count..=far).map(|i| walking.start_and_own(i)).collect();
            prop_assert!(walked.iter().all(|(walked, _)| *walked == start) && walked[walked.len() - 1].1 == own);
        }
    }
}
