//! Times that are drawn, which `delay_ms` and every other field with a time take.

use super::fields::{Context, Fields, is_free};
use super::number;
use crate::language::diagnostic::{Diagnostic, Problem, Role, nearest, short};
use crate::language::source::{Loc, Located};
use crate::language::template::Template;
use crate::language::yaml::{Core, Entry, Kind, Node, Style, core, is_template};

/// The maximum of any time in ns; sums of times along a trace must stay below it, too.
const LONGEST: f64 = (1u64 << 62) as f64;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
/// The time in ns to which an unlimited distribution is cut if it has no `max`.
const CUT: u64 = 3_600 * SECOND;

const EXPECTED: &str = "a number, [min, max], or a distribution";

/// A time as it is written: fixed, or a distribution.
#[derive(Clone, Debug)]
pub struct Dist {
    pub form: Form,
    /// The time in ns to which longer ones are cut. Forms with an end of their own have no later one.
    pub max: u64,
    pub loc: Loc,
}

/// How a time is drawn. All times are in ns.
#[derive(Clone, Debug)]
pub enum Form {
    /// Uniform, both ends included; a fixed time has both equal.
    Uniform {
        min: u64,
        max: u64,
    },
    /// The lognormal distribution with two given percentiles.
    Lognormal {
        low: Percentile,
        high: Percentile,
    },
    /// Straight lines between percentiles, from `p0` to `p100`.
    Points(Vec<Percentile>),
    /// The normal distribution; negative times count as 0.
    Normal {
        mean: u64,
        stddev: u64,
    },
    Exponential {
        mean: u64,
    },
    Pareto {
        min: u64,
        alpha: f64,
    },
    /// The first part whose condition is true, or if none is, one of the others by weight. None of them is a mix.
    Mix {
        conditional: Vec<(Template, Dist)>,
        weighted: Vec<(f64, Dist)>,
    },
    /// An expression, in units of `unit`; negative times count as 0.
    Computed {
        value: Template,
        unit: u64,
        /// The name of its field.
        field: &'static str,
    },
}

/// A value below which a percentage of all values lies.
#[derive(Clone, Copy, Debug)]
pub struct Percentile {
    /// The percentage, 0 to 100.
    pub percent: f64,
    /// The time in ns.
    pub time: u64,
}

impl Dist {
    /// Returns the longest end of the distribution and its parts in ns.
    pub fn longest(&self) -> u64 {
        self.form.end().unwrap_or(0).max(self.max)
    }

    /// Calls `visit` with each template of the distribution, in file order except that conditions come first.
    pub fn each_template<'a>(&'a self, visit: &mut impl FnMut(&'a Template)) {
        match &self.form {
            Form::Computed { value, .. } => visit(value),
            Form::Mix { conditional, weighted } => {
                conditional.iter().for_each(|(when, _)| visit(when));
                let parts = conditional.iter().map(|(_, dist)| dist).chain(weighted.iter().map(|(_, dist)| dist));
                // No mix is part of another one, so the recursion ends here.
                parts.for_each(|dist| dist.each_template(visit));
            }
            _ => {}
        }
    }
}

/// A field with a time.
#[derive(Clone, Copy)]
struct Field {
    /// The name in backticks.
    subject: &'static str,
    /// The unit of its numbers in ns.
    unit: u64,
    /// Whether it is a part of a mix.
    in_mix: bool,
}

/// Reads `delay_ms`, or `delay`, which is in seconds.
pub(super) fn delay(cx: &mut Context, fields: &Fields) -> Option<Dist> {
    let entry = fields.either(cx, "delay_ms", "delay")?;
    let (subject, unit) = if &*entry.key.value == "delay_ms" { ("`delay_ms`", MS) } else { ("`delay`", SECOND) };
    read(cx, Field { subject, unit, in_mix: false }, &entry.value)
}

/// Reads the time of a field, in ms; `subject` is its name in backticks.
pub(super) fn ms(cx: &mut Context, subject: &'static str, node: &Node) -> Option<Dist> {
    read(cx, Field { subject, unit: MS, in_mix: false }, node)
}

fn read(cx: &mut Context, field: Field, node: &Node) -> Option<Dist> {
    match &node.kind {
        Kind::Sequence(items) => range(cx, field, node, items),
        Kind::Mapping(entries) => mapping(cx, field, node, entries),
        Kind::Scalar { text, style } if is_template(text) => computed(cx, field, node, text, *style),
        Kind::Scalar { .. } if !node.is_null() => {
            let value = time(cx, field, node)?;
            Some(Dist { form: Form::Uniform { min: value, max: value }, max: value, loc: node.loc })
        }
        _ => {
            cx.mistyped(field.subject, EXPECTED, node, None);
            None
        }
    }
}

