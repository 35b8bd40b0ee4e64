//! The table of services: rate, errors and durations, with the operations of each service below it.

use super::{Choice, is_hot, part, rate, traces_of};
use crate::store::{Figures, Percentiles, ServiceReport, ServicesReport};
use crate::text::{grouped, three_figures};
use crate::web::format::named;
use crate::web::palette::Palette;
use std::cmp::Ordering;
use std::fmt::Write;

/// The number of points of a sparkline.
const POINTS: usize = 40;
const WIDTH: f64 = 96.0;
const BOTTOM: f64 = 20.5;
const TOP: f64 = 1.5;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    Name,
    #[default]
    Rate,
    Errors,
    P50,
    P95,
    P99,
}

impl Sort {
    const ALL: [Sort; 6] = [Sort::Name, Sort::Rate, Sort::Errors, Sort::P50, Sort::P95, Sort::P99];

    /// Returns the column with this name; an unknown name gives the default.
    pub fn named(name: &str) -> Sort {
        Sort::ALL.into_iter().find(|sort| sort.name() == name).unwrap_or_default()
    }

    pub fn name(self) -> &'static str {
        match self {
            Sort::Name => "name",
            Sort::Rate => "rate",
            Sort::Errors => "errors",
            Sort::P50 => "p50",
            Sort::P95 => "p95",
            Sort::P99 => "p99",
        }
    }

    fn heading(self) -> &'static str {
        match self {
            Sort::Name => "Service",
            Sort::Rate => "Spans/s",
            Sort::Errors => "Errors %",
            Sort::P50 => "p50 ms",
            Sort::P95 => "p95 ms",
            Sort::P99 => "p99 ms",
        }
    }

    /// Compares two rows. Names ascend, figures descend.
    fn compare(self, a: (&str, &Figures), b: (&str, &Figures)) -> Ordering {
        let failed = |f: &Figures| part(f.errors, f.spans);
        let by_figure = match self {
            Sort::Name => Ordering::Equal,
            Sort::Rate => b.1.spans.cmp(&a.1.spans),
            Sort::Errors => failed(b.1).total_cmp(&failed(a.1)),
            Sort::P50 => b.1.percentiles.p50.cmp(&a.1.percentiles.p50),
            Sort::P95 => b.1.percentiles.p95.cmp(&a.1.percentiles.p95),
            Sort::P99 => b.1.percentiles.p99.cmp(&a.1.percentiles.p99),
        };
        by_figure.then_with(|| a.0.cmp(b.0))
    }
}

pub struct Table {
    pub columns: Vec<Column>,
    pub ticks: Vec<Tick>,
    /// The rows; empty if nothing has the searched name.
    pub rows: Vec<Row>,
}

pub struct Column {
    pub heading: &'static str,
    pub figures: bool,
    pub link: String,
    /// The `aria-sort` attribute.
    pub sorted: &'static str,
    pub arrow: &'static str,
}

/// A tick of the axis of durations.
pub struct Tick {
    /// The position in per cent.
    pub at: String,
    pub text: String,
    pub anchor: &'static str,
}

pub struct Row {
    pub name: String,
    pub class: &'static str,
    /// A link: for a service, it toggles its operations; for an operation, it leads to its traces.
    pub link: String,
    /// Whether the service's operations are shown; `None` for an operation.
    pub open: Option<bool>,
    pub rate: String,
    pub rates: String,
    pub errors: String,
    pub shares: String,
    pub hot: bool,
    pub p50: String,
    pub p95: String,
    pub p99: String,
    /// The position of p50 on the axis, in per cent.
    pub from: String,
    pub to: String,
}

