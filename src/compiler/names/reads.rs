//! Collects who reads what, and the resulting order of evaluation.

use super::paths::{each_path, each_path_of_value};
use super::{BlockNode, Linked, Miss, Names, Scoped, Site, SpanNode, Step, Target};
use crate::compiler::report::Report;
use crate::compiler::{check, order};
use crate::language::diagnostic::{Problem, Role};
use crate::language::scenario::{Attribute, Body, EventTime, Repeat};
use crate::language::source::Loc;
use crate::language::template::Template;

impl<'m> Names<'m> {
    /// Returns the order in which these vars are evaluated.
    pub(super) fn order_vars(&mut self, own: &[usize], report: &mut Report) -> Vec<usize> {
        let mut dependencies = Vec::with_capacity(own.len());
        for &at in own {
            let (value, site, mut reads) = (self.vars[at].value, self.vars[at].site, Vec::new());
            each_path_of_value(value, &mut |path, loc| {
                let found = self.find(site, path);
                if let Ok(Target::Var(read) | Target::Column { var: read, .. }) = &found {
                    reads.extend(own.binary_search(read));
                }
                self.note(found, loc);
            });
            dependencies.push(dedup(reads));
        }
        let order = order::sort(&dependencies);
        for cycle in order.cycles {
            let name = |&at: &usize| self.vars[own[at]].name;
            let path = cycle.iter().map(|at| name(at).value.clone()).collect();
            report_cycle(Problem::VariableCycle { path }, cycle.iter().map(|at| name(at).loc), report);
        }
        order.nodes.into_iter().map(|at| own[at]).collect()
    }

    /// Notes what is needed outside of its owner.
    fn note(&mut self, found: Result<Target, Miss>, loc: Loc) {
        match found {
            Ok(Target::Var(var) | Target::Column { var, .. }) => self.vars[var].is_read = true,
            Ok(Target::Attribute { span, attribute }) => self.spans[span].attributes[attribute].is_read = true,
            Ok(Target::Answer { span, attribute }) => self.spans[span].attributes[attribute].is_sent = true,
            Ok(Target::Linked { span, read }) => self.spans[span].add_linked(read, loc),
            Ok(Target::RepeatIndex { item }) => self.items[item].reads_index = true,
            Ok(Target::RepeatCount { item }) => self.items[item].reads_count = true,
            Ok(Target::Attempt { item }) => self.items[item].reads_attempt = true,
            Ok(Target::Found { span, link, read }) => self.spans[span].link_reads.push((link, read, loc)),
            Ok(Target::EventIndex { span, event }) => self.spans[span].event_reads[event].0 = true,
            Ok(Target::EventCount { span, event }) => self.spans[span].event_reads[event].1 = true,
            Ok(Target::Propagated { list }) => {
                self.blocks[list].reads_propagated.get_or_insert(loc);
            }
            Ok(Target::Outcome { list, .. }) => {
                self.blocks[list].reads_outcome.get_or_insert(loc);
            }
            _ => {}
        }
    }

