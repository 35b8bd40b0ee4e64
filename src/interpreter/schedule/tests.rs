mod load;
mod surges;

use super::*;
use crate::plan::fixture;

const SECOND: u64 = 1_000_000_000;
const OPENING: u64 = 1_767_225_600 * SECOND;

fn kinds() -> Vec<Arrivals> {
    vec![
        Arrivals::Even { count: 50, per_ns: SECOND },
        Arrivals::Even { count: 7, per_ns: 3 * SECOND },
        Arrivals::Even { count: 5, per_ns: 3 },
        Arrivals::Interval { min_ns: SECOND / 2, max_ns: 2 * SECOND, lanes: 4 },
        Arrivals::Interval { min_ns: 0, max_ns: 3, lanes: 7 },
        Arrivals::Interval { min_ns: 5, max_ns: 5, lanes: 1 },
        Arrivals::Interval { min_ns: 0, max_ns: SECOND, lanes: 100 },
        Arrivals::Poisson { count: 100, per_ns: SECOND },
        Arrivals::Poisson { count: 10_000, per_ns: 3 },
    ]
}

fn plan() -> Arc<Plan> {
    Arc::new(fixture::plan())
}

fn starts(arrivals: Arrivals) -> Starts {
    Starts::new(&plan(), 42, Schedule::new(OPENING, arrivals).unwrap(), OPENING)
}

#[test]
fn the_last_start_before_a_time_agrees_with_brute_force() {
    for arrivals in kinds() {
        let mut starts = starts(arrivals);
        let n = 10_000u64;
        let all: Vec<u64> = (0..n).map(|i| starts.start(i)).collect();
        // At these times all traces that may have started are among the first n.
        let limit = all[n as usize - 1 - n as usize / 10];
        let times = (0..400).map(|k| OPENING + (limit - OPENING) * k / 400).chain(all.iter().copied().take(300));
        for time in times.flat_map(|t| [t - 1, t, t + 1]).filter(|&t| t < limit) {
            let want = (0..n).rev().find(|&i| all[i as usize] <= time);
            assert_eq!(starts.last_at_or_before(17, time), want, "{arrivals:?} at {time}");
        }
        assert_eq!(starts.last_at_or_before(17, OPENING - 1), None);
        assert_eq!(starts.last_at_or_before(17, 0), None);
    }
}

#[test]
fn any_order_of_questions_gives_the_same_starts() {
    for arrivals in kinds() {
        let (mut forward, mut jumping) = (starts(arrivals), starts(arrivals));
        let all: Vec<u64> = (0..20_000).map(|i| forward.start(i)).collect();
        for k in 0..200u64 {
            let i = k * 7919 % 20_000;
            assert_eq!(jumping.start(i), all[i as usize], "{arrivals:?} {i}");
        }
        let far = forward.start(MAX_INDEX - 1);
        assert!(far <= MAX_TIME && far >= all[19_999]);
    }
}

#[test]
fn the_mean_rate_is_kept() {
    for arrivals in kinds() {
        let n = 200_000;
        let lasted = (starts(arrivals).start(n) - OPENING) as f64 / 1e9;
        if lasted > 1.0 {
            let rate = n as f64 / lasted;
            assert!((rate / arrivals.mean_rate() - 1.0).abs() < 0.01, "{arrivals:?}: {rate}");
        }
    }
}

/// Returns the largest distance between the sample's distribution and `cdf`, times sqrt n. It is above 2.2 with a
/// probability of 1.2e-4.
fn kolmogorov_smirnov(mut sample: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
    sample.sort_by(f64::total_cmp);
    let n = sample.len() as f64;
    let distance = |(i, x): (usize, &f64)| (cdf(*x) - i as f64 / n).abs().max((cdf(*x) - (i + 1) as f64 / n).abs());
    sample.iter().enumerate().map(distance).fold(0.0, f64::max) * n.sqrt()
}

#[test]
fn poisson_gaps_are_exponential() {
    let mut starts = starts(Arrivals::Poisson { count: 100, per_ns: SECOND });
    let times: Vec<u64> = (0..40_000).map(|i| starts.start(i)).collect();
    assert!(times.is_sorted());
    let gaps = times.windows(2).map(|w| (w[1] - w[0]) as f64 * 1e-9).collect();
    let ks = kolmogorov_smirnov(gaps, |x| 1.0 - (-100.0 * x).exp());
    assert!(ks < 2.2, "{ks}");
}

#[test]
fn poisson_counts_vary_as_they_should() {
    let mut starts = starts(Arrivals::Poisson { count: 100, per_ns: SECOND });
    let times: Vec<u64> = (0..400_000).map(|i| starts.start(i)).collect();
    for window in [SECOND / 10, SECOND] {
        let windows = ((times[times.len() - 1] - OPENING) / window) as usize;
        let mut counts = vec![0f64; windows + 1];
        for t in &times {
            counts[((t - OPENING) / window) as usize] += 1.0;
        }
        counts.pop();
        let mean = counts.iter().sum::<f64>() / counts.len() as f64;
        let variance = counts.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / (counts.len() - 1) as f64;
        // The standard error of the ratio is sqrt(2 / windows).
        let ratio = variance / mean;
        assert!((ratio - 1.0).abs() < 4.0 * (2.0 / windows as f64).sqrt() + 0.025, "{window}: {ratio}");
    }
}

