//! Schedules of plans with a load.

use super::*;
use crate::plan::{Dist, DistForm, Percentile, Point, Program, UNITS_A_SECOND};
use proptest::prelude::*;

const MS: u64 = 1_000_000;
pub(super) const HOUR: u64 = 3_600 * SECOND;
pub(super) const DAY: u64 = 24 * HOUR;
/// The index and the scenario of a source of its own.
pub(super) const OWN: ScenarioId = ScenarioId(1);

/// Returns a rate whose points are at times in ns, in traces per second.
pub(super) fn rate(poisson: bool, points: &[(u64, f64)], cycle: Option<u64>) -> SourceForm {
    let units = |rate: f64| (rate * UNITS_A_SECOND as f64).round() as u64;
    let points = points.iter().map(|(at, rate)| Point { at: *at, rate: units(*rate) }).collect();
    SourceForm::Rate { poisson, points, cycle }
}

pub(super) fn job(every: u64, at: u64, jitter: Option<Dist>) -> SourceForm {
    SourceForm::Job { every, at, jitter }
}

/// Returns the fixture with a source of all scenarios without one, and one of [`OWN`].
pub(super) fn with_load(shared: Option<SourceForm>, own: Option<SourceForm>) -> Arc<Plan> {
    let mut program: Program = fixture::program();
    program.scenarios[1].weight = 1.0;
    let shared = shared.map(|form| Source { scenario: None, form });
    let own = own.map(|form| Source { scenario: Some(OWN), form });
    program.load = shared.into_iter().chain(own).collect();
    Arc::new(Plan::verify(program).expect("a sound load"))
}

/// Returns the starts of a plan from [`OPENING`] on, with `arrivals` in place of the shared source.
pub(super) fn starts_of(plan: &Arc<Plan>, arrivals: Arrivals) -> Starts {
    let epoch = Epoch { first: 0, opening: OPENING, arrivals, load: Some(LoadTerms::plain(OPENING)) };
    Starts::new(plan, 42, Schedule::of(epoch).unwrap(), OPENING)
}

pub(super) fn by_load(plan: &Arc<Plan>) -> Starts {
    starts_of(plan, Arrivals::Load)
}

pub(super) fn times(starts: &mut Starts, n: u64) -> Vec<u64> {
    (0..n).map(|i| starts.start(i)).collect()
}

/// Rates of all forms: even, with ramps, jumps and stretches without traces, in cycles, rare and frequent.
pub(super) fn forms(poisson: bool) -> Vec<SourceForm> {
    let s = SECOND;
    vec![
        rate(poisson, &[(0, 50.0)], None),
        rate(poisson, &[(0, 0.0), (60 * s, 100.0), (120 * s, 100.0), (180 * s, 5.0)], None),
        rate(poisson, &[(0, 3.0), (30 * s, 3.0), (30 * s, 0.0), (90 * s, 0.0), (90 * s, 200.0), (91 * s, 40.0)], None),
        rate(poisson, &[(0, 2.0), (6 * HOUR, 2.0), (12 * HOUR, 40.0), (18 * HOUR, 30.0), (DAY, 2.0)], Some(DAY)),
        rate(
            poisson,
            &[(0, 0.0), (s, 0.0), (s, 900.0), (s + s / 10, 900.0), (s + s / 10, 0.0), (2 * s, 0.0)],
            Some(2 * s),
        ),
        rate(poisson, &[(0, 1e6)], None),
    ]
}

#[test]
fn a_constant_rate_is_that_of_even_arrivals() {
    let mut even = starts(Arrivals::Even { count: 50, per_ns: SECOND });
    let mut load = by_load(&with_load(Some(rate(false, &[(0, 50.0)], None)), None));
    assert_eq!(times(&mut load, 10_000), times(&mut even, 10_000));
    let mut slow = by_load(&with_load(Some(rate(false, &[(0, 1.0 / 3_600.0)], None)), None));
    assert_eq!(slow.start(1_000_000), OPENING + 1_000_000 * HOUR);
}

