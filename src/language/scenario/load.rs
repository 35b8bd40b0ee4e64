//! The field `load`: when traces start, at a rate or by a timetable.

use super::dist::{self, Dist};
use super::fields::{Context, Fields};
use super::{Scalar, number, table};
use crate::language::diagnostic::{Diagnostic, Problem, Role, short};
use crate::language::source::Loc;
use crate::language::yaml::{Core, Entry, Kind, Node, core, is_template};
use crate::text::quantity;

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;
/// The longest time that all stages of a load take together: 100 years in ns.
const LONGEST: u64 = 100 * 366 * DAY;
/// The least rate above 0, and the highest, in traces per second.
const RATES: std::ops::RangeInclusive<f64> = 1e-3 / 86_400.0..=1e8;
/// The shortest time between two starts of a scheduled job: 1 ms.
const SHORTEST_PERIOD: u64 = 1_000_000;

const FIELDS: [&str; 7] = ["rate", "arrivals", "stages", "cycle", "every", "at", "jitter_ms"];
const RATE: &str = "traces per second, minute, hour or day, as 40/s, 100/m, 1/h or 1/d";
const DURATION: &str = "a duration, as 30s, 10m, 1h30m or 7d";

/// When traces start.
#[derive(Clone, Debug)]
pub struct Load {
    pub form: Form,
    pub loc: Loc,
}

#[derive(Clone, Debug)]
pub enum Form {
    /// Traces arrive at a rate.
    Rate {
        /// Whether they arrive at random, and not evenly.
        poisson: bool,
        /// The rates at points in time, between which they change evenly, in the order of their times: the first at 0, and at
        /// most two at one time. Some rate is above 0.
        points: Vec<Point>,
        /// The length in ns of the cycle in which the points repeat; the last one is at its end.
        cycle: Option<u64>,
    },
    /// One trace starts each `every` ns, first at `at`, which is less, in ns since 1970.
    Job {
        every: u64,
        at: u64,
        /// The time by which a start is later: a distribution without expressions and parts, shorter than `every`.
        jitter: Option<Dist>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The time in ns.
    pub at: u64,
    /// The rate in traces per second.
    pub rate: f64,
}

/// A stage: within `time` ns the rate changes evenly from the one before to `rate`.
struct Stage {
    time: u64,
    rate: f64,
}

/// Reads a load, of a file or a scenario.
pub(super) fn load(cx: &mut Context, node: &Node) -> Option<Load> {
    if let Kind::Scalar { text, .. } = &node.kind
        && !node.is_null()
    {
        let instead = parse_rate(text).map(|_| format!("write {{rate: {}}}", text.trim()));
        cx.mistyped("`load`", "a mapping with `rate`, `stages` or `every`", node, instead);
        return None;
    }
    let fields = Fields::read(cx, node, "a load", &FIELDS)?;
    let get = |field| fields.get(field);
    let timetable = ["every", "at", "jitter_ms"].into_iter().find_map(|field| Some((field, get(field)?)));
    let Some((field, entry)) = timetable else {
        let form = at_a_rate(cx, &fields)?;
        return Some(Load { form, loc: node.loc });
    };
    let other = ["rate", "arrivals", "stages", "cycle"].into_iter().find_map(|field| Some((field, get(field)?)));
    if let Some((other, second)) = other {
        let problem = Problem::Conflict { field, other };
        cx.add(Diagnostic::new(problem, second.key.loc).related(Role::First, entry.key.loc));
        return None;
    }
    Some(Load { form: job(cx, &fields)?, loc: node.loc })
}

fn at_a_rate(cx: &mut Context, fields: &Fields) -> Option<Form> {
    let (rate, stages, cycle) = (fields.get("rate"), fields.get("stages"), fields.get("cycle"));
    // All are read, so that mistakes in all of them are reported.
    let poisson = fields.get("arrivals").map_or(Some(false), |entry| is_poisson(cx, &entry.value));
    let first = rate.map(|entry| self::rate(cx, "`rate`", &entry.value));
    let list = stages.map(|entry| self::stages(cx, entry));
    let length = cycle.map(|entry| duration(cx, "`cycle`", &entry.value));
    let missing = if stages.is_none() && cycle.is_some() { Some("stages") } else { None };
    if let Some(field) = missing.or(if rate.is_none() && stages.is_none() { Some("rate") } else { None }) {
        fields.missing(cx, field);
        return None;
    }
    let (poisson, first, list, cycle) = (poisson?, transposed(first)?, transposed(list)?, transposed(length)?);
    let list = list.unwrap_or_default();
    let total: u64 = list.iter().map(|stage| stage.time).fold(0, u64::saturating_add);
    let at = stages.or(rate)?.value.loc;
    if stages.is_some() && total == 0 {
        cx.report(Problem::StagesWithoutTime, at);
        return None;
    }
    if total > LONGEST {
        let value = quantity::format_duration(total);
        cx.report(Problem::NumberOutOfRange { value, range: "100 years for all stages" }, at);
        return None;
    }
    if let (Some(length), Some(entry)) = (cycle, fields.get("cycle"))
        && (length == 0 || !length.is_multiple_of(total))
    {
        let (stages, cycle) = (quantity::format_duration(total), quantity::format_duration(length));
        cx.add(Diagnostic::new(Problem::CycleOfStages { stages, cycle }, entry.value.loc).related(Role::Stages, at));
        return None;
    }
    // A cycle goes on where it ended, and a run begins with nothing.
    let before = if cycle.is_some() { list.last().map(|stage| stage.rate) } else { None };
    let points = points(first.or(before).unwrap_or(0.0), &list);
    // A rate that holds for no time makes no trace.
    let lasts = |at: usize| {
        let after = points.get(at + 1).map_or(cycle.is_none(), |next| next.at > points[at].at);
        after || at > 0 && points[at].at > points[at - 1].at
    };
    if !(0..points.len()).any(|at| points[at].rate > 0.0 && lasts(at)) {
        cx.report(Problem::NothingArrives, at);
        return None;
    }
    Some(Form::Rate { poisson, points, cycle: cycle.map(|_| total) })
}

/// Turns what may be absent, and may be wrong, into what is absent, or `None` if it is wrong.
fn transposed<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    read.map_or(Some(None), |value| value.map(Some))
}