impl Table {
    pub fn of(report: &ServicesReport, palette: &Palette, choice: &Choice) -> Table {
        let search = choice.search.to_lowercase();
        let found = |name: &str| name.to_lowercase().contains(&search);
        let compare = |a: (&str, &Figures), b: (&str, &Figures)| {
            let order = choice.sort.compare(a, b);
            if choice.reversed { order.reverse() } else { order }
        };
        let mut services: Vec<&ServiceReport> = report
            .services
            .iter()
            .filter(|service| found(&service.name) || service.operations.iter().any(|o| found(&o.name)))
            .collect();
        services.sort_by(|a, b| compare((&a.name, &a.figures), (&b.name, &b.figures)));

        let axis = Axis::of(report.services.iter().flat_map(|service| {
            std::iter::once(&service.figures).chain(service.operations.iter().map(|o| &o.figures))
        }));
        let sparks = Sparks::of(report);
        let row = |name: &str, figures: &Figures, class| Row::new(name, figures, class, report.covered, &axis, &sparks);
        let mut rows = vec![];
        for service in services {
            let class = palette.class(&service.name);
            let whole = found(&service.name);
            // Operations that match the search are shown.
            let open = choice.open.contains(&service.name) || !whole;
            let link = choice.toggled(&service.name);
            rows.push(Row { link, open: Some(open), ..row(named(&service.name), &service.figures, class) });
            if open {
                let mut operations: Vec<_> = service.operations.iter().filter(|o| whole || found(&o.name)).collect();
                operations.sort_by(|a, b| compare((&a.name, &a.figures), (&b.name, &b.figures)));
                rows.extend(operations.into_iter().map(|operation| Row {
                    link: traces_of(&service.name, Some(&operation.name)),
                    ..row(named(&operation.name), &operation.figures, class)
                }));
            }
        }
        Table { columns: Sort::ALL.map(|sort| Column::new(sort, choice)).into(), ticks: axis.ticks(), rows }
    }
}

impl Column {
    fn new(sort: Sort, choice: &Choice) -> Column {
        let up = (sort == Sort::Name) != choice.reversed;
        let (sorted, arrow) = match choice.sort == sort {
            false => ("none", ""),
            true if up => ("ascending", " ↑"),
            true => ("descending", " ↓"),
        };
        let link = choice.sorted_by(sort);
        Column { heading: sort.heading(), figures: sort != Sort::Name, link, sorted, arrow }
    }
}

impl Row {
    fn new(name: &str, figures: &Figures, class: &'static str, covered: u64, axis: &Axis, sparks: &Sparks) -> Row {
        let failed = part(figures.errors, figures.spans);
        let Percentiles { p50, p95, p99 } = figures.percentiles;
        Row {
            name: name.into(),
            class,
            link: String::new(),
            open: None,
            rate: rate(figures.spans, covered),
            rates: sparks.rates(figures),
            errors: format!("{:.1}", failed * 100.0),
            shares: sparks.shares(figures),
            hot: is_hot(figures.errors, figures.spans),
            p50: milliseconds(p50),
            p95: milliseconds(p95),
            p99: milliseconds(p99),
            from: format!("{:.1}", axis.at(p50)),
            to: format!("{:.1}", axis.at(p99)),
        }
    }
}

/// The common properties of a table's sparklines.
struct Sparks {
    /// The first bucket with any spans.
    first: usize,
    /// The largest share of errors in a bucket, at least a tenth.
    worst: f64,
}

impl Sparks {
    fn of(report: &ServicesReport) -> Sparks {
        let begin = |s: &ServiceReport| s.figures.series.iter().position(|(spans, _)| *spans > 0);
        let first = report.services.iter().filter_map(begin).min().unwrap_or(0);
        let sparks = Sparks { first, worst: 0.1 };
        let shares = report.services.iter().flat_map(|s| sparks.over(&s.figures)).map(|b| part(b.1, b.0));
        Sparks { worst: shares.fold(0.1, f64::max), ..sparks }
    }

