//! Reads a file's documents: scenarios, services and shared spans.

use std::rc::Rc;
use std::sync::Arc;

use super::contents::Contents;
use super::fields::{Context, Fields, is_free};
use super::{
    Scenario, Service, Span, Var, filler, incident, instrumentation, load, malform, number, span, value, version,
};
use crate::language::Limits;
use crate::language::diagnostic::{Diagnostic, Problem, short};
use crate::language::source::{FileId, Loc, Located};
use crate::language::template::Memo;
use crate::language::yaml::{self, Core, Kind, Node, core};

/// The fields of a file; a base has all but the last.
const FILE_FIELDS: [&str; 7] = ["schema_version", "services", "spans", "load", "incidents", "malform", "scenarios"];
/// The fields that mark a mapping as a file's; without any of them, it is a scenario.
const FILE_MARKS: [&str; 7] = ["schema_version", "services", "scenarios", "spans", "load", "incidents", "malform"];
const SCENARIO_MARKS: [&str; 4] = ["name", "scenario_name", "root_span", "steps"];
const SCENARIO_FIELDS: [&str; 8] =
    ["name", "scenario_name", "description", "weight", "load", "vars", "root_span", "steps"];
/// The fields of a scenario that is a whole document.
const DOCUMENT_FIELDS: [&str; 13] = [
    "name",
    "scenario_name",
    "description",
    "weight",
    "load",
    "vars",
    "root_span",
    "steps",
    "schema_version",
    "services",
    "spans",
    "incidents",
    "malform",
];

/// Reads a file; `base` says whether it is a `_base.yaml`. When the budget is spent, the remainder is left out.
pub(in crate::language) fn read(
    file: FileId,
    text: &str,
    base: bool,
    limits: Limits,
    diagnostics: &mut Vec<Diagnostic>,
) -> Contents {
    let parsed = yaml::parse(file, text, limits, diagnostics);
    let mut reader = Reader {
        cx: Context { text, limits, templates: Memo::default(), misspelt_names: 0, diagnostics },
        base,
        contents: Contents::default(),
    };
    if !parsed.complete {
        reader.contents.mark_short();
    }
    let empty = parsed.complete && parsed.documents.iter().all(|node| node.is_null());
    for document in &parsed.documents {
        reader.document(document);
    }
    let contents = reader.contents;
    if empty && !base {
        diagnostics.push(Diagnostic::new(Problem::NoScenarios, Loc { file, start: 0, end: 0 }));
    }
    contents
}

struct Reader<'a> {
    cx: Context<'a>,
    base: bool,
    contents: Contents,
}