/// The k-th trace starts where the cumulative rate reaches k.
#[test]
fn starts_follow_their_own_cumulative_rate() {
    const N: u64 = 100_000;
    for poisson in [false, true] {
        for form in forms(poisson) {
            let SourceForm::Rate { points, cycle, .. } = &form else { panic!("no rate") };
            let table = table::Table::new(points, *cycle, OPENING, 1.0);
            let mut starts = by_load(&with_load(Some(form.clone()), None));
            let all = times(&mut starts, N);
            assert!(all.is_sorted());
            let last = table.mass(all[N as usize - 1] + 1) - table.mass(OPENING);
            let reached = |time: u64| (table.mass(time + 1) - table.mass(OPENING)) as f64 / last as f64;
            let ks = kolmogorov_smirnov(all.iter().map(|time| reached(*time)).collect(), |x| x);
            // Arrivals of a block are closer to uniform than independent ones.
            assert!(ks < if poisson { 2.2 } else { 0.01 }, "{form:?}: {ks}");
        }
    }
}

#[test]
fn random_arrivals_have_exponential_gaps_and_poisson_counts_in_their_own_time() {
    for form in forms(true) {
        let SourceForm::Rate { points, cycle, .. } = &form else { panic!("no rate") };
        let table = table::Table::new(points, *cycle, OPENING, 1.0);
        let mut starts = by_load(&with_load(Some(form.clone()), None));
        // In units in which one trace comes on average.
        let unit = crate::plan::TRACE_MASS as f64;
        let all: Vec<f64> =
            times(&mut starts, 100_000).iter().map(|t| (table.mass(*t) - table.mass(OPENING)) as f64 / unit).collect();
        let gaps = all.windows(2).map(|two| two[1] - two[0]).collect();
        let ks = kolmogorov_smirnov(gaps, |x| 1.0 - (-x).exp());
        assert!(ks < 2.2, "{form:?}: {ks}");
        for window in [10.0, 100.0] {
            let windows = (all[all.len() - 1] / window) as usize;
            let mut counts = vec![0f64; windows + 1];
            all.iter().for_each(|x| counts[(x / window) as usize] += 1.0);
            counts.pop();
            let mean = counts.iter().sum::<f64>() / counts.len() as f64;
            let variance = counts.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / (counts.len() - 1) as f64;
            let dispersion = variance / mean;
            assert!((dispersion - 1.0).abs() < 4.0 * (2.0 / windows as f64).sqrt() + 0.025, "{window}: {dispersion}");
        }
    }
}

/// A year of jobs of several periods: at each scheduled time, plus its jitter, exactly one trace starts.
#[test]
fn a_job_starts_exactly_once_at_each_scheduled_time_of_a_year() {
    let lognormal = DistForm::Lognormal {
        low: Percentile { percent: 50.0, time: 200 * MS },
        high: Percentile { percent: 99.0, time: 20 * SECOND },
    };
    let jitter = || Some(Dist { form: lognormal.clone(), max: HOUR / 2 });
    for (every, at) in [(DAY, 2 * HOUR), (7 * HOUR, 5), (HOUR, HOUR - 1)] {
        for jitter in [None, jitter()] {
            let most = jitter.as_ref().map_or(0, |jitter| jitter.max);
            for other in [rate(false, &[(0, 0.001)], None), rate(true, &[(0, 0.001)], None)] {
                let plan = with_load(Some(other), Some(job(every, at, jitter.clone())));
                let mut starts = by_load(&plan);
                let end = OPENING + 366 * DAY;
                let mut jobs = vec![];
                for i in 0.. {
                    let (start, own) = starts.start_and_own(i);
                    if start >= end {
                        break;
                    }
                    jobs.extend(own.map(|own| (start, own)));
                }
                let first = (OPENING - at).div_ceil(every);
                let scheduled: Vec<u64> = (first..).map(|n| at + n * every).take_while(|time| *time < end).collect();
                // A start of the time before the opening may come after it, and one before the end after that.
                let found: Vec<u64> = jobs.iter().map(|(start, _)| (start - at) / every * every + at).collect();
                let before = usize::from(found[0] < OPENING);
                let inside = found.len() - before;
                assert_eq!(&found[before..], &scheduled[..inside], "every {every}");
                assert!(scheduled.len() - inside <= 1 && (most > 0 || inside == scheduled.len() && before == 0));
                assert!(jobs.iter().all(|(start, own)| *own == OWN && (start - at) % every <= most));
                let distinct: std::collections::BTreeSet<u64> =
                    jobs.iter().map(|(start, _)| (start - at) % every).collect();
                assert_eq!(distinct.len() > 1, most > 0, "a jitter is drawn for each");
            }
        }
    }
}

