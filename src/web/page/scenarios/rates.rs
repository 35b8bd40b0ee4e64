//! The expected and the observed error rates of a scenario.

use crate::engine::Observed;
use crate::plan::{Expectation, Plan};
use crate::text::grouped;
use crate::web::palette::Palette;

/// The normal quantile of the 95 % interval.
const Z: f64 = 1.959_963_984_540_054;

/// A table of rates with a common scale.
pub struct Rates {
    pub rows: Vec<Rate>,
    /// The labels of the scale at 0, 25, 50, 75 and 100 % of its width.
    pub ticks: Vec<String>,
}

/// The rate of one error condition.
pub struct Rate {
    pub service: String,
    pub class: &'static str,
    /// The row above belongs to the same span.
    pub repeated: bool,
    pub operation: String,
    pub error: String,
    pub runs: String,
    pub hits: String,
    /// The expected rate in per cent, and its position on the scale in per cent of the width; `None` if it depends on
    /// times.
    pub expected: Option<(String, f64)>,
    /// The observed rate; `None` if the span has not run yet.
    pub observed: Option<Seen>,
}

pub struct Seen {
    /// The rate in per cent.
    pub share: String,
    /// The position on the scale, in per cent of the width.
    pub at: f64,
    pub low: f64,
    pub high: f64,
    pub within: bool,
}

/// Returns the Wilson interval, at 95 %, of a probability with `hits` in `runs`.
pub fn interval(hits: u64, runs: u64) -> (f64, f64) {
    let (n, p) = (runs as f64, hits as f64 / runs as f64);
    let scale = 1.0 + Z * Z / n;
    let middle = (p + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    // At the ends the interval is exact, which rounding would miss.
    let low = if hits == 0 { 0.0 } else { middle - half };
    let high = if hits == runs { 1.0 } else { middle + half };
    (low, high)
}

pub fn rates(plan: &Plan, expectation: &Expectation, observed: Option<&Observed>, palette: &Palette) -> Rates {
    let (observed, mut figures) = (observed.map(Observed::by_block).unwrap_or_default(), vec![]);
    for block in &expectation.blocks {
        let seen = observed.get(&block.block);
        for (n, at) in block.hits.iter().enumerate() {
            let hits = observed.get(&at.block).map_or(0, |b| b.hits_at(at.pc));
            figures.push((block.block, n, at, seen.map_or(0, |b| b.runs), hits));
        }
    }
    let top = figures.iter().map(|(_, _, at, runs, hits)| {
        let share = at.share.unwrap_or(0.0);
        if *runs == 0 {
            return share;
        }
        // With few runs the interval is wide, and must not make all others small.
        let top = share.max(*hits as f64 / *runs as f64);
        interval(*hits, *runs).1.min(2.5 * top)
    });
    let scale = Scale::up_to(100.0 * top.fold(0.0, f64::max));
    let rows = figures.into_iter().map(|(id, n, at, runs, hits)| {
        let service = plan.service_of(id);
        let seen = (runs > 0).then(|| {
            let (low, high) = interval(hits, runs);
            let share_seen = hits as f64 / runs as f64;
            Seen {
                share: percent(share_seen),
                at: scale.at(share_seen),
                low: scale.at(low),
                high: scale.at(high),
                within: at.share.is_none_or(|share| (low..=high).contains(&share)),
            }
        });
        Rate {
            service: service.into(),
            class: palette.class(service),
            repeated: n > 0,
            operation: plan.block_name(id),
            error: plan.failure_name(at.block, at.pc),
            runs: grouped(runs),
            hits: grouped(hits),
            expected: at.share.map(|share| (percent(share), scale.at(share))),
            observed: seen,
        }
    });
    Rates { rows: rows.collect(), ticks: scale.ticks() }
}

/// Formats a share in per cent with two decimals.
fn percent(share: f64) -> String {
    format!("{:.2}", share * 100.0)
}

/// A scale from 0 to four steps, in per cent.
struct Scale {
    step: f64,
}

impl Scale {
    fn up_to(percent: f64) -> Scale {
        const STEPS: [f64; 9] = [0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 15.0, 25.0];
        let step = STEPS.into_iter().find(|step| step * 4.0 >= percent);
        Scale { step: step.unwrap_or(25.0) }
    }

    fn at(&self, share: f64) -> f64 {
        // A tenth of a per cent of the width is less than a pixel.
        (share * 100.0 / (self.step * 4.0) * 1000.0).round().clamp(0.0, 1000.0) / 10.0
    }

    fn ticks(&self) -> Vec<String> {
        let tick = |n: u32| format!("{}", f64::from(n) * self.step);
        (0..4).map(tick).chain([format!("{} %", self.step * 4.0)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_wilson() {
        let near = |(low, high): (f64, f64), expected: (f64, f64)| {
            assert!((low - expected.0).abs() < 5e-5 && (high - expected.1).abs() < 5e-5, "{low} {high}");
        };
        // These are the values of the textbook.
        near(interval(10, 100), (0.0552, 0.1744));
        near(interval(0, 10), (0.0, 0.2775));
        near(interval(5, 5), (0.5655, 1.0));
    }

    #[test]
    fn the_scale_has_round_steps_and_room() {
        let ticks = |percent| Scale::up_to(percent).ticks().join(" ");
        assert_eq!(ticks(10.0), "0 3 6 9 12 %");
        assert_eq!(ticks(0.0), "0 0.25 0.5 0.75 1 %");
        assert_eq!(ticks(100.0), "0 25 50 75 100 %");
        assert_eq!(Scale::up_to(10.0).at(0.03), 25.0);
        assert_eq!(Scale::up_to(10.0).at(0.9), 100.0);
    }
}
