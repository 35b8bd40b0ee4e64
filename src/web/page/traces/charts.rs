//! The arrivals over time, and the histogram of durations with the brush over it.

use crate::store::{Arrivals, DurationBins, Overview, Percentiles};
use crate::text;
use crate::web::format;
use crate::web::page::bands::Bands;
use std::fmt::Write;

/// The height in px; charts stretch horizontally.
const HEIGHT: f64 = 64.0;
const WIDTH: f64 = 900.0;
const SECOND: u64 = 1_000_000_000;

pub struct ArrivalsChart {
    /// The length of a bucket, such as `10 s`.
    pub step: String,
    /// The path of all arrivals.
    pub all: String,
    pub failed: String,
    pub axis: Vec<String>,
    pub rate: String,
    pub share: String,
    /// Only kept traces were counted, and there may have been more.
    pub kept_only: bool,
    /// The incidents that were in force.
    pub bands: Bands,
    pub label: String,
}

impl ArrivalsChart {
    /// Makes the chart. `end` is that of the time range in ns since 1970; `live`: it is now.
    pub fn new(overview: &Overview, end: u64, live: bool, bands: Bands) -> ArrivalsChart {
        let Arrivals { from, step, buckets } = &overview.arrivals;
        let most = buckets.iter().map(|b| b.0).max().unwrap_or(0).max(1) as f64;
        let pitch = WIDTH / buckets.len().max(1) as f64;
        let bars = |count_of: fn(&(u64, u64)) -> u64| {
            let mut path = String::new();
            for (i, bucket) in buckets.iter().enumerate().filter(|(_, b)| count_of(b) > 0) {
                bar(&mut path, i as f64 * pitch, pitch, count_of(bucket) as f64 / most);
            }
            path
        };
        let first = buckets.iter().position(|b| b.0 > 0).unwrap_or(0) as u64;
        let covered = end.saturating_sub(from + first * step).max(SECOND) as f64 / SECOND as f64;
        let rate = format!("{}/s", text::three_figures(overview.traces as f64 / covered));
        let share = format::share(overview.errors, overview.traces);
        let axis = times(*from, *step, buckets.len(), live);
        let label = format!(
            "{} {}traces from {} to {}, at most {most} per {}; {share} with errors{}",
            text::grouped(overview.traces),
            if overview.kept_only { "kept " } else { "" },
            axis.first().map_or("", |t| t),
            axis.last().map_or("", |t| t),
            format::length(*step),
            bands.words(),
        );
        ArrivalsChart {
            step: format::length(*step),
            all: bars(|b| b.0),
            failed: bars(|b| b.1),
            axis,
            rate,
            share,
            kept_only: overview.kept_only,
            bands,
            label,
        }
    }
}

/// Adds a bar to a path, standing on the ground; `part` is its share of the height.
fn bar(path: &mut String, x: f64, pitch: f64, part: f64) {
    let (left, width, height) = (x + pitch * 0.1, pitch * 0.8, (part * (HEIGHT - 2.0)).max(1.0));
    let _ = write!(path, "M{left:.1} {HEIGHT}v-{height:.1}h{width:.1}V{HEIGHT}z");
}

/// Returns six times along a series; the last is its end.
fn times(from: u64, step: u64, buckets: usize, live: bool) -> Vec<String> {
    const LABELS: u64 = 5;
    let length = step * buckets as u64;
    let pattern = match length / SECOND {
        0..600 => "%H:%M:%S",
        600..86_400 => "%H:%M",
        _ => "%m-%d %H:%M",
    };
    let at = |i| format::stamp(from + length * i / LABELS, pattern);
    let mut times: Vec<String> = (0..=LABELS).map(at).collect();
    if live {
        times[LABELS as usize] = "now".into();
    }
    times
}

