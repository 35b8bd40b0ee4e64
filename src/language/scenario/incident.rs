//! Incidents: times in which some spans take longer, fail, are down or run another version.

use super::fields::{Context, Fields};
use super::{ErrorCondition, dist::Dist};
use super::{dist, number, span};
use crate::language::diagnostic::{Diagnostic, Problem, Role};
use crate::language::source::{Loc, Located};
use crate::language::template::Template;
use crate::language::yaml::{Core, Kind, Node, Style, core};
use crate::text::quantity;

/// An incident as it is written.
#[derive(Clone, Debug)]
pub struct Incident {
    pub name: Located<String>,
    pub at: At,
    /// The length of a window in ns, at least 1.
    pub length: u64,
    /// The time from window to window in ns, at least `length`; `None` means that there is only one.
    pub every: Option<u64>,
    /// The spans that it affects; `None` for all.
    pub select: Option<Select>,
    /// The condition under which it affects one of these spans: a template that is one expression.
    pub when: Option<Template>,
    pub latency: Option<Latency>,
    /// The time that takes the place of a span's own work.
    pub delay: Option<Dist>,
    pub error_conditions: Vec<ErrorCondition>,
    /// The place that says that the spans are down.
    pub down: Option<Loc>,
    /// The version that the selected instances run meanwhile.
    pub version: Option<Located<String>>,
    /// The factor by which the rate of the selected scenarios' load is multiplied, from 0 to [`MOST_TIMES`].
    pub rate: Option<Located<f64>>,
    pub loc: Loc,
}

/// The start of an incident's first window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// This long after the start of the run, in ns.
    AfterStart(u64),
    /// At this time of day in UTC, in ns since midnight.
    TimeOfDay(u64),
}

/// A selection of spans, which fit all fields that are set.
#[derive(Clone, Debug)]
pub struct Select {
    /// A glob over the services of spans.
    pub service: Option<Located<String>>,
    /// A glob over their operations.
    pub operation: Option<Located<String>>,
    /// A glob over the names of their scenarios.
    pub scenario: Option<Located<String>>,
    /// The numbers of their instances; empty for all.
    pub instances: Vec<Located<u32>>,
    pub loc: Loc,
}

/// How a span's time grows.
#[derive(Clone, Debug)]
pub struct Latency {
    /// The factor, from 0 to [`MOST_TIMES`].
    pub times: f64,
    /// The time that is added to a span's own work.
    pub add: Option<Dist>,
}

impl Incident {
    /// Reports whether the incident changes anything.
    pub fn has_effect(&self) -> bool {
        self.changes_spans() || self.rate.is_some()
    }

    /// Reports whether the incident changes anything of the spans that it selects.
    pub fn changes_spans(&self) -> bool {
        let is_slower = self.latency.is_some() || self.delay.is_some();
        is_slower || !self.error_conditions.is_empty() || self.down.is_some() || self.version.is_some()
    }

    /// Returns the glob that the names of the selected scenarios match; `None` for all scenarios.
    pub fn scenario_glob(&self) -> Option<&Located<String>> {
        self.select.as_ref()?.scenario.as_ref()
    }

    /// Returns the instances that it selects; empty for all.
    pub fn instances(&self) -> &[Located<u32>] {
        self.select.as_ref().map_or(&[], |select| &select.instances)
    }
}

/// The maximum factor of a span's time.
const MOST_TIMES: f64 = 1_000.0;
/// The maximum length of a window, and of the time from window to window: a year, in ns.
const LONGEST: u64 = 366 * 86_400 * quantity::SECOND;
const FIELDS: [&str; 12] = [
    "name",
    "at",
    "for",
    "every",
    "select",
    "when",
    "latency",
    "delay_ms",
    "error_conditions",
    "down",
    "version",
    "rate",
];
const A_DURATION: &str = "a duration, as `90s`, `5m` or `1h30m`";
const A_TIME: &str = "a time after the start, as `+10m`, or a time of day in UTC, as \"09:30\"";