/// Returns plans whose sources are of all kinds, alone and together, with what arrives in place of the shared source.
fn mixtures() -> Vec<(Arc<Plan>, Arrivals)> {
    let uniform = Some(Dist { form: DistForm::Uniform { min: 0, max: 300 * MS }, max: 300 * MS });
    let daily = |poisson| rate(poisson, &[(0, 2.0), (12 * HOUR, 40.0), (DAY, 2.0)], Some(DAY));
    let burst =
        |poisson| rate(poisson, &[(0, 0.0), (SECOND, 0.0), (SECOND, 300.0), (2 * SECOND, 0.0)], Some(2 * SECOND));
    let mut all = vec![];
    for shared in [None, Some(daily(false)), Some(daily(true)), Some(rate(true, &[(0, 5.0)], None))] {
        for own in [
            None,
            Some(burst(false)),
            Some(burst(true)),
            Some(job(SECOND, 7, uniform.clone())),
            Some(job(SECOND, 0, None)),
        ] {
            if shared.is_some() || own.is_some() {
                all.push((with_load(shared.clone(), own), Arrivals::Load));
            }
        }
    }
    for arrivals in [
        Arrivals::Even { count: 7, per_ns: SECOND },
        Arrivals::Interval { min_ns: SECOND / 2, max_ns: 2 * SECOND, lanes: 4 },
        Arrivals::Interval { min_ns: 0, max_ns: SECOND, lanes: 30 },
        Arrivals::Poisson { count: 100, per_ns: SECOND },
    ] {
        for own in [burst(false), burst(true), job(SECOND, 7, uniform.clone()), job(HOUR, 0, None)] {
            all.push((with_load(Some(daily(true)), Some(own)), arrivals));
        }
    }
    all
}

#[test]
fn any_order_of_questions_gives_the_arrivals_of_a_walk() {
    for (plan, arrivals) in mixtures() {
        let (mut walking, mut jumping) = (starts_of(&plan, arrivals), starts_of(&plan, arrivals));
        let all: Vec<_> = (0..12_000).map(|i| walking.start_and_own(i)).collect();
        for k in 0..400u64 {
            let i = k * 7919 % 12_000;
            assert_eq!(jumping.start_and_own(i), all[i as usize], "{arrivals:?} {:?} {i}", plan.load);
        }
        for i in (0..300).rev() {
            assert_eq!(jumping.start_and_own(i), all[i as usize]);
        }
        let far = walking.start(MAX_INDEX - 1);
        assert!(far <= MAX_TIME && far >= all[11_999].0);
    }
}

