//! Metrics in Prometheus' text format.

use super::{Kind, Metric};
use std::fmt::Write;

/// Returns the page for a scraper.
pub fn text(metrics: &[Metric]) -> String {
    let mut text = String::new();
    for metric in metrics {
        let name = name(metric);
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Summary(_) => "summary",
        };
        let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", metric.description);
        for point in &metric.points {
            let labels: Vec<String> =
                point.attributes.iter().map(|(key, value)| format!("{key}=\"{}\"", escaped(value))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(text, "{name}{labels} {}", point.value);
        }
        if let Kind::Summary(count) = metric.kind {
            let _ = writeln!(text, "{name}_count {count}");
        }
    }
    text
}

/// Returns the name of a metric in Prometheus, which includes unit and type. A unit in braces is an annotation, and left
/// out.
fn name(metric: &Metric) -> String {
    let mut name = metric.name.replace('.', "_");
    let unit = match metric.unit {
        "s" => "_seconds",
        "By" => "_bytes",
        unit if unit.ends_with("/s") => "_per_second",
        _ => "",
    };
    if !name.ends_with(unit) {
        name += unit;
    }
    if metric.kind == Kind::Counter {
        name += "_total";
    }
    name
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::Percentiles;

    #[test]
    fn a_metric_is_written_as_prometheus_reads_it() {
        let metric = Metric::new("tracegen.x", Kind::Counter, "{span}", "What it is.")
            .with([("cause", "a \"b\"\\\n"), ("of", "")], 2.5);
        let expected = "# HELP tracegen_x_total What it is.\n# TYPE tracegen_x_total counter\n\
                        tracegen_x_total{cause=\"a \\\"b\\\"\\\\\\n\",of=\"\"} 2.5\n";
        assert_eq!(text(&[metric]), expected);
        let late = Percentiles { count: 3, p50: 1_000_000_000, p99: 2_000_000_000, max: 2_500_000_000 };
        let expected = "# HELP tracegen_late_seconds How late.\n# TYPE tracegen_late_seconds summary\n\
                        tracegen_late_seconds{quantile=\"0.5\"} 1\ntracegen_late_seconds{quantile=\"0.99\"} 2\n\
                        tracegen_late_seconds{quantile=\"1\"} 2.5\ntracegen_late_seconds_count 3\n";
        assert_eq!(text(&[Metric::summary("tracegen.late", "How late.", late)]), expected);
    }

    #[test]
    fn names_carry_unit_and_type_once() {
        let written = |name, kind, unit| super::name(&Metric::new(name, kind, unit, ""));
        assert_eq!(written("tracegen.export.bytes", Kind::Counter, "By"), "tracegen_export_bytes_total");
        assert_eq!(written("tracegen.start_time", Kind::Gauge, "s"), "tracegen_start_time_seconds");
        assert_eq!(written("tracegen.target.traces", Kind::Gauge, "{trace}/s"), "tracegen_target_traces_per_second");
        assert_eq!(written("tracegen.pending.traces", Kind::Gauge, "{trace}"), "tracegen_pending_traces");
    }
}
