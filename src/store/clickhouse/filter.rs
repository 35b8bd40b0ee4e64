//! The conditions of a query in SQL. A trace is represented by its root span: its time, its duration, its name.

use super::sql::Sql;
use crate::store::{ScenarioFilter, TimeRange, TraceQuery};

/// The time before a root in which spans of its trace may start, in ns: they do so only if clocks differ.
const BEFORE: u64 = 60_000_000_000;
/// The time after a root in which spans of its trace may start, in ns: a day.
const BEHIND: u64 = 86_400_000_000_000;

/// Returns a `SELECT` of the traces that match, a row for each: `TraceId`, `Start` (ns since 1970) and `Length` (ns) of the
/// root. A trace that was written twice gives one row. With `ids`, only those traces match.
pub fn matching(query: &TraceQuery, ids: Option<&[String]>) -> Sql {
    let mut sql = Sql::new(
        "SELECT TraceId, toUnixTimestamp64Nano(min(Timestamp)) AS Start, argMin(Duration, Timestamp) AS Length \
         FROM otel_traces WHERE ParentSpanId = ''",
    );
    range(&mut sql, query.range);
    let spans = around(query.range);
    if let Some(ns) = query.min_duration {
        sql.push(" AND Duration >= ?").number(ns);
    }
    if let Some(ns) = query.max_duration {
        sql.push(" AND Duration <= ?").number(ns);
    }
    if let Some(prefix) = &query.id_prefix {
        sql.push(" AND startsWith(TraceId, ?)").text(prefix);
    }
    if let Some(scenario) = &query.scenario {
        roots(&mut sql, scenario);
    }
    if let Some(ids) = ids {
        sql.push(" AND TraceId IN ?").texts(ids.to_vec());
    }
    if query.service.is_some() || query.operation.is_some() {
        let mut same = Sql::new("1");
        if let Some(service) = &query.service {
            same.push(" AND ServiceName = ?").text(service);
        }
        if let Some(operation) = &query.operation {
            same.push(" AND SpanName = ?").text(operation);
        }
        some_span(&mut sql, "IN", spans, same);
    }
    if let Some(failed) = query.failed {
        some_span(&mut sql, if failed { "IN" } else { "NOT IN" }, spans, Sql::new("StatusCode = 'Error'"));
    }
    for (key, value) in &query.attributes {
        let mut has = Sql::default();
        for (at, column) in ["SpanAttributes", "ResourceAttributes"].into_iter().enumerate() {
            has.push(if at > 0 { " OR (" } else { "((" });
            // The second condition alone would match an empty value in spans without the key.
            has.push("mapContains(").push(column).push(", ?) AND ").text(key);
            has.push(column).push("[?] = ?)").text(key).text(value);
        }
        has.push(")");
        some_span(&mut sql, "IN", spans, has);
    }
    if let Some(text) = &query.text {
        // The condition that is most expensive to read. It uses the fact that spans do not begin before their roots.
        some_span(&mut sql, "IN", TimeRange { from: query.range.from, ..spans }, mentions(text));
    }
    sql.push(" GROUP BY TraceId");
    sql
}

/// Appends ` AND` the condition that the time is in the range.
pub fn range(sql: &mut Sql, range: TimeRange) {
    for (bound, condition) in [
        (range.from, " AND Timestamp >= fromUnixTimestamp64Nano(toInt64(?))"),
        (range.until, " AND Timestamp < fromUnixTimestamp64Nano(toInt64(?))"),
    ] {
        if let Some(time) = bound {
            sql.push(condition).number(time);
        }
    }
}

/// Returns the time range that contains the spans of traces whose roots are in `range`.
pub fn around(range: TimeRange) -> TimeRange {
    TimeRange {
        from: range.from.map(|from| from.saturating_sub(BEFORE)),
        until: range.until.map(|until| until.saturating_add(BEHIND)),
    }
}

/// Appends ` AND` the condition that some span of the trace (`IN`), or none (`NOT IN`), starts in the range and satisfies
/// `condition`. Hashes of ids take a third of the time and a quarter of the memory of the ids.
fn some_span(sql: &mut Sql, membership: &str, range: TimeRange, condition: Sql) {
    sql.push(" AND cityHash64(TraceId) ").push(membership).push(" (SELECT cityHash64(TraceId) FROM otel_traces WHERE ");
    sql.append(condition);
    self::range(sql, range);
    sql.push(")");
}

fn roots(sql: &mut Sql, scenario: &ScenarioFilter) {
    sql.push(" AND (0");
    for (service, name) in &scenario.roots {
        sql.push(" OR (ServiceName = ?").text(service);
        if let Some(name) = name {
            sql.push(" AND SpanName = ?").text(name);
        }
        sql.push(")");
    }
    sql.push(")");
}

fn mentions(text: &str) -> Sql {
    // Comparing bytes is twice as fast, and correct if there are only ASCII letters to fold.
    let find = if text.is_ascii() { "positionCaseInsensitive" } else { "positionCaseInsensitiveUTF8" };
    let mut sql = Sql::new("(0");
    for subject in ["ServiceName", "SpanName", "StatusMessage"] {
        sql.push(&format!(" OR {find}({subject}, ?) > 0")).text(text);
    }
    for subject in
        ["SpanAttributes.values", "ResourceAttributes.values", "arrayMap(e -> e['exception.type'], Events.Attributes)"]
    {
        sql.push(&format!(" OR arrayExists(v -> {find}(v, ?) > 0, {subject})")).text(text);
    }
    sql.push(")");
    sql
}