impl Reader<'_> {
    fn document(&mut self, node: &Rc<Node>) {
        match &node.kind {
            Kind::Mapping(entries) => {
                let has = |marks: &[&str]| entries.iter().any(|entry| marks.contains(&&*entry.key.value));
                let only_free = !entries.is_empty() && entries.iter().all(|entry| is_free(&entry.key.value));
                // A document with a scenario's fields is a scenario, in which fields of the file may be, too.
                if self.base || !has(&SCENARIO_MARKS) && has(&FILE_MARKS) || only_free {
                    self.file(node);
                } else {
                    self.scenario(node, &DOCUMENT_FIELDS);
                }
            }
            Kind::Sequence(items) if self.base => {
                if let Some(item) = items.first() {
                    self.cx.report(Problem::ScenarioInBase { field: "a list".into() }, item.loc);
                }
            }
            Kind::Sequence(items) => items.iter().for_each(|item| self.scenario(item, &SCENARIO_FIELDS)),
            Kind::Broken => self.contents.mark_short(),
            Kind::Scalar { .. } if node.is_null() => {}
            Kind::Scalar { .. } => {
                let expected = "a scenario, a list of scenarios, or `services` and `scenarios`";
                self.cx.mistyped("a scenario file", expected, node, None);
            }
        }
    }

    fn file(&mut self, node: &Rc<Node>) {
        if self.base
            && let Kind::Mapping(entries) = &node.kind
        {
            let scenario = |entry: &&yaml::Entry| {
                let key = &*entry.key.value;
                key == "scenarios" || SCENARIO_MARKS.contains(&key)
            };
            if let Some(entry) = entries.iter().find(scenario) {
                let problem = Problem::ScenarioInBase { field: format!("`{}`", entry.key.value) };
                self.cx.report(problem, entry.key.loc);
                self.contents.mark_short();
                return;
            }
        }
        let known = if self.base { &FILE_FIELDS[..6] } else { &FILE_FIELDS[..] };
        let Some(fields) = Fields::read(&mut self.cx, node, "a file", known) else { return };
        self.shared_by_all(&fields);
        if let Some(node) = fields.optional("load") {
            self.contents.loads.extend(load::load(&mut self.cx, node));
        }
        match fields.optional("scenarios").map(|node| (node, &node.kind)) {
            Some((_, Kind::Sequence(items))) => items.iter().for_each(|item| self.scenario(item, &SCENARIO_FIELDS)),
            Some((node, _)) => self.cx.mistyped("`scenarios`", "a list of scenarios", node, None),
            None => {}
        }
    }

    /// Reads the fields that apply to the whole file.
    fn shared_by_all(&mut self, fields: &Fields) {
        if let Some(entry) = fields.get("schema_version") {
            self.schema_version(&entry.value);
        }
        if let Some(entry) = fields.get("services") {
            self.services(&entry.value, entry.key.loc);
        }
        if let Some(entry) = fields.get("spans") {
            span::read_shared(&mut self.cx, &entry.value, Arc::make_mut(&mut self.contents.shared));
        } else if fields.is_misspelt("spans") {
            Arc::make_mut(&mut self.contents.shared).mark_short();
        }
        if let Some(entry) = fields.get("incidents") {
            self.contents.incidents.append(&mut incident::incidents(&mut self.cx, &entry.value));
        }
        if let Some(entry) = fields.get("malform") {
            malform::read(&mut self.cx, &entry.value, &mut self.contents.malform);
        }
    }

    fn schema_version(&mut self, node: &Node) {
        let one = match &node.kind {
            Kind::Scalar { text, .. } => matches!(core(text), Core::Int(1)) || &**text == "1.0",
            Kind::Broken => true,
            _ => false,
        };
        if !one {
            let value = match &node.kind {
                Kind::Scalar { text, .. } => short(text),
                _ => super::fields::describe(node),
            };
            self.cx.report(Problem::SchemaVersion { value }, node.loc);
        }
    }

    fn services(&mut self, node: &Node, key: Loc) {
        self.contents.lists.push(key);
        match &node.kind {
            Kind::Sequence(items) => {
                for item in items {
                    match self.cx.text("a service's name", item) {
                        Some(name) => self.service(service(name)),
                        None => self.contents.services_unsure = true,
                    }
                }
            }
            Kind::Mapping(entries) => {
                for entry in entries {
                    let name = Located::new(entry.key.value.to_string(), entry.key.loc);
                    if name.value.is_empty() {
                        self.cx.report(Problem::Empty { subject: "a service's name".into() }, name.loc);
                        continue;
                    }
                    let service = self.properties(service(name), &entry.value);
                    self.service(service);
                }
            }
            _ => {
                self.cx.mistyped("`services`", "a list of names, or names with their properties", node, None);
                self.contents.services_unsure = true;
            }
        }
    }

    fn properties(&mut self, service: Service, node: &Node) -> Service {
        let cx = &mut self.cx;
        if node.is_null() {
            return service;
        }
        let known = ["version", "namespace", "instances", "scope", "clock_resolution_ms", "attributes", "filler"];
        let Some(fields) = Fields::read(cx, node, "a service", &known) else { return service };
        let mut attributes = value::attributes(cx, fields.optional("attributes"));
        let source = if fields.get("instances").is_some() { filler::Source::Instance } else { filler::Source::One };
        filler::filler(cx, &fields, &source, &mut attributes);
        Service {
            version: fields.get("version").and_then(|entry| version::version(cx, &entry.value)),
            namespace: fields.get("namespace").and_then(|entry| cx.text("`namespace`", &entry.value)),
            // A wrong or misspelt number is not a missing one: reads of `instance.index` are valid.
            instances: match fields.get("instances") {
                Some(entry) => {
                    Some(number::instances(cx, &entry.value).unwrap_or_else(|| Located::new(1, entry.value.loc)))
                }
                None => fields.is_misspelt("instances").then(|| Located::new(1, fields.loc)),
            },
            scope: instrumentation::scope(cx, &fields),
            clock_resolution: fields
                .get("clock_resolution_ms")
                .and_then(|entry| number::clock_resolution(cx, &entry.value)),
            attributes,
            ..service
        }
    }

    fn service(&mut self, service: Service) {
        if let Some(twice) = Arc::make_mut(&mut self.contents.services).add(service) {
            self.cx.add(twice);
        }
    }

    fn scenario(&mut self, node: &Rc<Node>, known: &[&'static str]) {
        let misspelt_before = self.cx.misspelt_names;
        let Some(fields) = Fields::read(&mut self.cx, node, "a scenario", known) else { return };
        if known.contains(&"spans") {
            self.shared_by_all(&fields);
        }
        let cx = &mut self.cx;
        let name = match fields.either(cx, "name", "scenario_name") {
            Some(entry) => cx.text(&format!("`{}`", entry.key.value), &entry.value),
            None => {
                fields.missing(cx, "name");
                None
            }
        };
        let description = fields.optional("description").and_then(|node| match &node.kind {
            Kind::Scalar { text, .. } => Some(Located::new(text.to_string(), node.loc)),
            _ => {
                cx.mistyped("`description`", "text", node, None);
                None
            }
        });
        // With a load of its own a scenario is no alternative to others.
        fields.either(cx, "load", "weight");
        let weight = fields.get("weight").and_then(|entry| number::weight(cx, &entry.value));
        let load = fields.optional("load").and_then(|node| load::load(cx, node));
        let vars = value::vars(cx, fields.optional("vars"));
        let Some((root_vars, root)) = self.root(&fields) else { return };
        self.contents.scenarios.push(Scenario {
            // This is known when the files are put together.
            scope: 0,
            name: name.unwrap_or_else(|| Located::new(String::new(), fields.head())),
            description,
            weight,
            load,
            vars,
            root_vars,
            root,
            lacks_names: self.cx.misspelt_names > misspelt_before,
            loc: fields.loc,
        });
    }

    /// Reads the root span and its vars.
    fn root(&mut self, fields: &Fields) -> Option<(Vec<Var>, Span)> {
        let cx = &mut self.cx;
        let Some(entry) = fields.either(cx, "root_span", "steps") else {
            fields.missing(cx, "root_span");
            return None;
        };
        let (key, node) = (entry.key.loc, &*entry.value);
        if &*entry.key.value == "root_span" {
            return span::root(cx, node);
        }
        match &node.kind {
            Kind::Sequence(items) if !items.is_empty() => Some((vec![], span::steps(cx, items)?)),
            Kind::Sequence(_) => {
                cx.report(Problem::Empty { subject: "`steps`".into() }, key);
                None
            }
            _ => {
                cx.mistyped("`steps`", "a list of spans", node, None);
                None
            }
        }
    }
}

fn service(name: Located<String>) -> Service {
    Service {
        name,
        version: None,
        namespace: None,
        instances: None,
        scope: None,
        clock_resolution: None,
        attributes: vec![],
    }
}