    /// Returns the completed buckets from `first` on; the last one is not complete.
    fn over<'a>(&self, figures: &'a Figures) -> &'a [(u64, u64)] {
        let buckets = figures.series.get(self.first..).unwrap_or_default();
        buckets.split_last().map_or(&[], |(_, over)| over)
    }

    fn rates(&self, figures: &Figures) -> String {
        let rates: Vec<f64> = self.over(figures).iter().map(|bucket| bucket.0 as f64).collect();
        spark(&rates, rates.iter().copied().fold(0.0, f64::max))
    }

    fn shares(&self, figures: &Figures) -> String {
        let shares: Vec<f64> = self.over(figures).iter().map(|bucket| part(bucket.1, bucket.0)).collect();
        spark(&shares, self.worst)
    }
}

/// Returns an SVG path through values from 0 to `most`; with many values, each point is the mean of a few.
fn spark(values: &[f64], most: f64) -> String {
    let group = values.len().div_ceil(POINTS).max(1);
    let means: Vec<f64> = values.chunks(group).map(|c| c.iter().sum::<f64>() / c.len() as f64).collect();
    let step = WIDTH / (means.len().max(2) - 1) as f64;
    let mut path = String::new();
    for (i, mean) in means.iter().enumerate() {
        let height = if most == 0.0 { 0.0 } else { (mean / most).min(1.0) };
        let (command, x, y) = (if i == 0 { 'M' } else { 'L' }, i as f64 * step, BOTTOM - height * (BOTTOM - TOP));
        let _ = write!(path, "{command}{x:.0} {y:.1}");
    }
    path
}

/// Formats ns in milliseconds: `9.81`, `1,234`.
fn milliseconds(ns: u64) -> String {
    match ns as f64 / 1e6 {
        ms if ms >= 999.5 => grouped(ms.round() as u64),
        ms => three_figures(ms),
    }
}

/// A logarithmic axis of durations with whole decades.
struct Axis {
    /// The exponent of the axis's beginning, as a power of ten in ns.
    first: i32,
    last: i32,
}

