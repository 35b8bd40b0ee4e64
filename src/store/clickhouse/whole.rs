//! A whole trace, and the spans that link to it.

use super::client::{Fault, fetch, fetch_one, within};
use super::filter::range;
use super::hours::Hours;
use super::sql::Sql;
use crate::plan::SpanKind;
use crate::store::report::MOST_BACKLINKS;
use crate::store::{Backlink, StoreError, TimeRange};
use crate::trace::{
    Attributes, OwnedDatum, Scope, Status, StoredEvent, StoredLink, StoredSpan, StoredTrace, TooLarge, TraceId,
};
use clickhouse::{Client, Row};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::marker::PhantomData;

/// The maximum number of spans of a trace that are read, which is also the maximum of a generated trace.
const MOST_SPANS: u64 = 65_536;
/// The approximate number of spans after a trace among which links to it are looked for.
const MOST_LINKING: u64 = 1_500_000;
/// A second in ns: the table of times has whole seconds.
const SECOND: i64 = 1_000_000_000;

type Pairs = List<(String, String)>;

/// A list in a row, of at most [`MOST_ELEMENTS`]. A longer list is refused before its first element, because a row is read
/// from its beginning whenever more of it has come.
struct List<T>(Vec<T>);

/// The maximum number of attributes, events or links of a span that are read.
const MOST_ELEMENTS: usize = 65_536;

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Elements<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MOST_ELEMENTS}")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<List<T>, A::Error> {
                let length = elements.size_hint().unwrap_or(0);
                let mut list = vec![];
                while length <= MOST_ELEMENTS
                    && let Some(element) = elements.next_element()?
                {
                    list.push(element);
                }
                if length.max(list.len()) > MOST_ELEMENTS {
                    return Err(A::Error::invalid_length(length.max(list.len()), &self));
                }
                Ok(List(list))
            }
        }

        deserializer.deserialize_seq(Elements(PhantomData))
    }
}

/// The columns that are read of `otel_traces`, in this order.
#[derive(Row, Deserialize)]
pub(super) struct SpanRow {
    trace: String,
    start: i64,
    span: String,
    parent: String,
    trace_state: String,
    name: String,
    kind: String,
    service: String,
    resource: Pairs,
    scope: String,
    scope_version: String,
    attributes: Pairs,
    duration: u64,
    code: String,
    message: String,
    /// Time, name, attributes.
    events: List<(i64, String, Pairs)>,
    /// Trace, span, trace state, attributes.
    links: List<(String, String, String, Pairs)>,
}

pub(super) const FIELDS: &str = "TraceId AS trace, toUnixTimestamp64Nano(Timestamp) AS start, SpanId AS span, ParentSpanId AS parent, \
    TraceState AS trace_state, toString(SpanName) AS name, toString(SpanKind) AS kind, toString(ServiceName) AS service, \
    CAST(ResourceAttributes AS Array(Tuple(String, String))) AS resource, ScopeName AS scope, ScopeVersion AS scope_version, \
    CAST(SpanAttributes AS Array(Tuple(String, String))) AS attributes, Duration AS duration, \
    toString(StatusCode) AS code, StatusMessage AS message, \
    arrayMap((t, n, a) -> (toUnixTimestamp64Nano(t), toString(n), CAST(a AS Array(Tuple(String, String)))), \
    Events.Timestamp, Events.Name, Events.Attributes) AS events, \
    arrayMap((t, s, x, a) -> (t, s, x, CAST(a AS Array(Tuple(String, String)))), \
    Links.TraceId, Links.SpanId, Links.TraceState, Links.Attributes) AS links";

/// Returns ` AND` the condition that the time is within the trace's, or no condition if the table of times does not contain
/// the trace; and the start of that time in seconds since 1970.
async fn when(client: &Client, id: &str) -> Result<(Sql, Option<i64>), StoreError> {
    let mut sql = Sql::new(
        "SELECT count(), toInt64(toUnixTimestamp(min(Start))), toInt64(toUnixTimestamp(max(End))) \
         FROM otel_traces_trace_id_ts WHERE TraceId = ? LIMIT 1",
    );
    sql.text(id);
    let (known, from, until): (u64, i64, i64) = fetch_one(client, &sql).await?;
    let mut condition = Sql::default();
    if known == 0 {
        return Ok((condition, None));
    }
    condition.push(" AND Timestamp >= fromUnixTimestamp64Nano(toInt64(?))").number((from * SECOND) as u64);
    condition.push(" AND Timestamp < fromUnixTimestamp64Nano(toInt64(?))").number(((until + 1) * SECOND) as u64);
    Ok((condition, Some(from * SECOND)))
}

/// A span as it is in the table.
pub struct Scanned {
    /// The trace id; `None` if the text in the table is not one.
    pub trace: Option<TraceId>,
    pub span: StoredSpan,
    /// A status that no span can have, as text: a message without an error, or a code that does not exist.
    pub foreign_status: Option<String>,
}

