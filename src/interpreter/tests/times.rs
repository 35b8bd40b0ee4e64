//! Tests that drawn times have their distributions.

use super::*;
use crate::plan::{Constant, DistForm, DistId, Expr, Percentile};

const MS: f64 = 1e6;
const HOUR: u64 = 3_600 * SECOND;

/// Returns the own times, in ms, of traces of one span.
fn times(n: u64, make: impl FnOnce(&mut plans::Maker) -> DistId) -> Vec<f64> {
    let mut m = plans::Maker::new();
    let time = make(&mut m);
    m.scenario("s", 1.0, &[], plans::Node { service: "a", name: "b", times: vec![time], ..Default::default() });
    let run = run(m.plan(), 77, arrivals()[0]);
    let (mut interpreter, mut trace) = (Interpreter::new(&run), Trace::default());
    (0..n)
        .map(|i| {
            interpreter.trace(i, &mut trace);
            (trace.end - trace.start) as f64 / MS
        })
        .collect()
}

fn percentile(percent: f64, ms: u64) -> Percentile {
    Percentile { percent, time: ms * MS as u64 }
}

/// Runs the Kolmogorov-Smirnov test: the sample has the distribution with this CDF, which may jump at `atoms`.
fn kolmogorov_smirnov(name: &str, mut sample: Vec<f64>, cdf: impl Fn(f64) -> f64, atoms: &[f64]) {
    sample.sort_by(f64::total_cmp);
    let n = sample.len() as f64;
    let mut distance: f64 = 0.0;
    for (i, value) in sample.iter().enumerate() {
        if atoms.contains(value) {
            continue;
        }
        let expected = cdf(*value);
        distance = distance.max(expected - i as f64 / n).max((i + 1) as f64 / n - expected);
    }
    // One in 10,000 samples deviates more.
    assert!(distance * n.sqrt() < 2.23, "{name}: {distance}");
}

fn below(z: f64) -> f64 {
    libm::erfc(-z / std::f64::consts::SQRT_2) / 2.0
}

const Z99: f64 = 2.326_347_874_040_841;

fn lognormal(ms: f64) -> f64 {
    below((ms / 5.0).ln() * Z99 / 16f64.ln())
}

fn points(ms: f64) -> f64 {
    let line = |x: f64, (a, from): (f64, f64), (b, to): (f64, f64)| from + (to - from) * (x - a) / (b - a);
    match ms {
        ms if ms < 5.0 => line(ms, (1.0, 0.0), (5.0, 0.5)),
        ms if ms < 20.0 => line(ms, (5.0, 0.5), (20.0, 0.9)),
        ms => line(ms, (20.0, 0.9), (500.0, 1.0)),
    }
}

#[test]
fn each_form_has_its_distribution() {
    let n = 50_000;
    let (ms, no) = (MS as u64, &[][..]);
    let sample = |form: DistForm, max: u64| times(n, |m| m.dist(form, max));
    let form = DistForm::Uniform { min: ms, max: 5 * ms };
    kolmogorov_smirnov("uniform", sample(form, 5 * ms), |x| (x - 1.0) / 4.0, no);
    let form = DistForm::Lognormal { low: percentile(50.0, 5), high: percentile(99.0, 80) };
    kolmogorov_smirnov("lognormal", sample(form, HOUR), lognormal, no);
    // Any two percentiles determine the distribution: the 10th and the 90th of a lognormal distribution are equally far
    // from its median.
    let form = DistForm::Lognormal { low: percentile(10.0, 2), high: percentile(90.0, 8) };
    let z90 = 1.281_551_565_544_600_4;
    kolmogorov_smirnov("lognormal", sample(form, HOUR), |x| below((x / 4.0).ln() * z90 / 2f64.ln()), no);
    let all = [percentile(0.0, 1), percentile(50.0, 5), percentile(90.0, 20), percentile(100.0, 500)];
    kolmogorov_smirnov("points", sample(DistForm::Points { points: all.into() }, 500 * ms), points, no);
    let form = DistForm::Normal { mean: 5 * ms, stddev: 5 * ms };
    kolmogorov_smirnov("normal", sample(form, HOUR), |x| below((x - 5.0) / 5.0), &[0.0]);
    let form = DistForm::Exponential { mean: 40 * ms };
    kolmogorov_smirnov("exponential", sample(form, HOUR), |x| 1.0 - (-x / 40.0).exp(), no);
    let form = DistForm::Pareto { min: 5 * ms, alpha: 1.5 };
    kolmogorov_smirnov("pareto", sample(form, HOUR), |x| 1.0 - (5.0 / x).powf(1.5), &[HOUR as f64 / MS]);
}