/// Reads the list `incidents`.
pub(super) fn incidents(cx: &mut Context, node: &Node) -> Vec<Incident> {
    match &node.kind {
        Kind::Sequence(items) => items.iter().filter_map(|item| incident(cx, item)).collect(),
        _ if node.is_null() => vec![],
        _ => {
            cx.mistyped("`incidents`", "a list of incidents", node, None);
            vec![]
        }
    }
}

fn incident(cx: &mut Context, node: &Node) -> Option<Incident> {
    let fields = Fields::read(cx, node, "an incident", &FIELDS)?;
    // All fields are read, so that all mistakes are reported.
    let name = fields.required(cx, "name").and_then(|entry| cx.text("`name`", &entry.value));
    let at = fields.required(cx, "at").and_then(|entry| at(cx, &entry.value));
    let length = fields.required(cx, "for").and_then(|entry| duration(cx, "`for`", &entry.value));
    let every = fields.optional("every").map(|node| Some(Located::new(duration(cx, "`every`", node)?, node.loc)));
    let select = fields.get("select").map(|entry| select(cx, &entry.value));
    let when = fields.get("when").map(|entry| cx.condition("`when`", &entry.value));
    let latency = fields.get("latency").map(|entry| latency(cx, &entry.value));
    let delay = fields.get("delay_ms").map(|entry| dist::ms(cx, "`delay_ms`", &entry.value));
    let error_conditions = span::error_conditions(cx, &fields);
    let down = fields.optional("down").map(|node| down(cx, node));
    let version = fields.get("version").map(|entry| cx.text("`version`", &entry.value));
    let rate = fields.get("rate").map(|entry| rate(cx, &entry.value));
    // None of them has a span of which a condition could be true.
    for field in ["down", "version", "rate"] {
        if (field != "down" || down.flatten().is_some())
            && let (Some(one), Some(when)) = (fields.get(field), fields.get("when"))
        {
            let problem = Problem::Conflict { field, other: "when" };
            cx.add(Diagnostic::new(problem, one.key.loc).related(Role::First, when.key.loc));
        }
    }
    if let Some(select) = select.as_ref().and_then(|select: &Option<Select>| select.as_ref()) {
        let place = |glob: &Option<Located<String>>| glob.as_ref().map(|glob| glob.loc);
        let (service, operation) = (place(&select.service), place(&select.operation));
        let instance = select.instances.first().map(|instance| instance.loc);
        // A version is that of instances, whatever they do.
        refuse(cx, &fields, "version", [("operation", operation), ("scenario", place(&select.scenario))]);
        // Traces arrive as a whole.
        refuse(cx, &fields, "rate", [("service", service), ("operation", operation), ("instance", instance)]);
    }
    let (length, every) = (length?, every.map_or(Some(None), |every| every.map(Some))?);
    if let Some(every) = every.as_ref().filter(|every| every.value < length) {
        let [every_text, length] = [every.value, length].map(quantity::format_duration);
        cx.report(Problem::EveryBelowFor { every: every_text, length }, every.loc);
        return None;
    }
    Some(Incident {
        name: name?,
        at: at?,
        length,
        every: every.map(|every| every.value),
        select: written(select)?,
        when: written(when)?,
        latency: written(latency)?,
        delay: written(delay)?,
        error_conditions,
        down: down.flatten(),
        version: written(version)?,
        rate: written(rate)?,
        loc: node.loc,
    })
}