/// Returns the points that stages make after a first rate.
fn points(first: f64, stages: &[Stage]) -> Vec<Point> {
    let mut points = vec![Point { at: 0, rate: first }];
    for stage in stages {
        let Some(Point { at, .. }) = points.last().copied() else { continue };
        let is_jump = points.len() == 1 || points[points.len() - 2].at == at;
        if stage.time == 0 && is_jump {
            // What a jump led to, and lasted for no time, is left out.
            points.pop();
        }
        points.push(Point { at: at + stage.time, rate: stage.rate });
    }
    points
}

fn is_poisson(cx: &mut Context, node: &Node) -> Option<bool> {
    let text = cx.text("`arrivals`", node)?;
    match &*text.value {
        "poisson" => Some(true),
        "constant" => Some(false),
        _ => {
            cx.mistyped("`arrivals`", "`constant` or `poisson`", node, None);
            None
        }
    }
}

/// Reads stages: a list, or the name of a table.
fn stages(cx: &mut Context, entry: &Entry) -> Option<Vec<Stage>> {
    let node = &entry.value;
    match &node.kind {
        Kind::Sequence(items) if items.is_empty() => {
            cx.report(Problem::Empty { subject: "`stages`".into() }, node.loc);
            None
        }
        Kind::Sequence(items) => {
            let stages: Vec<_> = items.iter().map(|item| stage(cx, item)).collect();
            stages.into_iter().collect()
        }
        Kind::Scalar { text, .. } if !node.is_null() => in_table(cx, text, node.loc),
        _ => {
            cx.mistyped("`stages`", "a list of {for, rate}, or the name of a CSV file", node, None);
            None
        }
    }
}

fn stage(cx: &mut Context, node: &Node) -> Option<Stage> {
    let fields = Fields::read(cx, node, "a stage", &["for", "rate"])?;
    let (time, rate) = (fields.required(cx, "for"), fields.required(cx, "rate"));
    let time = time.and_then(|entry| duration(cx, "`for`", &entry.value));
    let rate = rate.and_then(|entry| self::rate(cx, "`rate`", &entry.value));
    Some(Stage { time: time?, rate: rate? })
}

