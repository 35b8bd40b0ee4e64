//! The chart of the rate in the last quarter of an hour.

use crate::engine::SessionState;
use crate::text::three_figures;
use crate::web::App;
use crate::web::format::stamp;
use crate::web::incidents;
use crate::web::page::bands::Bands;
use std::fmt::Write;

/// The width of the drawing; the largest rate is a quarter below its upper edge.
const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 72.0;
const PEAK: f64 = 54.0;
/// The length of a bucket in ns.
const BUCKET: u64 = 10_000_000_000;
/// The number of labels on the axis, without the last one.
const LABELS: u64 = 5;

pub struct Chart {
    /// The path of the line; empty if there is none to draw yet.
    pub line: String,
    /// The height of the target.
    pub target: String,
    pub labels: Vec<String>,
    /// A description for people who do not see the chart.
    pub summary: String,
    /// The incidents that were in force.
    pub bands: Bands,
}

impl Chart {
    pub fn of(app: &App, state: &SessionState) -> Chart {
        let chart = draw(&state.rates, state.rates_from, state.target_rate);
        let (from, to) = (state.rates_from, state.rates_from + state.rates.len().saturating_sub(1) as u64 * BUCKET);
        let bands = Bands::new(&incidents::episodes(app, from, to), from, to);
        Chart { summary: chart.summary + &bands.words(), bands, ..chart }
    }
}

/// Draws the chart. The last bucket is not complete.
fn draw(buckets: &[u64], from: u64, target: f64) -> Chart {
    let over = buckets.split_last().map_or(&[][..], |(_, over)| over);
    let rates: Vec<f64> = over.iter().map(|traces| *traces as f64 * 1e9 / BUCKET as f64).collect();
    let most = rates.iter().copied().fold(target, f64::max).max(f64::MIN_POSITIVE);
    let height = |rate: f64| format!("{:.1}", HEIGHT - rate / most * PEAK);
    let mut line = String::new();
    if rates.len() > 1 {
        for (i, rate) in rates.iter().enumerate() {
            let x = i as f64 * WIDTH / (rates.len() - 1) as f64;
            let _ = write!(line, "{}{x:.0} {}", if i == 0 { 'M' } else { 'L' }, height(*rate));
        }
    }
    let length = rates.len() as u64 * BUCKET;
    let format = if length < 300_000_000_000 { "%H:%M:%S" } else { "%H:%M" };
    let least = rates.iter().copied().fold(f64::INFINITY, f64::min).min(most);
    let greatest = rates.iter().copied().fold(0.0, f64::max);
    Chart {
        line,
        target: height(target),
        labels: (0..LABELS).map(|i| stamp(from + length * i / LABELS, format)).collect(),
        summary: format!(
            "Achieved rate over {} min: {} to {} a second, the target is {}",
            (length / 1_000_000_000).div_ceil(60),
            three_figures(least),
            three_figures(greatest),
            three_figures(target)
        ),
        bands: Bands::new(&[], 0, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_goes_through_completed_buckets() {
        let chart = draw(&[120, 40, 120, 7], 0, 12.0);
        assert_eq!(chart.line, "M0 18.0L450 54.0L900 18.0");
        assert_eq!((chart.target.as_str(), chart.labels[0].as_str()), ("18.0", "00:00:00"));
        assert_eq!(chart.summary, "Achieved rate over 1 min: 4.00 to 12.0 a second, the target is 12.0");
    }

    #[test]
    fn there_is_no_line_without_two_points() {
        for buckets in [&[][..], &[3], &[3, 4]] {
            assert_eq!(draw(buckets, 0, 0.0).line, "");
        }
        assert_eq!(draw(&[0, 0, 0], 0, 0.0).line, "M0 72.0L900 72.0");
    }
}
