//! A query prepared for the traces of each origin: everything that the plan alone decides is decided once.

use super::kept::{Kept, LAST_SERVICE, Row};
use super::shelf::Snapshot;
use super::words::{Needle, reads};
use crate::plan::{BlockId, ERROR_TYPE, Plan};
use crate::store::TraceQuery;
use crate::trace::{Origin, SpanView, constant};

/// The conditions of a query on traces.
pub struct Sieve<'q> {
    query: &'q TraceQuery,
    /// The mask and bits of the trace id; `None` if no id has the prefix.
    prefix: Option<(u128, u128)>,
    clauses: Vec<Clause<'q>>,
    sources: Vec<Narrowed>,
}

/// A condition on some span of a trace.
enum Clause<'q> {
    Named { service: Option<&'q str>, operation: &'q str },
    Attribute { key: &'q str, value: &'q str },
    Text(Needle),
}

/// A query prepared for one origin.
struct Narrowed {
    number: u32,
    /// For each scenario, whether its traces can match.
    scenarios: Vec<bool>,
    /// The service's bit in a row; 0 if the query has no service.
    service: u64,
    /// Other services share the bit.
    shared: bool,
    /// What is known of each clause.
    clauses: Vec<Decided>,
}

/// What is known of a clause without a trace.
struct Decided {
    /// What is known for the spans of each block.
    blocks: Vec<Known>,
    /// For each resource, whether it matches.
    resources: Vec<bool>,
}

/// Whether the spans of a block match.
#[derive(Clone, Copy, PartialEq)]
enum Known {
    Always,
    Never,
    /// It depends on the span.
    Open,
}

impl<'q> Sieve<'q> {
    pub fn new(query: &'q TraceQuery, snapshot: &Snapshot) -> Sieve<'q> {
        let TraceQuery { service, operation, attributes, text, .. } = query;
        let named = operation.as_ref().map(|operation| Clause::Named { service: service.as_deref(), operation });
        let attributes = attributes.iter().map(|(key, value)| Clause::Attribute { key, value });
        let text = text.as_ref().map(|text| Clause::Text(Needle::new(text)));
        let clauses: Vec<Clause> = named.into_iter().chain(attributes).chain(text).collect();
        let sources = snapshot.sources.iter().map(|(number, origin)| narrow(*number, origin, query, &clauses));
        Sieve { query, prefix: prefix(query.id_prefix.as_deref()), sources: sources.collect(), clauses }
    }

    /// Reports whether a trace matches.
    pub fn holds(&self, row: &Row) -> bool {
        let query = self.query;
        let id = || self.prefix.is_some_and(|(mask, bits)| u128::from_be_bytes(row.id) & mask == bits);
        query.range.contains(row.start)
            && query.failed.is_none_or(|failed| failed == row.failed)
            && query.min_duration.is_none_or(|min| min <= row.duration)
            && query.max_duration.is_none_or(|max| row.duration <= max)
            && id()
            && self.source_holds(row)
    }

    fn source_holds(&self, row: &Row) -> bool {
        let Ok(at) = self.sources.binary_search_by_key(&row.source, |source| source.number) else { return false };
        let source = &self.sources[at];
        source.scenarios[row.scenario.index()]
            && (source.service == 0 || source.service & row.services != 0)
            && (!source.shared || self.has_service(&row.kept))
            && self.clauses.iter().zip(&source.clauses).all(|(clause, decided)| clause.holds(decided, &row.kept))
    }

    fn has_service(&self, kept: &Kept) -> bool {
        self.query.service.as_deref().is_none_or(|service| kept.view().spans().any(|span| span.service() == service))
    }
}

/// Returns the mask and bits for the first digits of an id.
fn prefix(digits: Option<&str>) -> Option<(u128, u128)> {
    let digits = digits.unwrap_or_default();
    if digits.is_empty() {
        return Some((0, 0));
    }
    let known = digits.len() <= 32 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let bits = u128::from_str_radix(digits, 16).ok().filter(|_| known)?;
    let rest = 128 - 4 * digits.len();
    Some((u128::MAX << rest, bits << rest))
}

fn narrow(number: u32, origin: &Origin, query: &TraceQuery, clauses: &[Clause]) -> Narrowed {
    let plan = &origin.plan;
    let clauses: Vec<Decided> = clauses.iter().map(|clause| clause.decide(origin)).collect();
    let named = |name: &str| plan.services.iter().position(|service| plan.text(service.name) == name);
    let service = query.service.as_deref().map(named);
    let scenarios = plan.scenario_ids().map(|id| {
        let asked = query.scenario.as_ref().is_none_or(|wanted| wanted.name == plan.scenario_name(id));
        let can_hold = |decided: &Decided| plan.spans_of(id).iter().any(|block| decided.is_open(plan, *block));
        // An origin without the service has no traces with it.
        asked && service != Some(None) && clauses.iter().all(can_hold)
    });
    let bit = service.flatten().map(|id| (id as u32).min(LAST_SERVICE));
    Narrowed {
        number,
        scenarios: scenarios.collect(),
        service: bit.map_or(0, |bit| 1 << bit),
        shared: bit == Some(LAST_SERVICE) && plan.services.len() > LAST_SERVICE as usize + 1,
        clauses,
    }
}

impl Decided {
    /// Reports whether a span of the block can match.
    fn is_open(&self, plan: &Plan, block: BlockId) -> bool {
        let service = &plan.services[plan.span(block).service.index()];
        let first = service.first_resource.index();
        self.blocks[block.index()] != Known::Never
            || self.resources[first..first + service.resource_count() as usize].contains(&true)
    }
}

impl Clause<'_> {
    fn holds(&self, decided: &Decided, kept: &Kept) -> bool {
        let block = |span: &SpanView<'_>| decided.blocks[span.record().block.index()];
        let sure =
            |span: SpanView<'_>| block(&span) == Known::Always || decided.resources[span.record().resource.index()];
        let spans = || kept.view().spans();
        spans().any(sure) || spans().any(|span| block(&span) == Known::Open && self.of_span(span))
    }