/// Reads `[min, max]`.
fn range(cx: &mut Context, field: Field, node: &Node, items: &[std::rc::Rc<Node>]) -> Option<Dist> {
    let [min, max] = items else {
        let (subject, found) = (field.subject.into(), format!("a list of {}", items.len()));
        cx.report(Problem::Mistyped { subject, expected: EXPECTED, found, instead: None }, node.loc);
        return None;
    };
    // Both are read, so that mistakes in both are reported.
    let (low, high) = (time(cx, field, min), time(cx, field, max));
    let (low, high) = (low?, high?);
    if low > high {
        let problem = Problem::RangeUpsideDown { min: number::describe(min), max: number::describe(max) };
        cx.report(problem, node.loc);
        return None;
    }
    Some(Dist { form: Form::Uniform { min: low, max: high }, max: high, loc: node.loc })
}

fn computed(cx: &mut Context, field: Field, node: &Node, text: &str, style: Style) -> Option<Dist> {
    let value = cx.parse(text, style, node.loc);
    if value.is_broken() {
        return None;
    }
    if value.single().is_none() {
        let instead = "one expression stands alone here, with nothing before or after it: <<a + b>>".into();
        cx.mistyped(field.subject, EXPECTED, node, Some(instead));
        return None;
    }
    Some(Dist {
        form: Form::Computed { value, unit: field.unit, field: field.subject.trim_matches('`') },
        max: CUT,
        loc: node.loc,
    })
}

/// Reads a number and returns it in ns.
fn time(cx: &mut Context, field: Field, node: &Node) -> Option<u64> {
    if let Kind::Scalar { text, style } = &node.kind
        && let Some(instead) = meant(text, *style, field.unit)
    {
        cx.mistyped(field.subject, "a number", node, Some(instead));
        return None;
    }
    let value = cx.number(field.subject, "a number", node)?;
    if value < 0.0 {
        cx.report(Problem::NegativeDelay { value: number::describe(node) }, node.loc);
        return None;
    }
    // The number is rounded, so 0.1 ms is exactly 100,000 ns.
    let ns = (value * field.unit as f64).round();
    if ns >= LONGEST {
        let problem = Problem::NumberOutOfRange { value: number::describe(node), range: "a delay below 146 years" };
        cx.report(problem, node.loc);
        return None;
    }
    Some(ns as u64)
}

/// Reads a number above 0 and returns it in ns.
fn positive(cx: &mut Context, field: Field, node: &Node) -> Option<u64> {
    let value = time(cx, field, node)?;
    if value == 0 {
        cx.report(Problem::NumberOutOfRange { value: number::describe(node), range: "above 0" }, node.loc);
        return None;
    }
    Some(value)
}

/// Returns what was meant by a text that is not a number: `20ms`, `1.5s`, `5-20`, a template in a list.
fn meant(text: &str, style: Style, unit: u64) -> Option<String> {
    if is_template(text) {
        return Some("only the whole can be an expression: <<random.float(5, 20)>>".into());
    }
    if style == Style::Plain && core(text) != Core::Text {
        return None;
    }
    let number = |text: &str| match core(text.trim()) {
        Core::Int(value) => Some(value as f64),
        Core::Double(value) => Some(value),
        _ => None,
    };
    let text = text.trim();
    if let Some((min, max)) = text.split_once('-').or_else(|| text.split_once("..")) {
        let (min, max) = (number(min)?, number(max)?);
        return (min <= max).then(|| format!("write [{min}, {max}]"));
    }
    let (value, ns) = [("ms", MS), ("us", 1_000), ("ns", 1), ("s", SECOND), ("m", 60 * SECOND), ("h", 3_600 * SECOND)]
        .into_iter()
        .find_map(|(name, ns)| Some((number(text.strip_suffix(name)?)?, ns)))?;
    let unit_name = if unit == MS { "milliseconds" } else { "seconds" };
    Some(format!("write {}: it is in {unit_name}", value * ns as f64 / unit as f64))
}

/// The keys of a distribution that are not percentiles.
const KEYS: [&str; 6] = ["mean", "stddev", "exp", "pareto", "mix", "max"];

/// Returns the percentile that a key such as `p99.9` names.
fn percentile(key: &str) -> Option<f64> {
    let digits = key.strip_prefix('p').filter(|digits| digits.starts_with(|c: char| c.is_ascii_digit()))?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    digits.parse().ok().filter(|percent| plain && (0.0..=100.0).contains(percent))
}