/// Reads the stages of a table with the columns `for` and `rate`.
fn in_table(cx: &mut Context, file: &str, loc: Loc) -> Option<Vec<Stage>> {
    let rows = table::rows(cx, file, loc)?;
    let mut refuse = |row: Option<usize>, why: String| {
        cx.report(Problem::StageTable { file: short(file), row: row.map(|row| row + 1), why }, loc);
        None
    };
    let column = |name: &str| rows.columns.iter().find(|column| column.name == name);
    let (Some(times), Some(rates)) = (column("for"), column("rate")) else {
        let missing = if column("for").is_none() { "for" } else { "rate" };
        return refuse(None, format!("it has no column `{missing}`"));
    };
    let mut stages = Vec::with_capacity(rows.count);
    for row in 0..rows.count {
        let (time, rate) = (cell(&times.values[row]), cell(&rates.values[row]));
        let (Some(parsed_time), Some(parsed_rate)) = (parse_duration(&time), parse_rate(&rate)) else {
            let (column, value, expected) = match parse_duration(&time) {
                None => ("for", time, DURATION),
                Some(_) => ("rate", rate, RATE),
            };
            return refuse(Some(row), format!("`{column}` is `{}`, and takes {expected}", short(&value)));
        };
        if !is_possible(parsed_rate) {
            return refuse(Some(row), format!("the rate {} is out of range", short(&rate)));
        }
        stages.push(Stage { time: parsed_time, rate: parsed_rate });
    }
    Some(stages)
}

fn cell(value: &Scalar) -> String {
    match value {
        Scalar::Bool(value) => value.value.to_string(),
        Scalar::Int(value) => value.value.to_string(),
        Scalar::Double(value) => value.value.to_string(),
        Scalar::Text(template) | Scalar::Expr(template) => template.constant().unwrap_or_default().into(),
    }
}

fn job(cx: &mut Context, fields: &Fields) -> Option<Form> {
    let every = fields.required(cx, "every");
    let every = every.and_then(|entry| {
        let every = duration(cx, "`every`", &entry.value)?;
        if every < SHORTEST_PERIOD {
            let problem = Problem::NumberOutOfRange { value: number::describe(&entry.value), range: "at least 1ms" };
            cx.report(problem, entry.value.loc);
            return None;
        }
        Some(every)
    });
    let at = fields.get("at").map(|entry| time_of_day(cx, &entry.value));
    let jitter = fields.get("jitter_ms").map(|entry| dist::ms(cx, "`jitter_ms`", &entry.value));
    let (every, at, jitter) = (every?, transposed(at)?.unwrap_or(0), transposed(jitter)?);
    if let (Some(entry), true) = (fields.get("at"), at >= every) {
        let (at, every) = (number::describe(&entry.value), quantity::format_duration(every));
        cx.report(Problem::AtBeyondPeriod { at, every }, entry.value.loc);
        return None;
    }
    if let Some(jitter) = &jitter {
        if matches!(jitter.form, dist::Form::Mix { .. } | dist::Form::Computed { .. }) {
            cx.report(Problem::JitterOfValues, jitter.loc);
            return None;
        }
        if jitter.max >= every {
            let (longest, every) = (quantity::format_duration(jitter.max), quantity::format_duration(every));
            cx.report(Problem::JitterTooLong { longest, every }, jitter.loc);
            return None;
        }
    }
    Some(Form::Job { every, at, jitter })
}

/// Reads a time of day in UTC, and returns it in ns.
fn time_of_day(cx: &mut Context, node: &Node) -> Option<u64> {
    let text = cx.text("`at`", node)?;
    let time = parse_time_of_day(&text.value);
    if time.is_none() {
        cx.mistyped("`at`", "a time of day in UTC, as \"02:00\" or \"02:00:30\"", node, None);
    }
    time
}

fn parse_time_of_day(text: &str) -> Option<u64> {
    let mut parts = text.split(':').map(|part| {
        let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<u64>().ok().filter(|_| digits)
    });
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    let is_time = hours < 24 && minutes < 60 && seconds < 60 && parts.next().is_none();
    is_time.then_some((hours * 3_600 + minutes * 60 + seconds) * SECOND)
}