#[test]
fn the_last_start_before_a_time_agrees_with_a_walk() {
    for (plan, arrivals) in mixtures() {
        let mut starts = starts_of(&plan, arrivals);
        let n = 3_000u64;
        let all = times(&mut starts, n);
        let limit = all[n as usize - 1 - n as usize / 10];
        let steps = (0..200).map(|k| OPENING + (limit - OPENING) / 200 * k);
        for time in steps.chain(all.iter().copied().take(200)).flat_map(|t| [t - 1, t, t + 1]).filter(|t| *t < limit) {
            let want = (0..n).rev().find(|&i| all[i as usize] <= time);
            assert_eq!(starts.last_at_or_before(17, time), want, "{arrivals:?} {:?} at {time}", plan.load);
            let safe = starts.all_at_or_before(17, time);
            assert!((0..safe).all(|i| all[i as usize] <= time), "{arrivals:?} at {time}");
        }
        assert_eq!(starts.last_at_or_before(17, OPENING - 1), None);
    }
}

/// Starts and sources far into the schedule are those that a walk from close before gives.
#[test]
fn far_arrivals_are_those_of_a_walk_to_them() {
    for (plan, arrivals) in mixtures() {
        for far in [1_000_003, 999_999_937] {
            let (mut walking, mut jumping) = (starts_of(&plan, arrivals), starts_of(&plan, arrivals));
            let all: Vec<_> = (far - 5_000..far).map(|i| walking.start_and_own(i)).collect();
            if all[4_999].0 == MAX_TIME {
                continue;
            }
            for i in [far - 1, far - 2_500, far - 40, far - 5_000] {
                assert_eq!(
                    jumping.start_and_own(i),
                    all[(i + 5_000 - far) as usize],
                    "{arrivals:?} {:?} {i}",
                    plan.load
                );
                let next = starts_of(&plan, arrivals).start_and_own(i);
                assert_eq!(next, all[(i + 5_000 - far) as usize], "a question of its own");
            }
            let time = all[4_000].0;
            let last = jumping.last_at_or_before(0, time).unwrap();
            assert!(last >= far - 1_000 && jumping.start(last) <= time);
        }
    }
}

#[test]
fn a_load_that_ends_has_as_many_starts_as_its_area() {
    let ramp = rate(false, &[(0, 0.0), (10 * SECOND, 10.0), (20 * SECOND, 0.0)], None);
    let mut starts = by_load(&with_load(Some(ramp), None));
    assert_eq!(starts.last_at_or_before(0, MAX_TIME), Some(99));
    assert!(starts.start(99) < OPENING + 20 * SECOND);
    assert_eq!((starts.start(100), starts.start(1 << 40)), (MAX_TIME, MAX_TIME));
    // Of what waits for its next cycle, nothing comes before it.
    let burst = rate(false, &[(0, 5.0), (HOUR, 5.0), (HOUR, 0.0), (DAY, 0.0)], Some(DAY));
    let mut starts = by_load(&with_load(Some(burst), None));
    let per_day = 5 * 3_600;
    assert_eq!(starts.start(per_day), OPENING + DAY, "the day begins with the first trace");
    assert_eq!(starts.start(7 * per_day), OPENING + 7 * DAY);
}

#[test]
fn scenarios_are_chosen_by_the_rates_at_their_starts() {
    // In the first half of each hour one source has three times the rate of the other, in the second half the reverse.
    let halves = |poisson, first, second| {
        rate(poisson, &[(0, first), (HOUR / 2, first), (HOUR / 2, second), (HOUR, second)], Some(HOUR))
    };
    for poisson in [false, true] {
        let plan = with_load(Some(halves(poisson, 30.0, 10.0)), Some(halves(poisson, 10.0, 30.0)));
        let mut starts = by_load(&plan);
        let mut counts = [[0u64; 2]; 2];
        for i in 0..200_000 {
            let (start, own) = starts.start_and_own(i);
            counts[usize::from(start % HOUR >= HOUR / 2)][usize::from(own.is_some())] += 1;
        }
        for (half, share) in [(0, 0.25), (1, 0.75)] {
            let [shared, own] = counts[half];
            let found = own as f64 / (own + shared) as f64;
            let error = 4.0 * (0.25f64 * 0.75 / (own + shared) as f64).sqrt();
            assert!((found - share).abs() < error, "{poisson} {half}: {found}");
        }
    }
}