#[test]
fn a_mix_has_its_parts_by_their_weights_and_conditions() {
    let n = 50_000;
    let ms = MS as u64;
    let parts = |m: &mut plans::Maker| {
        let lognormal = DistForm::Lognormal { low: percentile(50.0, 5), high: percentile(99.0, 80) };
        let slow = DistForm::Uniform { min: 1_500 * ms, max: 4_000 * ms };
        (m.dist(lognormal, HOUR), m.dist(slow, 4_000 * ms))
    };
    let uniform = |x: f64| ((x - 1_500.0) / 2_500.0).clamp(0.0, 1.0);
    let sample = times(n, |m| {
        let (lognormal, slow) = parts(m);
        let weighted = [(95.0, lognormal), (5.0, slow)].into();
        m.dist(DistForm::Mix { conditional: [].into(), weighted }, HOUR)
    });
    kolmogorov_smirnov("mix", sample, |x| 0.95 * lognormal(x) + 0.05 * uniform(x), &[]);
    // The first condition that is true decides, and both conditions are drawn again each time.
    let sample = times(n, |m| {
        let (lognormal, slow) = parts(m);
        let fixed = m.dist(DistForm::Uniform { min: ms, max: ms }, ms);
        let chance = |m: &mut plans::Maker, percent| {
            m.expr(Expr::RandomBool { chance: crate::plan::Chance::from_percent(percent) })
        };
        let conditional = [(chance(m, 20.0), slow), (chance(m, 50.0), fixed)].into();
        m.dist(DistForm::Mix { conditional, weighted: [(3.0, lognormal)].into() }, HOUR)
    });
    let cdf = |x: f64| 0.2 * uniform(x) + 0.4 * f64::from(x >= 1.0) + 0.4 * lognormal(x);
    kolmogorov_smirnov("conditions", sample, cdf, &[1.0]);
}

/// The draws after a time are the same, whichever part of a mix was chosen.
#[test]
fn a_mix_takes_as_many_draws_whatever_it_picks() {
    let after = |condition: bool, weights: [f64; 2]| {
        let mut m = plans::Maker::new();
        let fixed = m.dist(DistForm::Uniform { min: 1, max: 1 }, 1);
        let drawn = m.dist(DistForm::Exponential { mean: 5 }, HOUR);
        let when = m.expr(Expr::Const { value: Constant::Bool(condition) });
        let weighted = [(weights[0], fixed), (weights[1], drawn)].into();
        let mix = m.dist(DistForm::Mix { conditional: [(when, fixed)].into(), weighted }, HOUR);
        let number = m.expr(Expr::RandomInt { min: 0, max: i64::MAX });
        let events = vec![("e", vec![("n", number)])];
        let node = plans::Node { service: "a", name: "b", times: vec![mix], events, ..Default::default() };
        m.scenario("s", 1.0, &[], node);
        let run = run(m.plan(), 3, arrivals()[0]);
        let mut trace = Trace::default();
        Interpreter::new(&run).trace(5, &mut trace);
        trace.attrs[0].value.read()
    };
    let first = format!("{:?}", after(true, [1.0, 0.0]));
    for (condition, weights) in [(true, [0.0, 1.0]), (false, [1.0, 0.0]), (false, [0.0, 1.0])] {
        assert_eq!(format!("{:?}", after(condition, weights)), first);
    }
}

#[test]
fn a_computed_time_is_never_below_0_and_never_beyond_its_end() {
    let computed = |value: Constant, max: u64| {
        let sample = times(1, |m| {
            let value = m.expr(Expr::Const { value });
            m.dist(DistForm::Computed { value, unit: MS as u64 }, max)
        });
        sample[0]
    };
    for (value, ms) in [
        (Constant::Int(40), 40.0),
        (Constant::Double(0.000_000_6), 0.000_001),
        (Constant::Int(-5), 0.0),
        (Constant::Double(f64::MIN), 0.0),
        (Constant::Double(f64::MAX), 3_600_000.0),
        (Constant::Int(i64::MAX), 3_600_000.0),
        (Constant::Bool(true), 0.0),
    ] {
        assert_eq!(computed(value.clone(), HOUR), ms, "{value:?}");
    }
    assert_eq!(computed(Constant::Int(40), 30_000_000), 30.0);
}

#[test]
fn a_time_is_cut_to_its_end() {
    let sample = times(5_000, |m| m.dist(DistForm::Pareto { min: 5_000_000, alpha: 0.01 }, 6_000_000));
    assert!(sample.iter().all(|ms| (5.0..=6.0).contains(ms)));
    assert!(sample.iter().filter(|ms| **ms == 6.0).count() > 4_900);
}
