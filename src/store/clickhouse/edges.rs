//! Who calls whom.

use super::client::fetch;
use super::sql::Sql;
use crate::store::{Edge, StoreError};
use clickhouse::Client;

/// Spans of a trace that are looked at.
const MOST_SPANS: u64 = 10_000;
/// Edges that are told.
const MOST_EDGES: u64 = 2_000;

/// In one of `k` traces, scaled up. A message counts with the trace it is linked to. One pass, and no join: the spans of a
/// trace are put into an array, and each finds its parent there.
pub async fn edges(client: &Client, spans: &Sql, k: u64) -> Result<Vec<Edge>, StoreError> {
    let mut sql = Sql::new(
        "SELECT Source, toString(Target), count() * ? AS Calls, countIf(Bad) * ?, toUInt8(Message) AS Asynchronous FROM \
         (SELECT Services[indexOf(Spans, Call.1)] AS Source, Call.2 AS Target, Call.3 AS Bad, Call.4 AS Message FROM \
         (SELECT groupArrayIf(?)(Span, Span != '') AS Spans, groupArrayIf(?)(Service, Span != '') AS Services, \
         arrayJoin(groupArrayIf(?)((Parent, Service, Bad, Message), Parent != '')) AS Call FROM \
         (SELECT TraceId AS Trace, SpanId AS Span, ParentSpanId AS Parent, toString(ServiceName) AS Service, \
         StatusCode = 'Error' AS Bad, SpanKind = 'Consumer' AS Message ",
    );
    sql.number(k).number(k).number(MOST_SPANS).number(MOST_SPANS).number(MOST_SPANS).append(spans.clone());
    sql.push(
        " AND cityHash64(TraceId) % ? = 0 UNION ALL SELECT Linked.1, '', Linked.2, Service, Bad, 1 FROM \
         (SELECT arrayJoin(arrayZip(Links.TraceId, Links.SpanId)) AS Linked, toString(ServiceName) AS Service, \
         StatusCode = 'Error' AS Bad ",
    );
    sql.number(k).append(spans.clone());
    sql.push(
        " AND notEmpty(Links.TraceId)) WHERE cityHash64(Linked.1) % ? = 0) GROUP BY Trace)) \
         WHERE Source != '' AND Source != Target GROUP BY Source, Target, Asynchronous \
         ORDER BY Calls DESC, Source, Target, Asynchronous LIMIT ?",
    );
    sql.number(k).number(MOST_EDGES);
    let rows: Vec<(String, String, u64, u64, u8)> = fetch(client, &sql).await?;
    let edge =
        |(from, to, calls, errors, asynchronous)| Edge { from, to, calls, errors, asynchronous: asynchronous == 1 };
    Ok(rows.into_iter().map(edge).collect())
}
