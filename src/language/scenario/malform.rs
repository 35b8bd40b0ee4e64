//! `malform`: which spans are sent as no well-behaved SDK sends them, and how.

use std::rc::Rc;

use super::dist::{self, Dist, Form};
use super::fields::{Context, Fields};
use super::number;
use crate::language::diagnostic::Problem;
use crate::language::source::{Loc, Located};
use crate::language::yaml::{self, Core, Node, Style, core};

const MS: u64 = 1_000_000;
/// How late a late span leaves, in ns, if nothing is written.
const LATE: u64 = 30_000 * MS;
/// The longest skew of a clock in ns, if nothing is written.
const SKEW: u64 = 500 * MS;
/// The maximum size of an oversized attribute in bytes, which is also the size if nothing is written.
const OVERSIZED: u32 = 1 << 20;

/// The names of all kinds.
const KINDS: [&str; 11] = [
    "late",
    "duplicate",
    "orphan",
    "missing_root",
    "clock_skew",
    "zero_duration",
    "negative_duration",
    "oversized_attribute",
    "invalid_utf8",
    "duplicate_span_id",
    "zero_id",
];

/// A malformation as it is written.
#[derive(Clone, Debug)]
pub struct Malform {
    pub kind: Kind,
    /// The percentage of spans, traces or service instances that it befalls, 0 to 100.
    pub probability: Located<f64>,
    pub select: Select,
    pub loc: Loc,
}

/// A kind of malformation.
#[derive(Clone, Debug)]
pub enum Kind {
    Late {
        by: Dist,
    },
    Duplicate,
    Orphan,
    MissingRoot,
    /// The skew is the time less `behind` ns; or, if that is `None`, the time ahead or behind.
    ClockSkew {
        by: Dist,
        behind: Option<u64>,
        per_instance: bool,
    },
    ZeroDuration,
    NegativeDuration,
    OversizedAttribute {
        bytes: u32,
    },
    InvalidUtf8,
    DuplicateSpanId,
    ZeroId,
}

/// The spans that a malformation can befall: globs, of which those that are written must all match.
#[derive(Clone, Debug, Default)]
pub struct Select {
    pub service: Option<Located<String>>,
    pub operation: Option<Located<String>>,
    pub scenario: Option<Located<String>>,
}

/// Reads `malform`, and adds what it says to `all`.
pub(super) fn read(cx: &mut Context, node: &Rc<Node>, all: &mut Vec<Malform>) {
    let Some(fields) = Fields::read(cx, node, "`malform`", &KINDS) else { return };
    let yaml::Kind::Mapping(entries) = &node.kind else { return };
    for entry in entries {
        let Some(name) = KINDS.into_iter().find(|name| *name == &*entry.key.value) else { continue };
        let loc = fields.get(name).map_or(entry.key.loc, |entry| entry.key.loc);
        match &entry.value.kind {
            yaml::Kind::Sequence(items) => all.extend(items.iter().filter_map(|item| one(cx, name, item, loc))),
            _ => all.extend(one(cx, name, &entry.value, loc)),
        }
    }
}

/// Reads one malformation of a kind: a percentage, or a mapping.
fn one(cx: &mut Context, name: &'static str, node: &Node, loc: Loc) -> Option<Malform> {
    let yaml::Kind::Mapping(_) = &node.kind else {
        let probability = number::percent(cx, &format!("`{name}`"), node)?;
        return Some(Malform { kind: kind(cx, name, None, loc)?, probability, select: Select::default(), loc });
    };
    let known: &[&'static str] = match name {
        "late" => &["probability", "select", "by_ms"],
        "clock_skew" => &["probability", "select", "by_ms", "by"],
        "oversized_attribute" => &["probability", "select", "bytes"],
        _ => &["probability", "select"],
    };
    let fields = Fields::read(cx, node, "a malformation", known)?;
    // All are read, so that all mistakes are reported.
    let probability = fields.required(cx, "probability");
    let probability = probability.and_then(|entry| number::percent(cx, "`probability`", &entry.value));
    let select = match fields.optional("select") {
        Some(node) => select(cx, node),
        None => Some(Select::default()),
    };
    let kind = kind(cx, name, Some(&fields), loc);
    Some(Malform { kind: kind?, probability: probability?, select: select?, loc })
}

fn select(cx: &mut Context, node: &Node) -> Option<Select> {
    let fields = Fields::read(cx, node, "`select`", &["service", "operation", "scenario"])?;
    let mut glob = |name: &'static str| {
        fields.get(name).map_or(Some(None), |entry| cx.text(&format!("`{name}`"), &entry.value).map(Some))
    };
    let (service, operation, scenario) = (glob("service"), glob("operation"), glob("scenario"));
    Some(Select { service: service?, operation: operation?, scenario: scenario? })
}

