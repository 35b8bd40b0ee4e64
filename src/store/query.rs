//! The queries of a store.

use crate::trace::TraceId;
use std::fmt;
use std::sync::Arc;

/// A query for a page of traces. Conditions on different things must all hold.
#[derive(Clone, Debug)]
pub struct TraceQuery {
    /// A span of the trace belongs to this service.
    pub service: Option<String>,
    /// A span of the trace has this name; with `service`, the same span.
    pub operation: Option<String>,
    pub scenario: Option<ScenarioFilter>,
    /// The trace has a failed span, or has none.
    pub failed: Option<bool>,
    /// The minimum duration of the root span in ns, inclusive.
    pub min_duration: Option<u64>,
    /// The maximum duration of the root span in ns, inclusive.
    pub max_duration: Option<u64>,
    pub range: TimeRange,
    /// The keys and values, as text, of attributes that must each be found in a span or its resource.
    pub attributes: Vec<(String, String)>,
    /// A text that must be found in a service, a span's name, an attribute's value, or an error's type or message, ignoring
    /// case.
    pub text: Option<String>,
    /// The first digits of the trace id in lower case.
    pub id_prefix: Option<String>,
    pub order: Order,
    pub offset: u64,
    pub limit: u32,
}

impl Default for TraceQuery {
    /// Asks for everything, newest first, in a page of 30.
    fn default() -> Self {
        TraceQuery {
            service: None,
            operation: None,
            scenario: None,
            failed: None,
            min_duration: None,
            max_duration: None,
            range: TimeRange::default(),
            attributes: vec![],
            text: None,
            id_prefix: None,
            order: Order::Newest,
            offset: 0,
            limit: 30,
        }
    }
}

impl TraceQuery {
    /// Reports whether the query has no condition other than a time range.
    pub fn is_plain(&self) -> bool {
        let named = self.service.is_some() || self.operation.is_some() || self.scenario.is_some();
        let measured = self.failed.is_some() || self.min_duration.is_some() || self.max_duration.is_some();
        let searched = !self.attributes.is_empty() || self.text.is_some() || self.id_prefix.is_some();
        !named && !measured && !searched
    }
}

/// The order of traces; equal ones are ordered by trace id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Newest,
    Oldest,
    Longest,
    Shortest,
}

/// A range of the root span's start in ns since 1970: `from <= start < until`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeRange {
    pub from: Option<u64>,
    pub until: Option<u64>,
}

impl TimeRange {
    /// Reports whether the range is all time.
    pub fn is_whole(&self) -> bool {
        self.from.is_none() && self.until.is_none()
    }

    pub fn contains(&self, time: u64) -> bool {
        self.from.is_none_or(|from| from <= time) && self.until.is_none_or(|until| time < until)
    }
}

/// A filter for the traces of one scenario, whose name is not in the spans. A store of the interpreter's traces knows the
/// scenario. Another store narrows the search by the scenario's possible roots, and then calls `is_of` for each id.
#[derive(Clone)]
pub struct ScenarioFilter {
    pub name: String,
    /// The service and name of each root span that the scenario can have; the name is `None` if it is made at run time.
    pub roots: Vec<(String, Option<String>)>,
    /// Reports whether the trace with this id belongs to the scenario.
    pub is_of: Arc<dyn Fn(TraceId) -> bool + Send + Sync>,
}

impl fmt::Debug for ScenarioFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScenarioFilter").field("name", &self.name).field("roots", &self.roots).finish_non_exhaustive()
    }
}