impl Axis {
    fn of<'a>(figures: impl Iterator<Item = &'a Figures>) -> Axis {
        let (mut least, mut most) = (u64::MAX, 1);
        for percentiles in figures.filter(|f| f.spans > 0).map(|f| f.percentiles) {
            (least, most) = (least.min(percentiles.p50.max(1)), most.max(percentiles.p99));
        }
        let first = (least.min(most) as f64).log10().floor() as i32;
        Axis { first, last: ((most as f64).log10().ceil() as i32).max(first + 1) }
    }

    /// Returns the position of a duration in per cent.
    fn at(&self, ns: u64) -> f64 {
        let decades = (self.last - self.first) as f64;
        (((ns.max(1) as f64).log10() - self.first as f64) / decades * 100.0).clamp(0.0, 100.0)
    }

    fn ticks(&self) -> Vec<Tick> {
        let decades = (self.last - self.first) as f64;
        let text = |power: i32| match power - 6 {
            ms @ 0.. => grouped(10u64.pow(ms as u32)),
            ms => format!("{:.*}", -ms as usize, 10f64.powi(ms)),
        };
        let tick = |power| Tick {
            at: format!("{:.1}", (power - self.first) as f64 / decades * 100.0),
            text: match self.last - power {
                0 => format!("{} ms", text(power)),
                // The last label needs the room, as do the long ones on a long axis.
                1 if decades > 3.0 => String::new(),
                below if decades > 6.0 && below % 3 != 0 => String::new(),
                _ => text(power),
            },
            anchor: match power {
                p if p == self.first => "start",
                p if p == self.last => "end",
                _ => "middle",
            },
        };
        (self.first..=self.last).map(tick).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::OperationReport;

    const MS: u64 = 1_000_000;

    fn figures(spans: u64, errors: u64, p50: u64) -> Figures {
        let percentiles = Percentiles { p50: p50 * MS, p95: p50 * MS * 2, p99: p50 * MS * 3 };
        Figures { spans, errors, percentiles, series: vec![(spans / 2, 0), (spans / 2, errors), (1, 1)] }
    }

    fn report() -> ServicesReport {
        let operation = |name: &str, figures| OperationReport { name: name.into(), figures };
        let service = |name: &str, figures, operations| ServiceReport { name: name.into(), figures, operations };
        ServicesReport {
            covered: 10_000 * MS,
            services: vec![
                service("cart", figures(100, 0, 20), vec![operation("GET /cart", figures(100, 0, 20))]),
                service(
                    "pay",
                    figures(50, 10, 300),
                    vec![operation("charge", figures(30, 10, 300)), operation("refund", figures(20, 0, 9))],
                ),
            ],
            ..ServicesReport::default()
        }
    }

    fn names(choice: Choice) -> Vec<String> {
        let palette = Palette::of(&crate::plan::fixture::plan());
        Table::of(&report(), &palette, &choice).rows.into_iter().map(|row| row.name).collect()
    }

    #[test]
    fn rows_are_sorted_and_opened() {
        assert_eq!(names(Choice::default()), ["cart", "pay"]);
        assert_eq!(names(Choice { reversed: true, ..Choice::default() }), ["pay", "cart"]);
        for sort in [Sort::Errors, Sort::P50, Sort::P95, Sort::P99] {
            assert_eq!(names(Choice { sort, ..Choice::default() }), ["pay", "cart"]);
        }
        let open = vec!["pay".to_string()];
        assert_eq!(names(Choice { open: open.clone(), ..Choice::default() }), ["cart", "pay", "charge", "refund"]);
        let by_p50 = Choice { sort: Sort::P50, reversed: true, open, ..Choice::default() };
        assert_eq!(names(by_p50), ["cart", "pay", "refund", "charge"]);
    }

    #[test]
    fn a_search_finds_services_and_operations() {
        let search = |text: &str| names(Choice { search: text.into(), ..Choice::default() });
        assert_eq!(search("CART"), ["cart"]);
        assert_eq!(search("refund"), ["pay", "refund"]);
        assert_eq!(search("nothing"), [""; 0]);
    }

    #[test]
    fn the_axis_has_whole_decades() {
        let report = report();
        let axis = Axis::of(report.services.iter().map(|s| &s.figures));
        let ticks: Vec<String> = axis.ticks().into_iter().map(|t| format!("{} {}", t.at, t.text)).collect();
        assert_eq!(ticks, ["0.0 10", "50.0 100", "100.0 1,000 ms"]);
        assert_eq!(axis.at(100 * MS), 50.0);
        let small = Axis { first: 3, last: 5 };
        assert_eq!(small.ticks().into_iter().map(|t| t.text).collect::<Vec<_>>(), ["0.001", "0.01", "0.1 ms"]);
        assert!(Axis::of([].into_iter()).ticks().len() >= 2);
        let wide = Axis { first: 5, last: 10 }.ticks();
        assert_eq!(wide.into_iter().map(|t| t.text).collect::<Vec<_>>(), ["0.1", "1", "10", "100", "", "10,000 ms"]);
        let widest = Axis { first: 0, last: 8 }.ticks().into_iter().map(|t| t.text).collect::<Vec<_>>();
        assert_eq!(widest, ["", "", "0.0001", "", "", "0.1", "", "", "100 ms"]);
    }

    #[test]
    fn a_spark_shows_completed_buckets() {
        assert_eq!(spark(&[0.0, 10.0], 10.0), "M0 20.5L96 1.5");
        assert_eq!(spark(&[1.0; 90], 1.0).matches('L').count(), 29);
        assert_eq!(spark(&[], 1.0), "");
        let mut report = report();
        for service in &mut report.services {
            service.figures.series.splice(0..0, [(0, 0); 5]);
        }
        let sparks = Sparks::of(&report);
        assert_eq!((sparks.first, sparks.worst), (5, 0.4));
        assert_eq!(sparks.shares(&report.services[1].figures), "M0 20.5L96 1.5");
        assert_eq!(sparks.rates(&report.services[1].figures), "M0 1.5L96 1.5");
        assert_eq!(sparks.rates(&Figures::default()), "");
    }
}