    /// Notes what the failure of a span, which is written at `site`, reads and replaces.
    fn note_failure<'t>(
        &mut self,
        span: usize,
        site: Site,
        texts: impl Iterator<Item = &'t Template>,
        attributes: &'m [Attribute],
    ) {
        texts.for_each(|text| each_path(text, &mut |path, loc| self.note(self.find(site, path), loc)));
        for attribute in attributes {
            each_path_of_value(&attribute.value, &mut |path, loc| self.note(self.find(site, path), loc));
        }
        self.spans[span].replace(attributes);
    }

    /// Collects what the terms of an item read, and orders its vars.
    pub(super) fn order_item(&mut self, at: usize, report: &mut Report) {
        let (item, has_words, repeats) = (self.items[at].item, self.items[at].has_words, self.items[at].repeats);
        if repeats && let Some(Repeat::Computed(count)) = &item.repeat {
            each_path(count, &mut |path, loc| self.note(self.find(Site::Repeat { item: at }, path), loc));
        }
        if !has_words {
            return;
        }
        let site = Site::Turn { item: at };
        let own = self.items[at].vars.clone();
        self.items[at].vars = self.order_vars(&own, report);
        let backoff = item.retry.as_ref().and_then(|retry| retry.backoff.as_ref());
        for time in item.wait.iter().chain(&item.timeout).chain(backoff) {
            time.each_template(&mut |text| each_path(text, &mut |path, loc| self.note(self.find(site, path), loc)));
        }
        if let Some(when) = item.retry.as_ref().and_then(|retry| retry.when.as_ref()) {
            let site = Site::Failure { item: at };
            each_path(when, &mut |path, loc| self.note(self.find(site, path), loc));
        }
        if let Body::Work(work) = &item.body {
            work.each_template(&mut |template| {
                each_path(template, &mut |path, loc| self.note(self.find(site, path), loc))
            });
        }
        if let Some(when) = &item.when {
            each_path(when, &mut |path, loc| {
                let found = self.find(site, path);
                self.items[at].handles |= matches!(found, Ok(Target::Outcome { .. }));
                self.note(found, loc);
            });
        }
        if let Some(propagate) = &item.propagate {
            let list = self.items[at].list;
            self.blocks[list].propagates = true;
            self.blocks[list].reads_outcome.get_or_insert(propagate.loc);
            let texts = propagate.when.iter().chain(&propagate.r#type).chain(&propagate.message);
            self.note_failure(self.blocks[list].span, Site::Failure { item: at }, texts, &propagate.attributes);
        }
    }

    /// Collects what the terms of the incidents read that select a span.
    fn note_incidents(&mut self, span: usize) {
        let (model, site) = (self.model, self.spans[span].incident_site(span));
        let selected = self.spans[span].incidents.clone();
        for incident in selected.into_iter().map(|at| &model.incidents[at]) {
            let add = incident.latency.as_ref().and_then(|latency| latency.add.as_ref());
            let mut note = |path: &[String], loc: Loc| self.note(self.find(site, path), loc);
            incident.when.iter().for_each(|when| each_path(when, &mut note));
            for time in incident.delay.iter().chain(add) {
                time.each_template(&mut |text| each_path(text, &mut note));
            }
        }
    }

    /// Collects what the links of a span read.
    fn note_links(&mut self, span: usize) {
        for link in 0..self.spans[span].links.len() {
            let written = self.spans[span].links[link].part;
            let site = Site::Link { span, link };
            let mut note = |path: &[String], loc: Loc| self.note(self.find(site, path), loc);
            if let Some(Repeat::Computed(count)) = &written.count {
                each_path(count, &mut note);
            }
            if let Some(lag) = &written.lag {
                lag.each_template(&mut |text| each_path(text, &mut note));
            }
            written.attributes.iter().for_each(|attribute| each_path_of_value(&attribute.value, &mut note));
        }
    }

    /// Collects what the events of a span read.
    fn note_events(&mut self, span: usize) {
        for event in 0..self.spans[span].events.len() {
            let (written, site) =
                (self.spans[span].events[event].part, self.spans[span].events[event].site(span, None));
            if let Some(Repeat::Computed(count)) = &written.repeat {
                each_path(count, &mut |path, loc| self.note(self.find(site, path), loc));
            }
            let site = Site::Event { span, event };
            let mut note = |path: &[String], loc: Loc| self.note(self.find(site, path), loc);
            if let EventTime::After(time) = &written.at {
                time.each_template(&mut |text| each_path(text, &mut note));
            }
            written.when.iter().chain([&written.name]).for_each(|text| each_path(text, &mut note));
            written.attributes.iter().for_each(|attribute| each_path_of_value(&attribute.value, &mut note));
        }
    }

    /// Passes on, from each group to the list that contains it, whether a failure in the group can be passed on. A block
    /// comes before those that it calls.
    pub(super) fn spread_failures(&mut self) {
        for block in (0..self.blocks.len()).rev() {
            let BlockNode { kind, propagates, caller: Some(caller), .. } = self.blocks[block] else { continue };
            if propagates && kind.is_group() {
                self.blocks[self.items[caller].list].propagates = true;
            }
        }
    }

    /// Collects what the span's templates read: values of the span for the order, and others for their slots.
    pub(super) fn order_span(&mut self, at: usize, report: &mut Report) {
        let own = self.spans[at].error_conditions.iter().filter(|condition| condition.incident.is_none());
        check::probabilities(own.map(|condition| condition.written.part), report);
        let given = std::mem::take(&mut self.spans[at].given);
        self.spans[at].given = self.order_vars(&given, report);
        let attributes = self.spans[at].attributes.len();
        let (operation, export) = (attributes, attributes + 1);
        let mut reads_answer = vec![false; export + 1];
        let mut dependencies = vec![Vec::new(); export + 1];
        let mut collect = |names: &mut Names<'m>, site: Site, path: &[String], loc: Loc| {
            let reads = match site {
                Site::Span { step: Some(Step::Attribute(attribute)), .. } => Some(&mut dependencies[attribute]),
                Site::Span { step: Some(Step::Operation), .. } => Some(&mut dependencies[operation]),
                Site::Span { step: Some(Step::Export), .. } => Some(&mut dependencies[export]),
                _ => None,
            };
            let found = names.find(site, path);
            match (&found, reads) {
                (Ok(Target::Attribute { span, attribute }), Some(reads)) if *span == at => reads.push(*attribute),
                (Ok(Target::ContextKey { .. }), Some(reads)) => reads.push(export),
                _ => {}
            }
            if let (Ok(Target::Answer { .. }), Site::Span { step: Some(Step::Attribute(attribute)), .. }) =
                (&found, site)
            {
                reads_answer[attribute] = true;
            }
            names.note(found, loc);
        };
        for index in 0..attributes {
            let attribute = &self.spans[at].attributes[index];
            let (value, site) = (&attribute.model.value, attribute.site(at, index));
            each_path_of_value(value, &mut |path, loc| collect(self, site, path, loc));
        }
        let name = self.spans[at].operation;
        let mut lacks_operation = false;
        each_path(name.part, &mut |path, loc| {
            lacks_operation |= self.server_has(at, &name, path);
            collect(self, name.site(at, Some(Step::Operation)), path, loc);
        });
        let key = self.spans[at].export;
        if let Some(key) = key {
            each_path(key.part, &mut |path, loc| collect(self, key.site(at, Some(Step::Export)), path, loc));
        }
        let network = self.spans[at].request.as_ref().map(|request| request.network);
        for time in self.spans[at].delay.into_iter().chain(network) {
            let site = time.site(at, None);
            time.part.each_template(&mut |text| each_path(text, &mut |path, loc| collect(self, site, path, loc)));
        }
        for index in 0..self.spans[at].error_conditions.len() {
            let condition = self.spans[at].error_conditions[index].written;
            let (site, condition) = (condition.condition_site(at), condition.part);
            let texts = condition.when.iter().chain([&condition.r#type]).chain(&condition.message);
            self.note_failure(at, site, texts, &condition.attributes);
            if let Some(delay) = &condition.delay {
                delay
                    .each_template(&mut |text| each_path(text, &mut |path, loc| self.note(self.find(site, path), loc)));
            }
        }
        self.note_incidents(at);
        self.note_links(at);
        self.note_events(at);

        let dependencies: Vec<Vec<usize>> = dependencies.into_iter().map(dedup).collect();
        let order = order::sort(&dependencies);
        let has_parent = self.spans[at].parent.is_some();
        for cycle in order.cycles {
            let attribute = |node: usize| self.spans[at].attributes.get(node).map(|attribute| &attribute.model.key);
            let name =
                |&node: &usize| attribute(node).map_or_else(|| "context_key".to_owned(), |key| key.value.clone());
            let path: Vec<String> = cycle.iter().map(name).collect();
            let loc = |&node: &usize| match (attribute(node), key) {
                (Some(attribute), _) => attribute.loc,
                (None, Some(key)) => key.part.loc,
                (None, None) => self.spans[at].place,
            };
            report_cycle(Problem::AttributeCycle { path, has_parent }, cycle.iter().map(loc), report);
        }
        for &node in &order.nodes {
            reads_answer[node] |= dependencies[node].iter().any(|&read| reads_answer[read]);
        }
        for (attribute, is_late) in self.spans[at].attributes.iter_mut().zip(reads_answer) {
            attribute.is_late = is_late;
        }
        if let Some(request) = &mut self.spans[at].request {
            request.lacks_operation = lacks_operation;
        }
        self.spans[at].order = (order.nodes.into_iter())
            .filter_map(|node| match node {
                n if n == operation => Some(Step::Operation),
                n if n == export => key.is_some().then_some(Step::Export),
                n => Some(Step::Attribute(n)),
            })
            .collect();
    }

    /// Reports whether the operation of a client is its server's, and a path in it reads an attribute of that server.
    fn server_has(&self, client: usize, operation: &Scoped<&Template>, path: &[String]) -> bool {
        let Some(request) = self.spans[client].request.as_ref().filter(|request| request.copies_operation) else {
            return false;
        };
        let site = operation.site(request.server, Some(Step::Operation));
        matches!(self.find(site, path), Ok(Target::Attribute { span, .. }) if span == request.server)
    }
}

impl<'m> SpanNode<'m> {
    /// Notes that a failure may set or replace these attributes.
    fn replace(&mut self, attributes: &'m [Attribute]) {
        for attribute in attributes {
            let key = attribute.key.value.as_str();
            if !self.replaced.contains(&key) {
                self.replaced.push(key);
            }
        }
    }

    fn add_linked(&mut self, read: Linked, loc: Loc) {
        if !self.linked_at.contains_key(&read) {
            self.linked_at.insert(read.clone(), self.linked.len());
            self.linked.push((read, loc));
        }
    }
}

fn report_cycle(problem: Problem, places: impl Iterator<Item = Loc>, report: &mut Report) {
    let mut places = places;
    if let Some(at) = places.next() {
        report.add_related(problem, at, Role::Member, places.take(8));
    }
}

fn dedup(mut nodes: Vec<usize>) -> Vec<usize> {
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}