/// Reports the parts of a selection, with their places, that can't stand beside a field.
fn refuse<const N: usize>(
    cx: &mut Context,
    fields: &Fields,
    field: &'static str,
    parts: [(&'static str, Option<Loc>); N],
) {
    let Some(entry) = fields.get(field) else { return };
    for (other, place) in parts {
        if let Some(place) = place {
            let problem = Problem::Conflict { field, other };
            cx.add(Diagnostic::new(problem, entry.key.loc).related(Role::First, place));
        }
    }
}

/// Returns an optional field, or `None` if it is wrong and reported.
fn written<T>(field: Option<Option<T>>) -> Option<Option<T>> {
    field.map_or(Some(None), |read| read.map(Some))
}

/// Reads `+10m` or `"09:30"`.
fn at(cx: &mut Context, node: &Node) -> Option<At> {
    let Kind::Scalar { text, .. } = &node.kind else {
        cx.mistyped("`at`", A_TIME, node, None);
        return None;
    };
    if let Some(after) = text.trim().strip_prefix('+')
        && core(after) == Core::Text
        && let Ok(after) = quantity::duration(after)
    {
        return Some(At::AfterStart(after));
    }
    if let Some(time) = time_of_day(text.trim()) {
        return Some(At::TimeOfDay(time));
    }
    let text = text.trim();
    let bare = text.trim_start_matches('+');
    let instead = match core(bare) {
        Core::Int(_) | Core::Double(_) => Some(format!("write `+{bare}s` for so many seconds after the start")),
        _ => quantity::duration(bare).ok().map(|_| format!("write `+{bare}` for so long after the start")),
    };
    cx.mistyped("`at`", A_TIME, node, instead);
    None
}

/// Reads hours and minutes, and seconds if there are any, and returns ns since midnight.
fn time_of_day(text: &str) -> Option<u64> {
    let mut parts = text.split(':');
    let mut part = |most: u64| {
        let part = parts.next()?;
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|value: &u64| digits && *value < most)
    };
    let (hours, minutes) = (part(24)?, part(60)?);
    let seconds = if text.len() > 5 { part(60)? } else { 0 };
    parts.next().is_none().then_some((hours * 3_600 + minutes * 60 + seconds) * quantity::SECOND)
}

/// Reads a duration and returns it in ns, at least 1.
fn duration(cx: &mut Context, subject: &'static str, node: &Node) -> Option<u64> {
    let Kind::Scalar { text, style } = &node.kind else {
        cx.mistyped(subject, A_DURATION, node, None);
        return None;
    };
    let text = text.trim();
    let is_number = *style == Style::Plain && matches!(core(text), Core::Int(_) | Core::Double(_));
    match quantity::duration(text) {
        Ok(ns) if (1..=LONGEST).contains(&ns) && !is_number => Some(ns),
        Ok(0) => {
            cx.report(Problem::NumberOutOfRange { value: number::describe(node), range: "above 0" }, node.loc);
            None
        }
        read => {
            let instead =
                (is_number && read.is_ok()).then(|| format!("write `{text}s` for seconds, `{text}m` for minutes"));
            cx.mistyped(subject, A_DURATION, node, instead);
            None
        }
    }
}

/// Reads `{service, operation, scenario, instance}`.
fn select(cx: &mut Context, node: &Node) -> Option<Select> {
    let fields = Fields::read(cx, node, "`select`", &["service", "operation", "scenario", "instance"])?;
    let [service, operation, scenario] = ["service", "operation", "scenario"]
        .map(|field| fields.get(field).map(|entry| cx.text(&format!("`{field}`"), &entry.value)));
    let instances = fields.get("instance").map(|entry| instances(cx, &entry.value));
    if fields.head() == fields.loc {
        cx.report(Problem::Empty { subject: "`select`".into() }, node.loc);
    }
    if service.is_none() && operation.is_none() && scenario.is_none() && instances.is_none() {
        return None;
    }
    Some(Select {
        service: written(service)?,
        operation: written(operation)?,
        scenario: written(scenario)?,
        instances: written(instances)?.unwrap_or_default(),
        loc: node.loc,
    })
}

/// Reads the number of an instance, or a list of them.
fn instances(cx: &mut Context, node: &Node) -> Option<Vec<Located<u32>>> {
    let items = match &node.kind {
        Kind::Sequence(items) if !items.is_empty() => items.iter().map(|item| &**item).collect(),
        _ => vec![node],
    };
    let number = |item: &Node| match &item.kind {
        Kind::Scalar { text, style: Style::Plain } => match core(text) {
            Core::Int(value @ 0..=9_999) => Some(Located::new(value as u32, item.loc)),
            _ => None,
        },
        _ => None,
    };
    let mut read = Vec::with_capacity(items.len());
    for item in items {
        match number(item) {
            Some(number) => read.push(number),
            None => {
                cx.mistyped(
                    "`instance`",
                    "the number of an instance, counted from 0, or a list of numbers",
                    item,
                    None,
                );
                return None;
            }
        }
    }
    Some(read)
}

/// Reads `x3`, or `{times, add_ms}`.
fn latency(cx: &mut Context, node: &Node) -> Option<Latency> {
    const EXPECTED: &str = "a factor, as `x3`, or {times, add_ms}";
    if let Kind::Scalar { text, style } = &node.kind {
        let text = text.trim();
        if let Some(times) = text.strip_prefix('x').and_then(factor) {
            return Some(Latency { times: in_range(cx, times, node)?, add: None });
        }
        let is_number = *style == Style::Plain && matches!(core(text), Core::Int(_) | Core::Double(_));
        let bare = text.trim_start_matches('+');
        let instead = is_number
            .then(|| format!("write `x{bare}` for {bare} times as long, `{{add_ms: {bare}}}` for {bare} ms more"));
        cx.mistyped("`latency`", EXPECTED, node, instead);
        return None;
    }
    if !matches!(node.kind, Kind::Mapping(_)) {
        cx.mistyped("`latency`", EXPECTED, node, None);
        return None;
    }
    let fields = Fields::read(cx, node, "`latency`", &["times", "add_ms"])?;
    let times = fields.get("times").map(|entry| {
        let times = match &entry.value.kind {
            Kind::Scalar { text, .. } => text.trim().strip_prefix('x').and_then(factor),
            _ => None,
        };
        let times = times.or_else(|| cx.number("`times`", "a factor", &entry.value))?;
        in_range(cx, times, &entry.value)
    });
    let add = fields.get("add_ms").map(|entry| dist::ms(cx, "`add_ms`", &entry.value));
    if times.is_none() && add.is_none() {
        fields.missing(cx, "times");
        return None;
    }
    Some(Latency { times: written(times)?.unwrap_or(1.0), add: written(add)? })
}

/// Reads the factor of a rate, as `x2`.
fn rate(cx: &mut Context, node: &Node) -> Option<Located<f64>> {
    let text = match &node.kind {
        Kind::Scalar { text, .. } => text.trim(),
        _ => "",
    };
    let Some(times) = text.strip_prefix('x').and_then(factor) else {
        let is_number = matches!(core(text), Core::Int(_) | Core::Double(_));
        let instead = is_number.then(|| format!("write `x{text}` for {text} times the rate"));
        cx.mistyped("`rate`", "a factor of the load's rate, as `x2` or `x0.5`", node, instead);
        return None;
    };
    Some(Located::new(in_range(cx, times, node)?, node.loc))
}

fn factor(text: &str) -> Option<f64> {
    match core(text) {
        Core::Int(value) => Some(value as f64),
        Core::Double(value) => Some(value),
        _ => None,
    }
}

/// Returns a factor, or reports that it is out of range.
fn in_range(cx: &mut Context, times: f64, node: &Node) -> Option<f64> {
    if (0.0..=MOST_TIMES).contains(&times) {
        return Some(times);
    }
    cx.report(Problem::NumberOutOfRange { value: number::describe(node), range: "from 0 to 1000" }, node.loc);
    None
}

/// Reads `down`, which can only be `true` or `false`, and returns its place if it is true.
fn down(cx: &mut Context, node: &Node) -> Option<Loc> {
    let value = match &node.kind {
        Kind::Scalar { text, style: Style::Plain } => core(text),
        _ => Core::Text,
    };
    match value {
        Core::Bool(value) => value.then_some(node.loc),
        _ => {
            cx.mistyped("`down`", "true or false", node, Some("write true or false".into()));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_has_two_digits_each() {
        let at =
            |hours: u64, minutes: u64, seconds: u64| Some((hours * 3_600 + minutes * 60 + seconds) * quantity::SECOND);
        assert_eq!(time_of_day("09:30"), at(9, 30, 0));
        assert_eq!(time_of_day("23:59:59"), at(23, 59, 59));
        for text in ["9:30", "24:00", "09:60", "09:30:60", "09", "09:30:00:00", "", "+9:30", "09:3a", "0９:30"] {
            assert_eq!(time_of_day(text), None, "{text}");
        }
    }
}
