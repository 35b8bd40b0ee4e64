//! The names of the values of traces, spans and events, and the functions that read them.

use super::compile::{Compiler, Kind, Subject, Typed};
use super::term::Term;
use super::values::{EventValue, SpanValue, TraceValue};
use super::vocabulary::Vocabulary;
use crate::language::diagnostic::nearest;
use crate::language::source::Loc;
use crate::language::template::Node;
use crate::plan::{Number, SpanKind};
use std::collections::BTreeSet;

impl Subject for SpanValue {
    const OWNER: &'static str = "a span";

    fn names() -> Vec<&'static str> {
        vec!["name", "kind", "service", "status", "failed", "duration_ms", "is_root", "scope.name", "scope.version"]
    }

    fn named(path: &str, known: &Vocabulary) -> Option<(SpanValue, Kind)> {
        Some(match path {
            "name" => (SpanValue::Name, Kind::Text),
            "kind" => (SpanValue::Kind, Kind::Text),
            "service" => (SpanValue::Service, Kind::Text),
            "status" => (SpanValue::Status, Kind::Text),
            "failed" => (SpanValue::Failed, Kind::Bool),
            "duration_ms" => (SpanValue::DurationMs, Kind::Double),
            "is_root" => (SpanValue::IsRoot, Kind::Bool),
            "scope.name" => (SpanValue::ScopeName, Kind::Text),
            "scope.version" => (SpanValue::ScopeVersion, Kind::Text),
            _ => {
                let (value, key, keys) = match (path.strip_prefix("resource."), path.strip_prefix("attributes.")) {
                    (Some(key), _) => (SpanValue::Resource(key.into()), key, &known.resources),
                    (None, Some(key)) => (SpanValue::Attribute(key.into()), key, &known.attributes),
                    (None, None) => (SpanValue::Attribute(path.into()), path, &known.attributes),
                };
                (known.is_empty() || keys.contains(key)).then_some((value, Kind::Unknown))?
            }
        })
    }

    fn keys(known: &Vocabulary) -> Vec<&str> {
        known.attributes.iter().map(String::as_str).collect()
    }

    fn hint(name: &str, known: &Vocabulary) -> Option<String> {
        let trace = ["spans", "scenario"].contains(&name) || name.starts_with("root.");
        if trace {
            return Some("it is a value of a trace: it can be read only outside of `any`, `all` and `count`".into());
        }
        if let Some(key) = name.strip_prefix("resource.") {
            let meant = nearest(key, known.resources.iter().map(String::as_str));
            return meant.map(|meant| format!("did you mean `resource.{meant}`?"));
        }
        known.resources.contains(name).then(|| format!("it is one of the resource: write `resource.{name}`"))
    }

    fn call(compiler: &mut Compiler<'_>, name: &str, loc: Loc, arguments: &[Node]) -> Option<Option<Typed<SpanValue>>> {
        let (usage, value): (_, fn(String) -> SpanValue) = match name {
            "attribute" => ("attribute('key')", SpanValue::Attribute),
            "resource" => ("resource('key')", SpanValue::Resource),
            _ => return None,
        };
        Some(key(compiler, usage, loc, arguments).and_then(|key| {
            let path = if name == "resource" { format!("resource.{key}") } else { format!("attributes.{key}") };
            let shown = if name == "resource" { path.clone() } else { key.clone() };
            known_key(compiler, (&path, &shown), loc, value(key))
        }))
    }

    fn range(&self, known: &Vocabulary) -> Option<(Number, Number)> {
        matches!(self, SpanValue::DurationMs).then(|| durations(known))
    }

    fn among<'k>(&self, known: &'k Vocabulary) -> Option<(&'static str, Vec<&'k str>)> {
        match self {
            SpanValue::Kind => Some(("kind", SpanKind::ALL.iter().map(|kind| kind.name()).collect())),
            SpanValue::Status => Some(("status", vec!["unset", "ok", "error"])),
            SpanValue::Service if !known.is_empty() => Some(("service", all(&known.services))),
            _ => None,
        }
    }
}

impl Subject for TraceValue {
    const OWNER: &'static str = "a trace";