#[test]
fn factors_and_weights_multiply_rates_but_no_timetable() {
    let plan = with_load(Some(rate(false, &[(0, 10.0)], None)), Some(rate(false, &[(0, 4.0)], None)));
    let plan = Arc::new(plan.with_weights([15.0, 0.5]).unwrap());
    let terms = LoadTerms { anchor: OPENING, factor: 2_500_000 };
    let epoch = Epoch { first: 0, opening: OPENING, arrivals: Arrivals::Load, load: Some(terms) };
    assert_eq!(epoch.mean_rates(&plan), [25.0, 5.0]);
    let mut starts = Starts::new(&plan, 1, Schedule::of(epoch).unwrap(), OPENING);
    assert!((starts.rate(OPENING + 7) - 30.0).abs() < 1e-9);
    let last = starts.last_at_or_before(0, OPENING + 100 * SECOND - 1);
    assert_eq!(last, Some(2_999));
    let plan = with_load(None, Some(job(SECOND, 0, None)));
    let epoch = Epoch { arrivals: Arrivals::Even { count: 1, per_ns: SECOND }, ..epoch };
    assert_eq!(epoch.mean_rates(&plan), [1.0, 1.0], "a timetable has no factor");
    // Without terms, scenarios come as often as by the load, with the epoch's own arrivals.
    let epoch = Epoch::new(0, OPENING, Arrivals::Even { count: 5, per_ns: SECOND });
    assert_eq!(epoch.mean_rates(&plan), [4.0, 1.0]);
    let mut starts = Starts::new(&plan, 1, Schedule::of(epoch).unwrap(), OPENING);
    assert_eq!(starts.start_and_own(7), (OPENING + 7 * SECOND / 5, None));
}

#[test]
fn a_scenario_of_weight_zero_never_comes() {
    let plan = with_load(Some(rate(true, &[(0, 10.0)], None)), Some(rate(true, &[(0, 10.0)], None)));
    let without = |weights: [f64; 2]| {
        let mut starts = by_load(&Arc::new(plan.with_weights(weights).unwrap()));
        let own = (0..2_000).filter(|i| starts.start_and_own(*i).1.is_some()).count();
        (own, starts.rate(OPENING))
    };
    assert_eq!(without([1.0, 0.0]), (0, 10.0));
    assert_eq!(without([0.0, 1.0]), (2_000, 10.0));
}

#[test]
fn terms_of_a_load_are_checked() {
    let epoch = |arrivals, load| Schedule::of(Epoch { first: 0, opening: 5, arrivals, load });
    let even = Arrivals::Even { count: 1, per_ns: 1 };
    assert!(epoch(Arrivals::Load, Some(LoadTerms::plain(5))).is_ok() && epoch(even, Some(LoadTerms::plain(0))).is_ok());
    for load in [LoadTerms::plain(6), LoadTerms { anchor: 0, factor: 0 }, LoadTerms { anchor: 0, factor: u64::MAX }] {
        assert!(matches!(epoch(even, Some(load)), Err(ScheduleError::Load(_))), "{load:?}");
    }
    assert!(matches!(epoch(Arrivals::Load, None), Err(ScheduleError::Load(_))));
    let schedule = epoch(Arrivals::Load, Some(LoadTerms::plain(5))).unwrap();
    let text = serde_json::to_string(&schedule).unwrap();
    assert_eq!(text, r#"[{"first":0,"opening":5,"arrivals":"load","load":{"anchor":5,"factor":1000000}}]"#);
    assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), schedule);
    assert_ne!(schedule.tag_bytes(), epoch(Arrivals::Load, Some(LoadTerms::plain(4))).unwrap().tag_bytes());
}