pub struct DurationsChart {
    pub percentiles: Vec<(&'static str, String)>,
    /// The path of the bars within the brush.
    pub inside: String,
    pub outside: String,
    /// The labels: position, anchor, text.
    pub axis: Vec<(String, &'static str, String)>,
    /// The beginning of the axis as log10 of ns.
    pub low: f64,
    pub high: f64,
    pub grips: [Grip; 2],
    pub brushed: bool,
    pub label: String,
}

/// A handle of the brush.
pub struct Grip {
    pub name: &'static str,
    pub label: &'static str,
    pub x: String,
    /// The value as log10 of ns.
    pub value: f64,
    pub text: String,
}

impl DurationsChart {
    /// Makes the histogram. `brush` holds the selected minimum and maximum duration in ns.
    pub fn new(
        bins: &DurationBins,
        percentiles: Option<Percentiles>,
        brush: (Option<u64>, Option<u64>),
    ) -> DurationsChart {
        let log = |ns: u64| (ns.max(1) as f64).log10();
        let at = |bin: u16| bin as f64 / DurationBins::PER_DECADE;
        let edges = bins
            .bins
            .iter()
            .flat_map(|(bin, _)| [at(*bin), at(bin + 1)])
            .chain([brush.0, brush.1].into_iter().flatten().map(log));
        let (mut low, mut high) = edges.fold((f64::MAX, f64::MIN), |(low, high), e| (low.min(e), high.max(e)));
        if low > high {
            (low, high) = (6.0, 9.0);
        }
        // There is a margin of a bin on both sides, and at least a decade in all.
        let bin = 1.0 / DurationBins::PER_DECADE;
        let air = ((1.0 - (high - low)) / 2.0).max(bin);
        (low, high) = (low - air, high + air);
        let x = |log: f64| (log - low) / (high - low);
        let (from, to) = (brush.0.map_or(low, log), brush.1.map_or(high, log));
        let most = bins.bins.iter().map(|b| b.1).max().unwrap_or(1).max(1) as f64;
        let (mut inside, mut outside) = (String::new(), String::new());
        for (b, count) in &bins.bins {
            let middle = at(*b) + bin / 2.0;
            let path = if (from..=to).contains(&middle) { &mut inside } else { &mut outside };
            bar(path, x(at(*b)) * WIDTH, bin / (high - low) * WIDTH, *count as f64 / most);
        }
        let grip = |name, label, value: f64| Grip {
            name,
            label,
            x: format::percent(x(value), 1.0),
            value,
            text: text::duration(10f64.powf(value).round() as u64),
        };
        let total = bins.bins.iter().map(|b| b.1).sum();
        let [p50, p95, p99] = percentiles.map_or([0; 3], |p| [p.p50, p.p95, p.p99]).map(text::duration);
        DurationsChart {
            label: format!(
                "Histogram of {} durations from {} to {}",
                text::grouped(total),
                grip("", "", low).text,
                grip("", "", high).text
            ),
            percentiles: match percentiles {
                Some(_) => vec![("p50", p50), ("p95", p95), ("p99", p99)],
                None => vec![],
            },
            inside,
            outside,
            axis: ticks(low, high).map(|log| (format::percent(x(log), 1.0), anchor(x(log)), unit(log))).collect(),
            low,
            high,
            grips: [grip("min", "Shortest duration", from), grip("max", "Longest duration", to)],
            brushed: brush != (None, None),
        }
    }
}

/// Returns the decades, with steps between them if there is only one.
fn ticks(low: f64, high: f64) -> impl Iterator<Item = f64> {
    let parts: &[f64] = if high - low < 1.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let decades = low.floor() as i32..=high.ceil() as i32;
    let all = decades.flat_map(move |d| parts.iter().map(move |p| d as f64 + p.log10()));
    all.filter(move |log| (low..=high).contains(log))
}

/// Returns the anchor with which a label at the edge stays within the chart.
fn anchor(x: f64) -> &'static str {
    match x {
        x if x < 0.04 => "start",
        x if x > 0.96 => "end",
        _ => "middle",
    }
}

/// Formats a log10 of ns, such as `10 ms`.
fn unit(log: f64) -> String {
    let (value, unit) = match 10f64.powf(log) * 1.000_001 {
        v if v < 1e3 => (v, "ns"),
        v if v < 1e6 => (v / 1e3, "µs"),
        v if v < 1e9 => (v / 1e6, "ms"),
        v if v < 60e9 => (v / 1e9, "s"),
        v => (v / 60e9, "min"),
    };
    format!("{value:.0} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> Bands {
        Bands::new(&[], 0, 1)
    }

    #[test]
    fn arrivals_begin_with_the_first_non_empty_bucket() {
        let overview = Overview {
            traces: 30,
            errors: 3,
            arrivals: Arrivals { from: 0, step: 10 * SECOND, buckets: vec![(0, 0), (10, 0), (20, 3)] },
            ..Overview::default()
        };
        let chart = ArrivalsChart::new(&overview, 30 * SECOND, true, none());
        assert_eq!((chart.rate.as_str(), chart.share.as_str(), chart.step.as_str()), ("1.50/s", "10.0 %", "10 s"));
        assert_eq!(chart.all, "M330.0 64v-31.0h240.0V64zM630.0 64v-62.0h240.0V64z");
        assert_eq!(chart.failed, "M630.0 64v-9.3h240.0V64z");
        assert_eq!(chart.axis, ["00:00:00", "00:00:06", "00:00:12", "00:00:18", "00:00:24", "now"]);
        assert!(!chart.kept_only && chart.label.starts_with("30 traces from "));
        let kept = ArrivalsChart::new(&Overview { kept_only: true, ..overview }, 30 * SECOND, true, none());
        assert!(kept.kept_only && kept.label.starts_with("30 kept traces from "));
        let none = ArrivalsChart::new(&Overview::default(), 0, false, none());
        assert_eq!((none.rate.as_str(), none.all.as_str()), ("0.00/s", ""));
    }

    #[test]
    fn the_brush_divides_the_bins() {
        let bins = DurationBins { bins: vec![(96, 5), (112, 10), (128, 1)] };
        let chart = DurationsChart::new(&bins, None, (Some(5_000_000), None));
        assert_eq!((chart.outside.matches('M').count(), chart.inside.matches('M').count()), (1, 2));
        assert_eq!((chart.low, chart.high), (6.0 - 0.0625, 8.0625 + 0.0625));
        let labels: Vec<&str> = chart.axis.iter().map(|(_, _, text)| text.as_str()).collect();
        assert_eq!(labels, ["1 ms", "10 ms", "100 ms"]);
        assert_eq!((chart.grips[0].text.as_str(), chart.grips[1].x.as_str()), ("5.00 ms", "100%"));
        assert!(chart.brushed);
    }

    #[test]
    fn few_or_no_durations_still_have_an_axis() {
        let one = DurationsChart::new(&DurationBins { bins: vec![(112, 1)] }, None, (None, None));
        assert!((one.high - one.low - 1.0).abs() < 1e-9 && one.axis.len() >= 2);
        let none = DurationsChart::new(&DurationBins::default(), None, (None, None));
        assert_eq!((none.inside.as_str(), none.brushed), ("", false));
        assert_eq!(unit(0.0), "1 ns");
        assert_eq!(unit(9.0), "1 s");
    }
}
