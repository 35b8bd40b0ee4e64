//! The spans that incidents select.

use super::{ConditionNode, Names, Scoped, Site, Target};
use crate::compiler::report::Report;
use crate::language::diagnostic::{Problem, Role};
use crate::language::scenario::incident::{Incident, Select};
use crate::language::scenario::{Scalar, Value};
use crate::language::source::FileId;
use crate::language::template::{Expr, Part, Template};
use crate::plan::glob;
use std::sync::atomic::Ordering;

/// What stands in an operation for a part that is known only when a trace is made: a character that no file contains.
const UNKNOWN: char = '\0';
/// The number of names after one another that are followed to find an operation, and of its parts that are looked at.
const MOST_STEPS: usize = 8;
const MOST_PARTS: usize = 256;
/// The size in bytes beyond which the rest of an operation counts as unknown.
const MOST_BYTES: usize = 4_096;
/// The most work for selecting spans, in all scenarios together.
const MOST_WORK: u64 = 1 << 28;
/// The work of putting an incident, or one of its conditions, into a span.
const SELECTED: u64 = 256;

impl<'m> Names<'m> {
    /// Notes for each span which incidents select it, and puts their error conditions in front of its own, in file order.
    pub(super) fn select_spans(&mut self, report: &mut Report) {
        let incidents = &self.model.incidents;
        for span in 0..self.spans.len() {
            let operation = self.operation_of(span);
            if !self.is_within(span, &operation) {
                let fault = format!("selecting spans by {} incidents takes more work than is allowed", incidents.len());
                return report.add(Problem::BeyondLimits { fault }, incidents[0].loc);
            }
            let selected =
                incidents.iter().enumerate().filter(|(_, incident)| self.selects(incident, span, &operation));
            let selected: Vec<usize> = selected.map(|(at, _)| at).collect();
            let scope = self.spans[span].own_scope;
            let conditions = selected.iter().flat_map(|&at| {
                let conditions = incidents[at].error_conditions.iter();
                conditions.map(move |part| ConditionNode { written: Scoped { part, scope }, incident: Some(at) })
            });
            self.spans[span].error_conditions.splice(0..0, conditions);
            let down = selected.iter().find_map(|&at| incidents[at].down);
            if let Some(down) = down.filter(|_| self.spans[span].parent.is_none()) {
                let problem = Problem::RootDown { scenario: self.scenario.name.value.clone() };
                report.add_related(problem, down, Role::Span, [self.spans[span].place]);
            }
            self.spans[span].incidents = selected;
        }
    }

    /// Adds the work of comparing a span with all incidents, and of what those bring that have no glob to compare, and
    /// reports whether all work so far is within the limit.
    fn is_within(&self, span: usize, operation: &str) -> bool {
        let names = [&self.scenario.name.value, &self.spans[span].service.value].map(String::len);
        let longest = names.into_iter().fold(operation.len(), usize::max) as u64;
        let work = |incident: &Incident| {
            let globs = ["scenario", "service", "operation"].map(|field| incident.select.as_ref()?.glob(field));
            let compared: u64 = globs.into_iter().flatten().map(|glob| 1 + glob.len() as u64 * longest / 64).sum();
            let taken = SELECTED * (1 + incident.error_conditions.len() as u64);
            compared + if self.selects(incident, span, operation) { taken } else { 0 }
        };
        let incidents = self.model.incidents.iter();
        let mut so_far = self.shared.selecting.load(Ordering::Relaxed);
        for incident in incidents {
            // What costs too much to compare is not compared.
            let longest_glob = incident.select.as_ref().map_or(0, Select::longest);
            if so_far > MOST_WORK || longest_glob as u64 * longest > MOST_WORK {
                return false;
            }
            let own = work(incident);
            so_far = self.shared.selecting.fetch_add(own, Ordering::Relaxed) + own;
        }
        so_far <= MOST_WORK
    }

    fn selects(&self, incident: &Incident, span: usize, operation: &str) -> bool {
        let Some(select) = &incident.select else { return incident.changes_spans() };
        let fits = |field: &str, text: &str| select.glob(field).is_none_or(|glob| glob::matches(glob, text));
        fits("scenario", &self.scenario.name.value)
            && fits("service", &self.spans[span].service.value)
            && fits("operation", operation)
            && self.has_instance(select, span)
    }

    /// Reports whether the service of a span has one of the instances that are selected.
    fn has_instance(&self, select: &Select, span: usize) -> bool {
        let count = self.instances_of(span);
        select.instances.is_empty() || select.instances.iter().any(|instance| instance.value < count)
    }

    /// Returns the number of instances of a span's service.
    pub fn instances_of(&self, span: usize) -> u32 {
        let services = self.model.scopes.get(self.scenario.scope).and_then(|scope| scope.services.as_ref());
        let service = services.and_then(|services| services.get(&self.spans[span].service.value));
        service.and_then(|service| service.instances.as_ref()).map_or(1, |instances| instances.value)
    }

    /// Returns the operation of a span, in which [`UNKNOWN`] stands for each part that is not constant.
    pub fn operation_of(&self, span: usize) -> String {
        let operation = &self.spans[span].operation;
        let mut text = Written { text: String::new(), parts: MOST_PARTS };
        self.append_template(&mut text, operation.part, operation.site(span, None), MOST_STEPS);
        text.text
    }

