//! Traces in memory: bounded, oldest out first.

use super::report::Overview;
use super::{
    Backlink, FirstError, ScenarioFilter, ServicesReport, ShapeSpan, Status, Store, StoreError, StoredEvent,
    StoredLink, StoredSpan, StoredTrace, TimeRange, TraceCounts, TraceId, TracePage, TraceQuery, TraceSummary, report,
};
use crate::trace::{Datum, Origin, OwnedDatum, SpanView, Trace, View};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};

pub struct Memory {
    capacity: usize,
    kept: RwLock<VecDeque<Arc<Kept>>>,
}

struct Kept {
    origin: Arc<Origin>,
    trace: Trace,
}

impl Memory {
    /// For so many traces.
    pub fn new(capacity: usize) -> Memory {
        Memory { capacity, kept: RwLock::default() }
    }

    /// Traces, the most there can be, and the bytes they take.
    pub fn size(&self) -> (u64, u64, u64) {
        (self.all().len() as u64, self.capacity as u64, 0)
    }

    fn all(&self) -> Vec<Arc<Kept>> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl Kept {
    fn view(&self) -> View<'_> {
        self.origin.view(&self.trace)
    }

    fn summary(&self) -> TraceSummary {
        let view = self.view();
        let root = view.span(0);
        let failed = || view.spans().filter(|s| s.failure().is_some());
        let first = failed().min_by_key(|s| view.trace.failures[s.record().failure as usize].time);
        TraceSummary {
            id: self.trace.id,
            start: root.record().start,
            duration: root.record().end - root.record().start,
            service: root.service().into(),
            operation: root.name().into(),
            scenario: Some(view.scenario().into()),
            spans: self.trace.spans.len() as u32,
            errors: failed().count() as u32,
            first_error: first.map(|s| FirstError {
                service: s.service().into(),
                r#type: s.failure().map(|f| f.0.to_string()).unwrap_or_default(),
            }),
            shape: view.spans().take(report::MOST_SHAPE).map(|s| shape(s, root.record().start)).collect(),
        }
    }
}

fn shape(span: SpanView<'_>, start: u64) -> ShapeSpan {
    let record = span.record();
    ShapeSpan {
        service: span.service().into(),
        offset: record.start.saturating_sub(start),
        duration: record.end - record.start,
    }
}

fn owned<'a>(attributes: impl Iterator<Item = (&'a str, Datum<'a>)>) -> Vec<(String, OwnedDatum)> {
    attributes.map(|(key, value)| (key.to_string(), value.to_owned())).collect()
}

fn stored(span: SpanView<'_>) -> StoredSpan {
    let record = span.record();
    let resource = span.view.resources.get(record.resource);
    StoredSpan {
        id: record.id,
        parent: span.parent().map(|p| p.record().id),
        name: span.name().into(),
        kind: Some(span.kind()),
        service: span.service().into(),
        scope: "tracegen".into(),
        trace_state: String::new(),
        flags: Some(span.flags()),
        start: record.start,
        duration: record.end - record.start,
        status: span.failure().map_or(Status::Unset, |(_, message)| Status::Error(message.into())),
        resource: owned(resource),
        attributes: owned(span.attributes()),
        events: span
            .events()
            .into_iter()
            .map(|e| StoredEvent { time: e.time, name: e.name.into(), attributes: owned(e.attributes.into_iter()) })
            .collect(),
        links: span
            .links()
            .map(|l| StoredLink {
                trace_id: l.trace_id,
                span_id: l.span_id,
                trace_state: String::new(),
                attributes: vec![],
            })
            .collect(),
    }
}

impl Store for Memory {
    async fn connect(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn disconnect(&self) {}

    async fn health_check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn fetch_unique_traces(&self, query: &TraceQuery) -> Result<TracePage, StoreError> {
        let mut all = self.all();
        all.sort_by_key(|k| std::cmp::Reverse(k.trace.start));
        let total = all.len() as u64;
        let part = all.iter().skip(query.offset as usize).take(query.limit as usize);
        Ok(TracePage { traces: part.map(|k| k.summary()).collect(), total })
    }

    async fn get_trace_counts(&self) -> Result<TraceCounts, StoreError> {
        let all = self.all();
        Ok(TraceCounts {
            total_traces: all.len() as u64,
            total_spans: all.iter().map(|k| k.trace.spans.len() as u64).sum(),
            error_traces: all.iter().filter(|k| !k.trace.failures.is_empty()).count() as u64,
        })
    }

    async fn get_service_names(&self) -> Result<Vec<String>, StoreError> {
        let all = self.all();
        let names: BTreeSet<&str> = all.iter().flat_map(|k| k.view().spans().map(|s| s.service())).collect();
        Ok(names.into_iter().map(String::from).collect())
    }

    async fn get_operation_names(&self, _: Option<&str>) -> Result<Vec<String>, StoreError> {
        let all = self.all();
        let names: BTreeSet<&str> = all.iter().flat_map(|k| k.view().spans().map(|s| s.name())).collect();
        Ok(names.into_iter().map(String::from).collect())
    }

    fn add_trace(&self, origin: &Arc<Origin>, trace: &Trace) -> Result<(), StoreError> {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= self.capacity {
            kept.pop_front();
        }
        kept.push_back(Arc::new(Kept { origin: origin.clone(), trace: trace.clone() }));
        Ok(())
    }

    async fn trace(&self, id: TraceId) -> Result<Option<StoredTrace>, StoreError> {
        Ok(self.all().iter().find(|k| k.trace.id == id).map(|k| StoredTrace {
            id,
            scenario: Some(k.view().scenario().into()),
            spans: k.view().spans().map(stored).collect(),
        }))
    }

    async fn links_to(&self, _: TraceId) -> Result<Vec<Backlink>, StoreError> {
        Ok(vec![])
    }

    async fn overview(&self, _: &TraceQuery) -> Result<Overview, StoreError> {
        Ok(Overview::default())
    }

    async fn services(&self, _: TimeRange, _: Option<&ScenarioFilter>) -> Result<ServicesReport, StoreError> {
        Ok(ServicesReport::default())
    }
}
