//! The reads: who reads what, and the order of evaluation that follows.

use super::paths::{each_path, each_path_of_value};
use super::{BlockNode, Linked, Miss, Names, Site, SpanNode, Step, Target, condition_site};
use crate::compiler::order;
use crate::compiler::report::Report;
use crate::language::diagnostic::{Problem, Role};
use crate::language::scenario::{Attribute, Body, EventTime, Item, Repeat};
use crate::language::source::Loc;
use crate::language::template::Template;

impl<'m> Names<'m> {
    /// The order in which these vars are evaluated, which all stand at `site`.
    pub(super) fn order_vars(&mut self, own: &[usize], site: Site, report: &mut Report) -> Vec<usize> {
        let mut dependencies = Vec::with_capacity(own.len());
        for &at in own {
            let (var, mut reads) = (self.vars[at].var, Vec::new());
            each_path_of_value(&var.value, &mut |path, loc| {
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
            let name = |&at: &usize| &self.vars[own[at]].var.name;
            let path = cycle.iter().map(|at| name(at).value.clone()).collect();
            report_cycle(Problem::VariableCycle { path }, cycle.iter().map(|at| name(at).loc), report);
        }
        order.nodes.into_iter().map(|at| own[at]).collect()
    }

    /// Notes what others than its owner need of what was found.
    fn note(&mut self, found: Result<Target, Miss>, loc: Loc) {
        match found {
            Ok(Target::Attribute { span, attribute }) => self.spans[span].read[attribute] = true,
            Ok(Target::Answer { span, attribute }) => self.spans[span].sent[attribute] = true,
            Ok(Target::Linked { span, read }) => self.spans[span].add_linked(read, loc),
            Ok(Target::RepeatIndex { item }) => self.items[item].reads_index = true,
            Ok(Target::RepeatCount { item }) => self.items[item].reads_count = true,
            Ok(Target::Attempt { item }) => self.items[item].reads_attempt = true,
            Ok(Target::Found { span, link, read }) => self.spans[span].link_reads.push((link, read, loc)),
            Ok(Target::EventIndex { span, event }) => self.spans[span].event_reads[event].0 = true,
            Ok(Target::EventCount { span, event }) => self.spans[span].event_reads[event].1 = true,
            Ok(Target::Outcome { list, .. }) => {
                self.blocks[list].reads_outcome.get_or_insert(loc);
            }
            _ => {}
        }
    }

    /// Notes what the failure of a span reads and replaces, which is written at `site`.
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

    /// Collects what the words of an item read, and orders its vars.
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
        self.items[at].vars = self.order_vars(&own, site, report);
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

    /// Collects what the links of a span read.
    fn note_links(&mut self, span: usize) {
        for (link, written) in self.spans[span].span.links.iter().enumerate() {
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
        for (event, written) in self.spans[span].span.events.iter().enumerate() {
            if let Some(Repeat::Computed(count)) = &written.repeat {
                let site = Site::Span { span, step: None };
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

    /// Passes on from each group to the list that it stands in whether a failure in it can be. A block stands before what it calls.
    pub(super) fn spread_failures(&mut self) {
        for block in (0..self.blocks.len()).rev() {
            let BlockNode { kind, propagates, caller: Some(caller), .. } = self.blocks[block] else { continue };
            if propagates && kind.is_group() {
                self.blocks[self.items[caller].list].propagates = true;
            }
        }
    }

    /// Collect what the span's templates read, of itself for the order and of others for their slots.
    pub(super) fn order_span(&mut self, at: usize, report: &mut Report) {
        let span = self.spans[at].span;
        let (operation, export) = (span.attributes.len(), span.attributes.len() + 1);
        let (mut reads_answer, mut lacks_operation) = (vec![false; span.attributes.len()], false);
        let copies_operation = self.copies_operation(at);
        let mut dependencies = vec![Vec::new(); export + 1];
        let mut collect = |names: &mut Names<'m>, step: Option<Step>, path: &[String], loc: Loc| {
            let reads = match step {
                Some(Step::Attribute(attribute)) => Some(&mut dependencies[attribute]),
                Some(Step::Operation) => Some(&mut dependencies[operation]),
                Some(Step::Export) => Some(&mut dependencies[export]),
                None => None,
            };
            let found = names.find(Site::Span { span: at, step }, path);
            if let (Ok(Target::Answer { .. }), Some(Step::Attribute(attribute))) = (&found, step) {
                reads_answer[attribute] = true;
            }
            match found {
                Ok(Target::Attribute { span, attribute }) => {
                    names.spans[span].read[attribute] = true;
                    if let (Some(reads), true) = (reads, span == at) {
                        reads.push(attribute);
                    }
                }
                Ok(Target::ContextKey { .. }) => {
                    if let Some(reads) = reads {
                        reads.push(export);
                    }
                }
                found => names.note(found, loc),
            }
        };
        for (i, attribute) in span.attributes.iter().enumerate() {
            each_path_of_value(&attribute.value, &mut |path, loc| collect(self, Some(Step::Attribute(i)), path, loc));
        }
        each_path(&span.operation, &mut |path, loc| {
            lacks_operation |= copies_operation && self.server_has(at, path);
            collect(self, Some(Step::Operation), path, loc);
        });
        if let Some(template) = &span.export {
            each_path(template, &mut |path, loc| collect(self, Some(Step::Export), path, loc));
        }
        let network = self.request(at).and_then(|item| item.client.as_deref()).map(|client| &client.network);
        for time in span.delay.iter().chain(network) {
            time.each_template(&mut |template| each_path(template, &mut |path, loc| collect(self, None, path, loc)));
        }
        for condition in &span.error_conditions {
            let texts = condition.when.iter().chain([&condition.r#type]).chain(&condition.message);
            let site = condition_site(at, condition);
            self.note_failure(at, site, texts, &condition.attributes);
            if let Some(delay) = &condition.delay {
                delay
                    .each_template(&mut |text| each_path(text, &mut |path, loc| self.note(self.find(site, path), loc)));
            }
        }
        self.note_links(at);
        self.note_events(at);

        let dependencies: Vec<Vec<usize>> = dependencies.into_iter().map(dedup).collect();
        let order = order::sort(&dependencies);
        let has_parent = self.spans[at].parent.is_some();
        for cycle in order.cycles {
            let name = |&node: &usize| match span.attributes.get(node) {
                Some(attribute) => attribute.key.value.clone(),
                None => "context_key".to_owned(),
            };
            let path: Vec<String> = cycle.iter().map(name).collect();
            let loc = |&node: &usize| match (span.attributes.get(node), &span.export) {
                (Some(attribute), _) => attribute.key.loc,
                (None, Some(export)) => export.loc,
                (None, None) => span.loc,
            };
            report_cycle(Problem::AttributeCycle { path, has_parent }, cycle.iter().map(loc), report);
        }
        for node in &order.nodes {
            if *node < reads_answer.len() {
                reads_answer[*node] |= dependencies[*node].iter().any(|read| reads_answer.get(*read) == Some(&true));
            }
        }
        self.spans[at].order = (order.nodes.into_iter())
            .filter_map(|node| match node {
                n if n == operation => Some(Step::Operation),
                n if n == export => span.export.is_some().then_some(Step::Export),
                n => Some(Step::Attribute(n)),
            })
            .collect();
        self.spans[at].late = reads_answer;
        self.spans[at].lacks_operation = lacks_operation;
    }

    /// Whether the span is a client of which no operation is written.
    fn copies_operation(&self, span: usize) -> bool {
        let client = self.request(span).and_then(|item| item.client.as_deref());
        client.is_some_and(|client| client.copies_operation)
    }

    /// The item that a client stands around, if the span is one.
    fn request(&self, span: usize) -> Option<&'m Item> {
        let server = self.spans[span].server?;
        self.blocks[self.spans[server].block].caller.map(|item| self.items[item].item)
    }

    /// Whether a path in the operation of the server that `client` calls reads an attribute of that server.
    fn server_has(&self, client: usize, path: &[String]) -> bool {
        let Some(server) = self.spans[client].server else { return false };
        let site = Site::Span { span: server, step: Some(Step::Operation) };
        matches!(self.find(site, path), Ok(Target::Attribute { span, .. }) if span == server)
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
