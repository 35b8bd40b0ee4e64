//! The events of a span.

use super::{Resolver, State};
use crate::compiler::names::{Site, is_computed};
use crate::compiler::report::Report;
use crate::language::scenario::{self, Attribute, EventTime};
use crate::language::source::Loc;
use crate::plan::{AttrId, Chance, Event, EventId, ExprId, Repeat};

impl<'m> Resolver<'m> {
    /// Returns the events of a span that happen before its calls, or those at its end.
    pub(super) fn events(
        &mut self,
        state: &mut State<'_, 'm>,
        span: usize,
        at_end: bool,
        report: &mut Report,
    ) -> Vec<(EventId, Loc)> {
        let written = state.names.spans[span].events.iter().map(|event| event.part).enumerate();
        let written = written.filter(|(_, event)| matches!(event.at, EventTime::End) == at_end);
        written.filter_map(|(at, event)| Some((self.event(state, span, at, event, report)?, event.loc))).collect()
    }

    fn event(
        &mut self,
        state: &mut State<'_, 'm>,
        span: usize,
        at: usize,
        written: &'m scenario::Event,
        report: &mut Report,
    ) -> Option<EventId> {
        let repeat = written.repeat.as_ref().map(|repeat| self.event_turns(state, span, at, repeat, report));
        let site = Site::Event { span, event: at };
        let when = written.when.as_ref().and_then(|when| self.condition(state, site, when, report));
        let time = match &written.at {
            EventTime::After(time) => self.dist_id(state, site, time, report),
            EventTime::AfterWork | EventTime::End => None,
        };
        let name = self.expressions(state, site, report).required_text(&written.name);
        let attributes = self.attributes_of(state, site, &written.attributes, report);
        let repeat = match repeat {
            Some(repeat) => Some(repeat?),
            None => None,
        };
        let chance = written.probability.as_ref().map(|percent| Chance::from_percent(percent.value));
        let events = &mut self.tables.program.events;
        events.push(Event { repeat, when, chance, at: time, name: name?.expr, attributes });
        Some(EventId(events.len() as u32 - 1))
    }

    /// Returns the number of times that an event happens.
    fn event_turns(
        &mut self,
        state: &mut State<'_, 'm>,
        span: usize,
        at: usize,
        written: &'m scenario::Repeat,
        report: &mut Report,
    ) -> Option<Repeat> {
        let site = state.names.spans[span].events[at].site(span, None);
        let repeat = self.turns(state, site, written, state.names.spans[span].event_reads[at], report)?;
        state.values.spans[span].event_turns[at] = (repeat.index, repeat.total);
        Some(repeat)
    }

    /// Returns the attributes of an event or a link: the constant ones, then the others.
    pub(super) fn attributes_of(
        &mut self,
        state: &State<'_, 'm>,
        site: Site,
        written: &'m [Attribute],
        report: &mut Report,
    ) -> Vec<(AttrId, ExprId)> {
        let (constant, computed): (Vec<_>, Vec<_>) = written.iter().partition(|a| !is_computed(&a.value));
        let mut attributes = Vec::with_capacity(written.len());
        for attribute in constant.into_iter().chain(computed) {
            let value = self.expressions(state, site, report).value(&attribute.value);
            if let Some(value) = value {
                attributes.push((self.new_attr(&attribute.key.value), value.expr));
            }
        }
        attributes
    }
}
