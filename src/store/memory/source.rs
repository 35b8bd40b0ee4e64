//! Data that the kept traces of one origin share, and how often each name occurs in them.

use crate::plan::{ServiceId, SpanForm};
use crate::trace::{Origin, View};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An origin of kept traces.
pub struct Source {
    /// The number of the source, in the order in which they came.
    pub number: u32,
    pub origin: Arc<Origin>,
    /// The number of kept traces.
    pub traces: u64,
    /// The number of spans of each block.
    spans: Vec<u64>,
    /// For each service, the number of spans by names made at run time.
    made: Vec<BTreeMap<Box<str>, u64>>,
}

impl Source {
    pub fn new(number: u32, origin: &Arc<Origin>) -> Source {
        let plan = &origin.plan;
        Source {
            number,
            origin: origin.clone(),
            traces: 0,
            spans: vec![0; plan.blocks.len()],
            made: vec![BTreeMap::new(); plan.services.len()],
        }
    }

    /// Counts a trace.
    pub fn add(&mut self, view: View<'_>) {
        self.traces += 1;
        self.count(view, |count| count + 1);
    }

    /// Removes a trace that was counted before.
    pub fn remove(&mut self, view: View<'_>) {
        self.traces -= 1;
        self.count(view, |count| count - 1);
    }

    fn count(&mut self, view: View<'_>, change: impl Fn(u64) -> u64) {
        for span in view.spans() {
            let block = span.record().block;
            let form = view.plan.span(block);
            self.spans[block.index()] = change(self.spans[block.index()]);
            if form.name.is_some() {
                continue;
            }
            let made = &mut self.made[form.service.index()];
            match made.get_mut(span.name()) {
                None => drop(made.insert(span.name().into(), change(0))),
                Some(1) if change(1) == 0 => drop(made.remove(span.name())),
                Some(count) => *count = change(*count),
            }
        }
    }

    fn service(&self, id: ServiceId) -> &str {
        self.origin.plan.service_name(id)
    }

    fn forms(&self) -> impl Iterator<Item = &SpanForm> {
        let blocks = self.origin.plan.blocks.iter().zip(&self.spans);
        blocks.filter(|(_, spans)| **spans > 0).filter_map(|(block, _)| block.span())
    }

    /// Adds the names of the services that occur.
    pub fn services<'a>(&'a self, names: &mut BTreeSet<&'a str>) {
        names.extend(self.forms().map(|form| self.service(form.service)));
    }

    /// Adds the names that occur, of the spans of all services or of one; of the names made at run time, the first
    /// `max_made` of each service.
    pub fn operations<'a>(&'a self, service: Option<&str>, max_made: usize, names: &mut BTreeSet<&'a str>) {
        let wanted = |id: ServiceId| service.is_none_or(|service| service == self.service(id));
        let forms = self.forms().filter(|form| wanted(form.service));
        names.extend(forms.filter_map(|form| form.name).map(|name| self.origin.plan.text(name)));
        for (id, made) in (0..).map(ServiceId).zip(&self.made) {
            if wanted(id) {
                names.extend(made.keys().take(max_made).map(|name| &**name));
            }
        }
    }
}
