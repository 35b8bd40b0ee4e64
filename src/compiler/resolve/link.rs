//! The links of a span.

use super::span::{Draft, keep};
use super::{Resolver, State};
use crate::compiler::link::Use;
use crate::compiler::names::{Linked, Site};
use crate::compiler::report::Report;
use crate::compiler::typed::Action;
use crate::language::scenario;
use crate::plan::{Expr, Link, LinkCount, LinkId, limits};

impl<'m> Resolver<'m> {
    /// Adds the steps that find the spans to which a span links. What is read of the first link's span, here or below, is
    /// stored in slots at once, because reads below are reads of slots.
    pub(super) fn links(&mut self, state: &mut State<'_, 'm>, draft: &mut Draft, report: &mut Report) {
        let node = &state.names.spans[draft.at];
        for (number, written) in node.links.iter().map(|link| link.part).enumerate() {
            let is_first = number == 0;
            let Some(link) = self.link(state, draft.at, number, written, report) else { continue };
            let below = node.linked.iter().filter(|_| is_first).cloned();
            let own = node.link_reads.iter().filter(|(link, ..)| *link == number);
            self.links.push(Use {
                scenario: state.scenario,
                span: draft.at,
                link,
                same_trace: written.same_trace,
                reads: below.chain(own.map(|(_, read, loc)| (read.clone(), *loc))).collect(),
                loc: written.glob.loc,
            });
            draft.push(Action::Link(link), written.glob.loc);
            for (read, loc) in node.linked.iter().filter(|_| is_first) {
                let (name, value) = match read {
                    Linked::Attribute(key) => {
                        let text = self.tables.text(key);
                        (format!("linked.attributes.{key}"), Expr::Linked { key: text })
                    }
                    Linked::ContextKey => ("linked.context_key".to_owned(), Expr::LinkedKey),
                };
                let value = self.tables.expr(value);
                let slot = keep(state, draft, &name, value, *loc);
                state.values.spans[draft.at].linked.push(slot);
            }
        }
    }

    /// Returns a link. Links that have only a glob are shared if the glob is the same.
    fn link(
        &mut self,
        state: &State<'_, 'm>,
        span: usize,
        number: usize,
        written: &'m scenario::Link,
        report: &mut Report,
    ) -> Option<LinkId> {
        let site = Site::Link { span, link: number };
        let glob = self.tables.text(&written.glob.value);
        let lag = written.lag.as_ref().and_then(|lag| self.dist_id(state, site, lag, report));
        let subject = ("links", "count: N", limits::LINKED);
        let count = written.count.as_ref().map(|count| self.counted(state, site, count, subject, report));
        let attributes = self.attributes_of(state, site, &written.attributes, report);
        let count = match count {
            Some(counted) => counted.map(|(value, max, _)| Some(LinkCount { value, max }))?,
            None => None,
        };
        let link = Link { lag, count, attributes, same_trace: written.same_trace, ..Link::plain(glob, Vec::new()) };
        let links = &mut self.tables.program.links;
        let new = LinkId(links.len() as u32);
        let id = if link == Link::plain(glob, Vec::new()) { *self.link_ids.entry(glob).or_insert(new) } else { new };
        if id == new {
            links.push(link);
        }
        Some(id)
    }
}