fn duration(cx: &mut Context, subject: &str, node: &Node) -> Option<u64> {
    let text = cx.text(subject, node)?;
    let time = parse_duration(&text.value);
    if time.is_none() {
        let is_number = matches!(core(&text.value), Core::Int(0..) | Core::Double(0.0..));
        let instead = is_number.then(|| format!("write {}s, if seconds are meant", text.value));
        cx.mistyped(subject, DURATION, node, instead);
    }
    time
}

/// Parses a duration with its unit; 0 needs none.
fn parse_duration(text: &str) -> Option<u64> {
    match core(text) {
        Core::Int(0) => Some(0),
        Core::Text => quantity::duration(text).ok(),
        _ => None,
    }
}

fn rate(cx: &mut Context, subject: &str, node: &Node) -> Option<f64> {
    let text = cx.text(subject, node)?;
    let Some(rate) = parse_rate(&text.value) else {
        let instead = (text.value.trim() == "max").then(|| {
            "as fast as possible is for the command line, `tracegen run --rate max`; write a number here".into()
        });
        cx.mistyped(subject, RATE, node, instead);
        return None;
    };
    if !is_possible(rate) {
        let range = "0, or from 0.001/d to 100,000,000/s";
        cx.report(Problem::NumberOutOfRange { value: short(&text.value), range }, node.loc);
        return None;
    }
    Some(rate)
}

fn is_possible(rate: f64) -> bool {
    rate == 0.0 || RATES.contains(&rate)
}

/// Parses a rate, and returns it in traces per second. Without a unit it is per second.
fn parse_rate(text: &str) -> Option<f64> {
    if is_template(text) {
        return None;
    }
    let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
    let seconds = match unit.trim() {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    let number = match core(number.trim()) {
        Core::Int(number) => number as f64,
        Core::Double(number) => number,
        _ => return None,
    };
    (number >= 0.0).then_some(number / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_per_second_minute_hour_or_day() {
        let rates = ["40/s", "40", "90/m", "1/h", "1/d", "0", "2.5 / s"].map(|text| parse_rate(text).unwrap());
        assert_eq!(rates, [40.0, 40.0, 1.5, 1.0 / 3_600.0, 1.0 / 86_400.0, 0.0, 2.5]);
        for text in ["", "fast", "-1", "1/w", "1/s/s", "max", "<<x>>", "1_000"] {
            assert_eq!(parse_rate(text), None, "{text}");
        }
        assert!([0.0, 1e8, 1.0 / 86_400.0].into_iter().all(is_possible));
        assert!(![1e-9, 1e18].into_iter().any(is_possible));
    }

    #[test]
    fn times_of_day_have_two_digits_each() {
        assert_eq!(parse_time_of_day("02:00"), Some(7_200 * SECOND));
        assert_eq!(parse_time_of_day("23:59:59"), Some(DAY - SECOND));
        for text in ["2:00", "24:00", "12:60", "12", "12:00:00:00", "02:00pm", "+2:00", ""] {
            assert_eq!(parse_time_of_day(text), None, "{text}");
        }
    }

    #[test]
    fn stages_make_points_of_which_none_is_superfluous() {
        let made = |first: f64, stages: &[(u64, f64)]| {
            let stages: Vec<Stage> = stages.iter().map(|(time, rate)| Stage { time: *time, rate: *rate }).collect();
            points(first, &stages).iter().map(|point| (point.at, point.rate)).collect::<Vec<_>>()
        };
        assert_eq!(made(5.0, &[]), [(0, 5.0)]);
        assert_eq!(made(0.0, &[(10, 5.0), (10, 5.0)]), [(0, 0.0), (10, 5.0), (20, 5.0)]);
        assert_eq!(made(1.0, &[(10, 1.0), (0, 5.0), (10, 5.0)]), [(0, 1.0), (10, 1.0), (10, 5.0), (20, 5.0)]);
        assert_eq!(made(1.0, &[(0, 5.0), (10, 6.0)]), [(0, 5.0), (10, 6.0)]);
        assert_eq!(made(1.0, &[(5, 1.0), (0, 5.0), (0, 7.0)]), [(0, 1.0), (5, 1.0), (5, 7.0)]);
    }
}