/// Returns a whole trace, or `None` if the table has none with this id.
///
/// # Errors
/// ClickHouse does not answer in time or reports an error, or the trace is too large.
pub async fn fetch_trace(client: &Client, id: TraceId) -> Result<Option<StoredTrace>, StoreError> {
    let text = id_text(id);
    let (when, _) = when(client, &text).await?;
    let mut sql = Sql::new("SELECT ");
    sql.push(FIELDS).push(" FROM otel_traces WHERE TraceId = ?").text(&text).append(when);
    // A span that was written twice counts once.
    sql.push(" ORDER BY Timestamp, SpanId LIMIT 1 BY SpanId LIMIT ?").number(MOST_SPANS);
    let mut rows = sql.query(client).fetch::<SpanRow>().map_err(Fault::from)?;
    let (mut spans, mut left) = (vec![], Some(StoredTrace::MOST_BYTES));
    within(async {
        while left.is_some()
            && let Some(row) = rows.next().await?
        {
            let span = stored(row);
            left = left.and_then(|left| left.checked_sub(span.bytes()));
            spans.push(span);
        }
        Ok(())
    })
    .await?;
    match left {
        Some(_) if spans.is_empty() => Ok(None),
        Some(_) => Ok(Some(StoredTrace::new(id, None, spans))),
        None => Err(TooLarge.into()),
    }
}

impl SpanRow {
    pub(super) fn into_scanned(self) -> Scanned {
        let foreign_status = match (self.code.as_str(), self.message.as_str()) {
            ("Error", _) | ("Unset" | "Ok", "") => None,
            (code, message) => Some(format!("{code}: {message}")),
        };
        Scanned { trace: parse_id(&self.trace), foreign_status, span: stored(self) }
    }
}

fn stored(row: SpanRow) -> StoredSpan {
    StoredSpan {
        id: parse_span(&row.span),
        parent: parse_parent(&row.parent),
        name: row.name,
        kind: kind(&row.kind),
        service: row.service,
        scope: Scope { name: row.scope, version: row.scope_version },
        trace_state: row.trace_state,
        flags: None,
        start: row.start as u64,
        duration: row.duration,
        status: match row.code.as_str() {
            "Error" => Status::Error(row.message),
            "Ok" => Status::Ok,
            _ => Status::Unset,
        },
        resource: attributes(row.resource),
        attributes: attributes(row.attributes),
        events: row
            .events
            .0
            .into_iter()
            .map(|(time, name, pairs)| StoredEvent { time: time as u64, name, attributes: attributes(pairs) })
            .collect(),
        links: row
            .links
            .0
            .into_iter()
            .map(|(trace, span, trace_state, pairs)| StoredLink {
                trace_id: parse_id(&trace).unwrap_or_default(),
                span_id: parse_span(&span),
                trace_state,
                attributes: attributes(pairs),
            })
            .collect(),
    }
}

fn attributes(pairs: Pairs) -> Attributes {
    pairs.0.into_iter().map(|(key, value)| (key, OwnedDatum::Text(value))).collect()
}

/// Returns the kind as the exporter writes it.
pub fn kind_text(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Unspecified => "Unspecified",
        SpanKind::Internal => "Internal",
        SpanKind::Server => "Server",
        SpanKind::Client => "Client",
        SpanKind::Producer => "Producer",
        SpanKind::Consumer => "Consumer",
    }
}

fn kind(text: &str) -> SpanKind {
    SpanKind::ALL.into_iter().find(|kind| kind_text(*kind) == text).unwrap_or(SpanKind::Unspecified)
}

/// Returns the spans of other traces that link to spans of this one.
///
/// # Errors
/// ClickHouse does not answer in time, or reports an error.
pub async fn fetch_links(client: &Client, hours: &Hours, id: TraceId) -> Result<Vec<Backlink>, StoreError> {
    let text = id_text(id);
    // A span that links to a trace starts after it.
    let (_, from) = when(client, &text).await?;
    let mut sql = Sql::new(
        "SELECT TraceId, SpanId, toString(ServiceName), toString(SpanName), toUnixTimestamp64Nano(Timestamp), Target \
         FROM otel_traces ARRAY JOIN Links.TraceId AS Linked, Links.SpanId AS Target \
         WHERE has(Links.TraceId, ?) AND Linked = ?",
    );
    sql.text(&text).text(&text);
    let from = from.map(|from| from.max(0) as u64);
    let until = hours.parts(client).await?.until(MOST_LINKING, from.unwrap_or(0), u64::MAX);
    range(&mut sql, TimeRange { from, until });
    sql.push(" ORDER BY Timestamp, TraceId, SpanId LIMIT 1 BY TraceId, SpanId, Target LIMIT ?");
    sql.number(MOST_BACKLINKS as u64);
    let rows: Vec<(String, String, String, String, i64, String)> = fetch(client, &sql).await?;
    let links = rows.into_iter().filter_map(|(trace, span, service, name, start, target)| {
        Some(Backlink {
            trace_id: parse_id(&trace)?,
            span_id: parse_span(&span),
            service,
            name,
            start: start as u64,
            target_span: parse_span(&target),
        })
    });
    Ok(links.collect())
}

/// Returns the id as the table has it.
pub fn id_text(id: TraceId) -> String {
    format!("{:032x}", u128::from_be_bytes(id))
}

/// Parses a trace id; `None` if the text is not one.
pub fn parse_id(text: &str) -> Option<TraceId> {
    digits(text, 32).map(u128::to_be_bytes)
}

/// Parses a span id; 0 if the text is not one.
pub fn parse_span(text: &str) -> u64 {
    digits(text, 16).unwrap_or(0) as u64
}

/// Parses the id of a parent; `None` if there is none, 0 if the text is not an id.
pub fn parse_parent(text: &str) -> Option<u64> {
    (!text.is_empty()).then(|| parse_span(text))
}

/// Parses exactly `length` hexadecimal digits.
fn digits(text: &str, length: usize) -> Option<u128> {
    let are_digits = text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    are_digits.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}