    fn names() -> Vec<&'static str> {
        vec!["failed", "duration_ms", "spans", "scenario", "service", "root.name", "root.service", "root.duration_ms"]
    }

    fn named(path: &str, known: &Vocabulary) -> Option<(TraceValue, Kind)> {
        Some(match path {
            "failed" => (TraceValue::Failed, Kind::Bool),
            "duration_ms" => (TraceValue::DurationMs, Kind::Double),
            "spans" => (TraceValue::Spans, Kind::Int),
            "scenario" => (TraceValue::Scenario, Kind::Text),
            "service" => (TraceValue::Root(SpanValue::Service), Kind::Text),
            _ => {
                let (value, kind) = SpanValue::named(path.strip_prefix("root.")?, known)?;
                (TraceValue::Root(value), kind)
            }
        })
    }

    fn keys(_: &Vocabulary) -> Vec<&str> {
        vec![]
    }

    fn hint(name: &str, known: &Vocabulary) -> Option<String> {
        if let Some(of_root) = name.strip_prefix("root.") {
            let names = SpanValue::names().into_iter().chain(SpanValue::keys(known));
            let meant = nearest(of_root.trim_start_matches("attributes."), names);
            return meant.map(|meant| format!("did you mean `root.{meant}`?"));
        }
        let of_span = !known.is_empty() && SpanValue::named(name, known).is_some();
        of_span.then(|| format!("write `root.{name}` for the root span's, or `any({name} ..)` for that of any span"))
    }

    fn call(
        compiler: &mut Compiler<'_>,
        name: &str,
        loc: Loc,
        arguments: &[Node],
    ) -> Option<Option<Typed<TraceValue>>> {
        let usage = match name {
            "any" => "any(name == 'GET')",
            "all" => "all(name == 'GET')",
            "count" => "count(name == 'GET')",
            "root" => {
                let key = key(compiler, "root('key')", loc, arguments);
                return Some(key.and_then(|key| {
                    let value = TraceValue::Root(SpanValue::Attribute(key.clone()));
                    let names = (&*format!("root.attributes.{key}"), &*format!("root.{key}"));
                    known_key(compiler, names, loc, value)
                }));
            }
            _ => return None,
        };
        let operand = compiler.arguments(usage, loc, arguments).and_then(|[operand]| compiler.condition(operand));
        Some(operand.map(|operand| {
            let (value, kind) = match name {
                "any" => (TraceValue::Any(Box::new(operand)), Kind::Bool),
                "all" => (TraceValue::All(Box::new(operand)), Kind::Bool),
                _ => (TraceValue::Count(Box::new(operand)), Kind::Int),
            };
            Typed { term: Term::Read(value), kind }
        }))
    }

    fn range(&self, known: &Vocabulary) -> Option<(Number, Number)> {
        match self {
            TraceValue::DurationMs => Some(durations(known)),
            TraceValue::Spans | TraceValue::Count(_) => {
                let most = if known.is_empty() { u32::MAX } else { known.most_spans };
                Some((Number::Int(0), Number::Int(most.into())))
            }
            _ => None,
        }
    }

    fn among<'k>(&self, known: &'k Vocabulary) -> Option<(&'static str, Vec<&'k str>)> {
        match self {
            TraceValue::Scenario if !known.is_empty() => Some(("scenario", all(&known.scenarios))),
            TraceValue::Root(value) => value.among(known),
            _ => None,
        }
    }
}

impl Subject for EventValue {
    const OWNER: &'static str = "an event";

    fn names() -> Vec<&'static str> {
        vec!["name"]
    }

    fn named(path: &str, known: &Vocabulary) -> Option<(EventValue, Kind)> {
        if path == "name" {
            return Some((EventValue::Name, Kind::Text));
        }
        let key = path.strip_prefix("attributes.").unwrap_or(path);
        let is_known = known.is_empty() || known.events.contains(key);
        is_known.then(|| (EventValue::Attribute(key.into()), Kind::Unknown))
    }

    fn keys(known: &Vocabulary) -> Vec<&str> {
        known.events.iter().map(String::as_str).collect()
    }

    fn hint(_: &str, _: &Vocabulary) -> Option<String> {
        None
    }

    fn call(
        compiler: &mut Compiler<'_>,
        name: &str,
        loc: Loc,
        arguments: &[Node],
    ) -> Option<Option<Typed<EventValue>>> {
        (name == "attribute").then(|| {
            let key = key(compiler, "attribute('key')", loc, arguments)?;
            known_key(compiler, (&format!("attributes.{key}"), &key.clone()), loc, EventValue::Attribute(key))
        })
    }

    fn range(&self, _: &Vocabulary) -> Option<(Number, Number)> {
        None
    }

    fn among<'k>(&self, _: &'k Vocabulary) -> Option<(&'static str, Vec<&'k str>)> {
        None
    }
}

/// Returns the key that is the only argument of a function.
fn key(compiler: &mut Compiler<'_>, usage: &'static str, loc: Loc, arguments: &[Node]) -> Option<String> {
    let [key] = compiler.arguments(usage, loc, arguments)?;
    compiler.written(usage, key).map(String::from)
}

/// Returns the value of an attribute, unless its path is known not to name one. The second name is the one that is shown.
fn known_key<V: Subject>(
    compiler: &mut Compiler<'_>,
    (path, shown): (&str, &str),
    loc: Loc,
    value: V,
) -> Option<Typed<V>> {
    match V::named(path, compiler.known) {
        Some(_) => Some(Typed { term: Term::Read(value), kind: Kind::Unknown }),
        None => compiler.unknown(shown, loc),
    }
}

fn all(names: &BTreeSet<String>) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// Returns the range of durations in ms.
fn durations(known: &Vocabulary) -> (Number, Number) {
    let longest = if known.is_empty() { u64::MAX } else { known.longest };
    (Number::Int(0), Number::Int((longest / 1_000_000).saturating_add(1).try_into().unwrap_or(i64::MAX)))
}