/// Reads what a kind takes beside its probability.
fn kind(cx: &mut Context, name: &str, fields: Option<&Fields>, loc: Loc) -> Option<Kind> {
    let get = |field: &str| fields.and_then(|fields| fields.get(field)).map(|entry| &*entry.value);
    Some(match name {
        "late" => Kind::Late { by: time(cx, get("by_ms"), LATE, LATE, loc)? },
        "clock_skew" => {
            let (by, behind) = match get("by_ms").and_then(|node| Some((node, below_zero(node)?))) {
                Some((node, ends)) => range(cx, node, ends).unzip(),
                None => (time(cx, get("by_ms"), 0, SKEW, loc), None),
            };
            let per_instance = match get("by") {
                None => Some(false),
                Some(node) => match &node.kind {
                    yaml::Kind::Scalar { text, .. } if &**text == "instance" => Some(true),
                    yaml::Kind::Scalar { text, .. } if &**text == "span" => Some(false),
                    _ => {
                        cx.mistyped("`by`", "`instance` or `span`", node, None);
                        None
                    }
                },
            };
            Kind::ClockSkew { by: by?, behind, per_instance: per_instance? }
        }
        "oversized_attribute" => Kind::OversizedAttribute {
            bytes: match get("bytes") {
                None => OVERSIZED,
                Some(node) => bytes(cx, node)?,
            },
        },
        "duplicate" => Kind::Duplicate,
        "orphan" => Kind::Orphan,
        "missing_root" => Kind::MissingRoot,
        "zero_duration" => Kind::ZeroDuration,
        "negative_duration" => Kind::NegativeDuration,
        "invalid_utf8" => Kind::InvalidUtf8,
        "duplicate_span_id" => Kind::DuplicateSpanId,
        _ => Kind::ZeroId,
    })
}

/// Reads `by_ms`, or returns the uniform time from `min` to `max` if there is none.
fn time(cx: &mut Context, node: Option<&Node>, min: u64, max: u64, loc: Loc) -> Option<Dist> {
    let Some(node) = node else { return Some(Dist { form: Form::Uniform { min, max }, max, loc }) };
    let dist = dist::ms(cx, "`by_ms`", node)?;
    if matches!(dist.form, Form::Computed { .. } | Form::Mix { .. }) {
        cx.report(Problem::MalformComputed, node.loc);
        return None;
    }
    Some(dist)
}

/// Returns the ends of a range that begins below 0, such as `[-1500, 1500]`, and `None` for anything else.
fn below_zero(node: &Node) -> Option<[f64; 2]> {
    let yaml::Kind::Sequence(items) = &node.kind else { return None };
    let number = |node: &Rc<Node>| match &node.kind {
        yaml::Kind::Scalar { text, style: Style::Plain } => match core(text) {
            Core::Int(value) => Some(value as f64),
            Core::Double(value) => Some(value),
            _ => None,
        },
        _ => None,
    };
    let [first, last] = &items[..] else { return None };
    Some([number(first)?, number(last)?]).filter(|[first, _]| *first < 0.0)
}

/// Reads a range of ms that begins below 0 as the time above its lower end, and the distance of that end from 0 in ns.
fn range(cx: &mut Context, node: &Node, [first, last]: [f64; 2]) -> Option<(Dist, u64)> {
    const DAY: f64 = 86_400_000.0;
    if first < -DAY || last < first || last - first > DAY {
        let range = "a range of at most 86400000 ms (24 h) that begins at -86400000 or later, the lower end first";
        cx.report(Problem::NumberOutOfRange { value: format!("[{first}, {last}]"), range }, node.loc);
        return None;
    }
    let ns = |ms: f64| (ms * MS as f64).round() as u64;
    let max = ns(last - first);
    Some((Dist { form: Form::Uniform { min: 0, max }, max, loc: node.loc }, ns(-first)))
}

fn bytes(cx: &mut Context, node: &Node) -> Option<u32> {
    let value = match &node.kind {
        yaml::Kind::Scalar { text, style: Style::Plain } => core(text),
        _ => Core::Text,
    };
    match value {
        Core::Int(value) if (1..=i64::from(OVERSIZED)).contains(&value) => Some(value as u32),
        Core::Int(_) | Core::OutOfRange => {
            let problem = Problem::NumberOutOfRange { value: number::describe(node), range: "from 1 to 1048576" };
            cx.report(problem, node.loc);
            None
        }
        _ => {
            cx.mistyped("`bytes`", "a whole number from 1 to 1048576", node, None);
            None
        }
    }
}