fn mapping(cx: &mut Context, field: Field, node: &Node, entries: &[Entry]) -> Option<Dist> {
    let mut forms: Vec<&'static str> = vec![];
    let mut known = true;
    for Entry { key, .. } in entries {
        let form = match &*key.value {
            "mean" | "stddev" => "`mean`",
            "exp" => "`exp`",
            "pareto" => "`pareto`",
            "mix" => "`mix`",
            "max" => continue,
            key if percentile(key).is_some() => "percentiles",
            key if is_free(key) => continue,
            _ => {
                unknown(cx, entries, key);
                known = false;
                continue;
            }
        };
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    if !known {
        return None;
    }
    let [form] = forms[..] else {
        cx.report(Problem::DistributionForm { found: forms }, node.loc);
        return None;
    };
    let get = |key: &str| entries.iter().find(|entry| &*entry.key.value == key).map(|entry| &*entry.value);
    let max = match get("max") {
        Some(node) => Some(Located::new(time(cx, field, node)?, node.loc)),
        None => None,
    };
    // The form comes with the name and value of its longest parameter, which `max` must not be below.
    let (form, longest) = match form {
        "percentiles" => percentiles(cx, field, node, entries)?,
        "`mean`" => {
            let (mean, stddev) = (get("mean"), get("stddev"));
            for (field, node) in [("mean", mean), ("stddev", stddev)] {
                if node.is_none() {
                    cx.report(Problem::MissingField { field, owner: "a normal distribution" }, entries[0].key.loc);
                }
            }
            let (mean, stddev) = (time(cx, field, mean?), time(cx, field, stddev?));
            let (mean, stddev) = (mean?, stddev?);
            (Form::Normal { mean, stddev }, Some(("mean".to_owned(), mean)))
        }
        "`exp`" => {
            let mean = positive(cx, field, get("exp")?)?;
            (Form::Exponential { mean }, Some(("exp".to_owned(), mean)))
        }
        "`pareto`" => pareto(cx, field, get("pareto")?)?,
        _ => (mix(cx, field, node, get("mix")?)?, None),
    };
    let end = form.end();
    if let Some((name, longest)) = longest {
        match max {
            Some(max) if max.value < longest => {
                let (high, value) = ("max".to_owned(), shown(max.value, field));
                let problem = Problem::NotIncreasing { low: name, high, least: shown(longest, field), value };
                cx.report(problem, max.loc);
                return None;
            }
            None if end.is_none() && longest > CUT => {
                cx.report(Problem::NeedsMax { name, value: shown(longest, field) }, node.loc);
                return None;
            }
            _ => {}
        }
    }
    let max = match (max, end) {
        (Some(max), Some(end)) => max.value.min(end),
        (max, end) => max.map(|max| max.value).or(end).unwrap_or(CUT),
    };
    Some(Dist { form, max, loc: node.loc })
}

impl Form {
    /// Returns the end that the form itself has, in ns.
    fn end(&self) -> Option<u64> {
        match self {
            Form::Uniform { max, .. } => Some(*max),
            Form::Points(points) => points.last().map(|point| point.time),
            Form::Mix { conditional, weighted } => {
                let parts = conditional.iter().map(|(_, dist)| dist).chain(weighted.iter().map(|(_, dist)| dist));
                parts.map(|dist| dist.max).max()
            }
            _ => None,
        }
    }
}

/// Formats a time in the unit of the field.
fn shown(time: u64, field: Field) -> String {
    (time as f64 / field.unit as f64).to_string()
}

/// Reports a key that no distribution has.
fn unknown(cx: &mut Context, entries: &[Entry], key: &Located<std::borrow::Cow<str>>) {
    let name = &*key.value;
    let value = |key: &str| {
        let entry = entries.iter().find(|entry| &*entry.key.value == key)?;
        if let Kind::Scalar { text, .. } = &entry.value.kind { Some(short(text)) } else { None }
    };
    let hint = match name {
        "min" => match (value("min"), value("max")) {
            (Some(_), Some(_)) => Some("a range is a list: [min, max]"),
            _ => Some("the least of all is `p0`"),
        },
        "median" => Some("the median is `p50`"),
        "sd" | "std" | "sigma" => Some("the standard deviation is `stddev`"),
        "avg" | "average" => Some("it is called `mean`"),
        "ms" | "weight" | "when" => Some("parts stand in a list: {mix: [{weight: 9, ms: 5}, {weight: 1, ms: 80}]}"),
        _ if name.starts_with('p') && name[1..].starts_with(|c: char| c.is_ascii_digit()) => {
            Some("percentiles go from `p0` to `p100`")
        }
        _ if name.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
            Some("a percentile is written `p50`; of parts with weights, a list: {mix: [{weight: 9, ms: 5}]}")
        }
        _ => None,
    };
    let suggest = hint.is_none() && cx.diagnostics.len() < cx.limits.suggestions;
    let nearest = if suggest { nearest(name, KEYS.into_iter().chain(["p50", "p99"])) } else { None };
    cx.report(Problem::UnknownField { field: short(name), owner: "a distribution", nearest, hint }, key.loc);
}

/// The longest parameter of a form: its name, and its value in ns.
type Longest = Option<(String, u64)>;

