//! What is asked of a store.

use crate::trace::TraceId;
use std::fmt;
use std::sync::Arc;

/// Which traces, and which part of them. Conditions on different things all have to hold.
#[derive(Clone, Debug)]
pub struct TraceQuery {
    /// Some span is of this service.
    pub service: Option<String>,
    /// Some span has this name; with `service`, the same span.
    pub operation: Option<String>,
    pub scenario: Option<ScenarioFilter>,
    /// Whether any span failed.
    pub failed: Option<bool>,
    /// Duration of the root span, ns; both included.
    pub min_duration: Option<u64>,
    pub max_duration: Option<u64>,
    pub range: TimeRange,
    /// Key and value, as text, of an attribute of some span or of its resource; each has to be found.
    pub attributes: Vec<(String, String)>,
    /// Found in a service, a span's name, an attribute's value, an error's type or message; case is ignored.
    pub text: Option<String>,
    /// First digits of the trace id, lower case.
    pub id_prefix: Option<String>,
    pub order: Order,
    pub offset: u64,
    pub limit: u32,
}

impl Default for TraceQuery {
    /// Everything, newest first, 30 of it.
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
    /// Whether it asks for a time range at most.
    pub fn is_plain(&self) -> bool {
        let named = self.service.is_some() || self.operation.is_some() || self.scenario.is_some();
        let measured = self.failed.is_some() || self.min_duration.is_some() || self.max_duration.is_some();
        let searched = !self.attributes.is_empty() || self.text.is_some() || self.id_prefix.is_some();
        !named && !measured && !searched
    }
}

/// Equal ones are ordered by trace id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Newest,
    Oldest,
    Longest,
    Shortest,
}

/// Start of the root span, ns since 1970: `from <= start < until`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeRange {
    pub from: Option<u64>,
    pub until: Option<u64>,
}

impl TimeRange {
    /// Of all time.
    pub fn is_whole(&self) -> bool {
        self.from.is_none() && self.until.is_none()
    }

    pub fn contains(&self, time: u64) -> bool {
        self.from.is_none_or(|from| from <= time) && self.until.is_none_or(|until| time < until)
    }
}

/// Traces of one scenario. Spans do not carry its name: a store that keeps what the interpreter made knows it, another
/// narrows down by the roots that the scenario can have and then asks `is_of` for each id.
#[derive(Clone)]
pub struct ScenarioFilter {
    pub name: String,
    /// Service and name of each root span the scenario can have; name `None`: made at run time.
    pub roots: Vec<(String, Option<String>)>,
    pub is_of: Arc<dyn Fn(TraceId) -> bool + Send + Sync>,
}

impl fmt::Debug for ScenarioFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScenarioFilter").field("name", &self.name).field("roots", &self.roots).finish_non_exhaustive()
    }
}