    fn append_template(&self, text: &mut Written, template: &Template, site: Site, steps: usize) {
        for part in &template.parts {
            if !text.has_room() {
                return;
            }
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Expr(node) => match &*node.value {
                    Expr::Path(path) => self.append_path(text, path, site, steps),
                    Expr::Text(part) => text.push_str(part),
                    _ => text.push(UNKNOWN),
                },
            }
        }
    }

    fn append_path(&self, text: &mut Written, path: &[String], site: Site, steps: usize) {
        let (value, site) = match self.find(site, path) {
            Ok(Target::Var(var)) => (self.vars[var].value, self.vars[var].site),
            Ok(Target::Attribute { span, attribute }) => {
                let node = &self.spans[span].attributes[attribute];
                (&node.model.value, node.site(span, attribute))
            }
            Ok(Target::ServiceName { span }) => return text.push_str(&self.spans[span].service.value),
            Ok(Target::ScenarioName) => return text.push_str(&self.scenario.name.value),
            _ => return text.push(UNKNOWN),
        };
        match value {
            Value::Scalar(Scalar::Bool(value)) => text.push_str(&value.value.to_string()),
            Value::Scalar(Scalar::Int(value)) => text.push_str(&value.value.to_string()),
            Value::Scalar(Scalar::Text(template) | Scalar::Expr(template)) if steps > 0 => {
                self.append_template(text, template, site, steps - 1);
            }
            _ => text.push(UNKNOWN),
        }
    }
}

/// A text under construction, whose length and number of parts are limited.
struct Written {
    text: String,
    /// The number of parts that may still be added.
    parts: usize,
}

impl Written {
    /// Counts a part, and reports whether there is room for it. What there is no room for is unknown.
    fn has_room(&mut self) -> bool {
        let has_room = self.parts > 0 && self.text.len() <= MOST_BYTES;
        match self.parts.checked_sub(1) {
            Some(left) if has_room => self.parts = left,
            _ => {
                if !self.text.ends_with(UNKNOWN) {
                    self.text.push(UNKNOWN);
                }
            }
        }
        has_room
    }

    fn push_str(&mut self, part: &str) {
        self.text.push_str(part);
    }

    fn push(&mut self, part: char) {
        self.text.push(part);
    }
}

impl Select {
    /// Returns the size of its longest glob in bytes.
    fn longest(&self) -> usize {
        let globs = ["scenario", "service", "operation"].map(|field| self.glob(field).map_or(0, str::len));
        globs.into_iter().max().unwrap_or(0)
    }

    /// Returns the glob of a field, if it has one.
    fn glob(&self, field: &str) -> Option<&str> {
        let glob = match field {
            "service" => &self.service,
            "operation" => &self.operation,
            _ => &self.scenario,
        };
        glob.as_ref().map(|glob| glob.value.as_str())
    }
}

/// The number of names that a report lists.
const MOST_NAMES: usize = 5;

/// Reports incidents that select no span of any scenario, unless a file that was not read may have one; and those that
/// select spans, but change nothing of them.
pub fn check_selections(names: &[Names], partial: &[FileId], report: &mut Report) {
    let Some(incidents) = names.first().map(|names| &names.model.incidents) else { return };
    for (at, incident) in incidents.iter().enumerate() {
        if !incident.has_effect()
            && let Some(loc) =
                incident.select.as_ref().map(|select| select.loc).or(incident.when.as_ref().map(|when| when.loc))
        {
            report.add(Problem::IncidentWithoutEffect { name: incident.name.value.clone() }, loc);
        }
        let selects = names.iter().any(|names| names.spans.iter().any(|span| span.incidents.contains(&at)));
        if selects || partial.contains(&incident.loc.file) {
            continue;
        }
        if let Some(select) = &incident.select {
            report_selection(select, names, report);
        }
    }
}

/// Reports the first field of a selection that no span fits, of those that fit the fields before.
fn report_selection(select: &Select, names: &[Names], report: &mut Report) {
    let mut spans: Vec<(&Names, usize)> =
        names.iter().flat_map(|names| (0..names.spans.len()).map(move |span| (names, span))).collect();
    for (field, glob) in
        [("scenario", &select.scenario), ("service", &select.service), ("operation", &select.operation)]
    {
        let Some(glob) = glob else { continue };
        let text = |(names, span): &(&Names, usize)| match field {
            "scenario" => names.scenario.name.value.clone(),
            "service" => names.spans[*span].service.value.clone(),
            _ => names.operation_of(*span).replace(UNKNOWN, "*"),
        };
        let fitting: Vec<_> = spans.iter().copied().filter(|span| glob::matches(&glob.value, &text(span))).collect();
        if fitting.is_empty() {
            let mut among: Vec<String> = spans.iter().map(text).collect();
            among.sort_unstable();
            among.dedup();
            let nearest = report.nearest(&glob.value, among.iter().map(String::as_str));
            among.truncate(MOST_NAMES);
            return report.add(Problem::SelectsNothing { field, glob: glob.value.clone(), nearest, among }, glob.loc);
        }
        spans = fitting;
    }
    if let Some(instance) = select.instances.first() {
        let most = spans.iter().map(|(names, span)| names.instances_of(*span)).max().unwrap_or(1);
        let among = vec![format!("0 to {}", most - 1)];
        let glob = instance.value.to_string();
        report.add(Problem::SelectsNothing { field: "instance", glob, nearest: None, among }, instance.loc);
    }
}