/// A plan may have one of these loads, whatever the times and rates are.
pub(super) fn any_form() -> impl Strategy<Value = SourceForm> {
    let times = prop_oneof![Just(0), 1..1_000u64, 1..3_000 * MS, 1..40 * DAY];
    let rates = prop_oneof![Just(0u64), 1..100u64, 1..UNITS_A_SECOND * 100];
    let stages = prop::collection::vec((times, rates), 1..6);
    let rate =
        (any::<bool>(), stages, any::<bool>(), 1..UNITS_A_SECOND).prop_map(|(poisson, stages, cycles, least)| {
            let mut points = vec![Point { at: 0, rate: least }];
            for (time, rate) in stages {
                let at = points[points.len() - 1].at + time;
                if points.len() > 1 && time == 0 && points[points.len() - 2].at == at {
                    points.pop();
                }
                points.push(Point { at, rate });
            }
            points.push(Point { at: points[points.len() - 1].at + 5 * SECOND, rate: least });
            let cycle = cycles.then(|| points[points.len() - 1].at);
            SourceForm::Rate { poisson, points, cycle }
        });
    let job = (MS..3 * DAY, any::<prop::sample::Index>(), prop::option::of(any::<prop::sample::Index>()));
    let job = job.prop_map(|(every, at, jitter)| {
        let jitter = jitter.map(|max| max.index(every.min(DAY) as usize) as u64);
        let jitter = jitter.map(|max| Dist { form: DistForm::Uniform { min: 0, max }, max });
        SourceForm::Job { every, at: at.index(every as usize) as u64, jitter }
    });
    prop_oneof![3 => rate, 1 => job]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn whatever_the_load_is_a_question_has_the_answer_of_a_walk(
        shared in prop::option::of(any_form()),
        own in prop::option::of(any_form()),
        indices in prop::collection::vec(0..3_000u64, 1..30),
        far in 3_000..1_000_000_000u64,
    ) {
        let plan = with_load(shared, own);
        prop_assume!(!plan.load.is_empty());
        let arrivals = if plan.shared_source().is_some() { Arrivals::Load } else { Arrivals::Even { count: 3, per_ns: SECOND } };
        let (mut walking, mut jumping) = (starts_of(&plan, arrivals), starts_of(&plan, arrivals));
        let all: Vec<_> = (0..3_000).map(|i| walking.start_and_own(i)).collect();
        prop_assert!(all.windows(2).all(|two| two[0].0 <= two[1].0));
        for i in indices {
            let (start, own) = jumping.start_and_own(i);
            prop_assert_eq!((start, own), all[i as usize]);
            if start < MAX_TIME {
                let last = jumping.last_at_or_before(0, start).unwrap();
                prop_assert!(last >= i && jumping.start(last) == start && jumping.start(last + 1) > start);
            }
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

/// Measures what `docs/limits.md` says of random questions; the figures are printed by `-- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn a_random_question_takes_microseconds() {
    for (plan, arrivals) in mixtures().into_iter().chain(super::surges::mixtures()) {
        let mut starts = starts_of(&plan, arrivals);
        starts.start(0);
        let (n, began) = (2_000u64, std::time::Instant::now());
        (0..n).for_each(|k| {
            std::hint::black_box(starts.start_and_own(k * 982_451_653 % 1_000_000_000));
        });
        let each = began.elapsed().as_secs_f64() * 1e6 / n as f64;
        let (n, began) = (200_000u64, std::time::Instant::now());
        (0..n).for_each(|i| {
            std::hint::black_box(starts.start_and_own(500_000_000 + i));
        });
        let walk = began.elapsed().as_secs_f64() * 1e9 / n as f64;
        eprintln!(
            "{each:8.2} us at random, {walk:8.1} ns in a walk: {arrivals:?} {}",
            plan.listing().to_string().lines().filter(|l| l.contains("load")).collect::<Vec<_>>().join("; ")
        );
    }
}