    fn decide(&self, origin: &Origin) -> Decided {
        let plan = &origin.plan;
        let blocks = plan.block_ids().map(|block| self.of_block(plan, block));
        let resources = origin.resources.attributes.iter().map(|attributes| {
            attributes.iter().any(|(key, value)| match self {
                Clause::Named { .. } => false,
                Clause::Attribute { key: wanted, value: text } => key == wanted && reads(value.as_datum(), text),
                Clause::Text(needle) => needle.is_in_datum(value.as_datum()),
            })
        });
        Decided { resources: resources.collect(), blocks: blocks.collect() }
    }

    /// Returns what is known for all spans of a block.
    fn of_block(&self, plan: &Plan, block: BlockId) -> Known {
        let (form, service) = (plan.span(block), plan.service_of(block));
        let name = form.name.map(|name| plan.text(name));
        let mut constants = form.constants.iter().map(|(key, value)| (plan.text(*key), constant(plan, value)));
        let computed = || form.attrs.ids().map(|attr| plan.attr_key(attr));
        let (always, open) = match self {
            Clause::Named { service: Some(wanted), .. } if *wanted != service => (false, false),
            Clause::Named { operation, .. } => (name == Some(operation), name.is_none()),
            Clause::Attribute { key, value } => (
                constants.any(|(name, constant)| name == *key && reads(constant, value)),
                *key == ERROR_TYPE && plan.can_fail(block) || computed().any(|name| name == *key),
            ),
            Clause::Text(needle) => (
                [Some(service), name].into_iter().flatten().any(|text| needle.is_in(text))
                    || constants.any(|(_, constant)| needle.is_in_datum(constant)),
                true,
            ),
        };
        match (always, open) {
            (true, _) => Known::Always,
            (_, true) => Known::Open,
            _ => Known::Never,
        }
    }

    /// Decides for a span what the block leaves open.
    fn of_span(&self, span: SpanView<'_>) -> bool {
        match self {
            Clause::Named { operation, .. } => span.name() == *operation,
            Clause::Attribute { key, value } => {
                span.attributes().any(|(name, datum)| name == *key && reads(datum, value))
            }
            Clause::Text(needle) => {
                needle.is_in(span.name())
                    || span.failure().is_some_and(|(r#type, message)| needle.is_in(r#type) || needle.is_in(message))
                    || span.computed_attributes().any(|(_, datum)| needle.is_in_datum(datum))
            }
        }
    }
}