fn percentiles(cx: &mut Context, field: Field, node: &Node, entries: &[Entry]) -> Option<(Form, Longest)> {
    let mut found = vec![];
    let mut whole = true;
    for Entry { key, value } in entries {
        let Some(percent) = percentile(&key.value) else { continue };
        match time(cx, field, value) {
            Some(time) => found.push((Percentile { percent, time }, key, value)),
            None => whole = false,
        }
    }
    if !whole {
        return None;
    }
    found.sort_by(|(a, ..), (b, ..)| a.percent.total_cmp(&b.percent));
    for pair in found.windows(2) {
        let [(low, low_key, low_value), (high, high_key, value)] = pair else { continue };
        if low.percent == high.percent {
            let twice = Problem::DuplicateKey { key: short(&high_key.value) };
            cx.add(Diagnostic::new(twice, high_key.loc).related(Role::First, low_key.loc));
            return None;
        }
        if low.time >= high.time {
            let (low, high) = (short(&low_key.value), short(&high_key.value));
            let (least, value_text) = (number::describe(low_value), number::describe(value));
            cx.report(Problem::NotIncreasing { low, high, least, value: value_text }, value.loc);
            return None;
        }
    }
    let points: Vec<Percentile> = found.iter().map(|(point, ..)| *point).collect();
    let longest = found.last().map(|(point, key, _)| (key.value.to_string(), point.time));
    let (first, last) = (points.first()?, points.last()?);
    match points[..] {
        [low, high] if low.percent > 0.0 && high.percent < 100.0 => {
            positive(cx, field, found[0].2)?;
            Some((Form::Lognormal { low, high }, longest))
        }
        _ if first.percent == 0.0 && last.percent == 100.0 => Some((Form::Points(points), longest)),
        _ => {
            cx.report(Problem::PercentileSet, node.loc);
            None
        }
    }
}

fn pareto(cx: &mut Context, field: Field, node: &Node) -> Option<(Form, Longest)> {
    let fields = Fields::read(cx, node, "a Pareto distribution", &["min", "alpha"])?;
    let (min, alpha) = (fields.required(cx, "min"), fields.required(cx, "alpha"));
    let (min, alpha) = (min?, alpha?);
    let min = positive(cx, field, &min.value);
    let shape = cx.number("`alpha`", "a number", &alpha.value)?;
    if shape <= 0.0 {
        let problem = Problem::NumberOutOfRange { value: number::describe(&alpha.value), range: "above 0" };
        cx.report(problem, alpha.value.loc);
        return None;
    }
    Some((Form::Pareto { min: min?, alpha: shape }, Some(("min".to_owned(), min?))))
}

fn mix(cx: &mut Context, field: Field, node: &Node, list: &Node) -> Option<Form> {
    if field.in_mix {
        cx.report(Problem::NestedMix, list.loc);
        return None;
    }
    let Kind::Sequence(items) = &list.kind else {
        cx.mistyped("`mix`", "a list of {weight, ms}", list, None);
        return None;
    };
    let (mut conditional, mut weighted) = (vec![], vec![]);
    let mut whole = true;
    for item in items {
        match part(cx, item) {
            Some((Share::When(condition), dist)) => conditional.push((condition, dist)),
            Some((Share::Weight(weight), dist)) => weighted.push((weight, dist)),
            None => whole = false,
        }
    }
    if !whole {
        return None;
    }
    let sum: f64 = weighted.iter().map(|(weight, _)| weight).sum();
    let problem = if items.is_empty() {
        Problem::Empty { subject: "`mix`".into() }
    } else if weighted.is_empty() {
        Problem::MixWithoutWeight
    } else if sum == 0.0 {
        Problem::WeightSum
    } else if sum.is_infinite() {
        Problem::WeightOverflow
    } else {
        return Some(Form::Mix { conditional, weighted });
    };
    cx.report(problem, if items.is_empty() { node.loc } else { list.loc });
    None
}

/// The decision whether a part of a mix is chosen.
enum Share {
    Weight(f64),
    When(Template),
}

fn part(cx: &mut Context, node: &Node) -> Option<(Share, Dist)> {
    let fields = Fields::read(cx, node, "a part of a mix", &["weight", "when", "ms"])?;
    let share = match fields.either(cx, "weight", "when") {
        Some(entry) if &*entry.key.value == "when" => cx.condition("`when`", &entry.value).map(Share::When),
        Some(entry) => number::weight(cx, &entry.value).map(|weight| Share::Weight(weight.value)),
        None => {
            fields.missing(cx, "weight");
            None
        }
    };
    let time = fields.required(cx, "ms");
    let field = Field { subject: "`ms`", unit: MS, in_mix: true };
    let time = time.and_then(|entry| read(cx, field, &entry.value));
    Some((share?, time?))
}