#[test]
fn gaps_of_a_lane_are_uniform_and_pairs_have_a_constant_sum() {
    let (min, max, lanes) = (SECOND / 2, 2 * SECOND, 4);
    let mut starts = starts(Arrivals::Interval { min_ns: min, max_ns: max, lanes });
    let mut gaps = vec![];
    for lane in 0..4 {
        let times: Vec<u64> = (0..5_001).map(|n| starts.start(n * 4 + lane)).collect();
        assert_eq!(times[0], OPENING + lane * (min + max) / 8, "begins without a gap");
        for pair in times.windows(3).step_by(2) {
            assert_eq!(pair[2] - pair[0], min + max);
        }
        gaps.extend(times.windows(2).step_by(2).map(|w| w[1] - w[0]));
    }
    assert!(gaps.iter().all(|g| (min..=max).contains(g)));
    let ks = kolmogorov_smirnov(gaps.iter().map(|&g| g as f64).collect(), |x| (x - min as f64) / (max - min) as f64);
    assert!(ks < 2.2, "{ks}");
    // A small range reaches both ends.
    let mut starts = self::starts(Arrivals::Interval { min_ns: 1, max_ns: 3, lanes: 1 });
    let mut seen = [0; 4];
    for n in 0..3000 {
        seen[(starts.start(2 * n + 1) - starts.start(2 * n)) as usize] += 1;
    }
    assert!(seen[0] == 0 && seen[1..].iter().all(|n| (900..1100).contains(n)), "{seen:?}");
}

#[test]
fn epochs_follow_each_other_and_are_searched_apart() {
    let mut schedule = Schedule::new(OPENING, Arrivals::Interval { min_ns: 0, max_ns: SECOND, lanes: 9 }).unwrap();
    let second = Epoch::new(1000, OPENING + 60 * SECOND, Arrivals::Even { count: 10, per_ns: SECOND });
    let mut known = Starts::new(&plan(), 1, schedule.clone(), OPENING);
    let before: Vec<u64> = (0..1000).map(|i| known.start(i)).collect();
    schedule.push_epoch(second).unwrap();
    let tag = schedule.tag_bytes();
    assert_eq!(tag, known.schedule().tag_bytes(), "later epochs leave the tag alone");
    known.update(&schedule.clone().into());
    assert_eq!(known.schedule(), &schedule);
    assert_eq!((0..1000).map(|i| known.start(i)).collect::<Vec<_>>(), before);
    assert_eq!(known.start(1000), second.opening);
    assert_eq!(known.start(1001), second.opening + SECOND / 10);
    assert_eq!(known.last_at_or_before(1005, second.opening - 1), None, "links never cross an epoch");
    assert_eq!(known.last_at_or_before(1005, second.opening), Some(1000));
    // The first epoch ends at 1000, where its lanes are not in step.
    for time in (0..130).map(|k| OPENING + k * SECOND / 2) {
        let want = (0..1000).rev().find(|&i| before[i as usize] <= time);
        assert_eq!(known.last_at_or_before(3, time), want);
    }
}

#[test]
fn unsound_schedules_are_refused() {
    for arrivals in [
        Arrivals::Even { count: 0, per_ns: 1 },
        Arrivals::Even { count: 1, per_ns: 0 },
        Arrivals::Poisson { count: 0, per_ns: 1 },
        Arrivals::Poisson { count: 1, per_ns: u64::MAX },
        Arrivals::Interval { min_ns: 2, max_ns: 1, lanes: 1 },
        Arrivals::Interval { min_ns: 0, max_ns: 0, lanes: 1 },
        Arrivals::Interval { min_ns: 0, max_ns: 1, lanes: 0 },
        Arrivals::Interval { min_ns: 0, max_ns: u64::MAX, lanes: 1 },
    ] {
        assert_eq!(Schedule::new(0, arrivals), Err(ScheduleError::Arrivals(arrivals)));
    }
    let even = Arrivals::Even { count: 1, per_ns: 1 };
    assert!(Schedule::new(MAX_TIME + 1, even).is_err());
    let mut schedule = Schedule::new(5, even).unwrap();
    schedule.push_epoch(Epoch::new(3, 9, even)).unwrap();
    assert!(schedule.push_epoch(Epoch::new(2, 9, even)).is_err());
    assert!(schedule.push_epoch(Epoch::new(4, 8, even)).is_err());
    let text = serde_json::to_string(&schedule).unwrap();
    assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), schedule);
    assert!(serde_json::from_str::<Schedule>("[]").is_err());
    assert!(serde_json::from_str::<Schedule>(&text.replace("\"first\":0", "\"first\":1")).is_err());
}
