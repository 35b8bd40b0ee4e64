//! The tables of the collector's ClickHouse exporter (v0.157, `json: false`), which are created and checked.

use super::client::{Fault, ask, execute, within};
use super::sql::Sql;
use crate::store::StoreError;
use clickhouse::Client;
use clickhouse::sql::Identifier;

/// The type of attributes, which are text.
const MAP: &str = "Map(LowCardinality(String), String)";

/// The columns of `otel_traces` with their types, in the exporter's order.
pub(super) const COLUMNS: [(&str, &str); 22] = [
    ("Timestamp", "DateTime64(9)"),
    ("TraceId", "String"),
    ("SpanId", "String"),
    ("ParentSpanId", "String"),
    ("TraceState", "String"),
    ("SpanName", "LowCardinality(String)"),
    ("SpanKind", "LowCardinality(String)"),
    ("ServiceName", "LowCardinality(String)"),
    ("ResourceAttributes", MAP),
    ("ScopeName", "String"),
    ("ScopeVersion", "String"),
    ("SpanAttributes", MAP),
    ("Duration", "UInt64"),
    ("StatusCode", "LowCardinality(String)"),
    ("StatusMessage", "String"),
    ("Events.Timestamp", "Array(DateTime64(9))"),
    ("Events.Name", "Array(LowCardinality(String))"),
    ("Events.Attributes", "Array(Map(LowCardinality(String), String))"),
    ("Links.TraceId", "Array(String)"),
    ("Links.SpanId", "Array(String)"),
    ("Links.TraceState", "Array(String)"),
    ("Links.Attributes", "Array(Map(LowCardinality(String), String))"),
];

const INDICES: [(&str, &str); 6] = [
    ("idx_trace_id", "TraceId TYPE bloom_filter(0.001)"),
    ("idx_res_attr_key", "mapKeys(ResourceAttributes) TYPE bloom_filter(0.01)"),
    ("idx_res_attr_value", "mapValues(ResourceAttributes) TYPE bloom_filter(0.01)"),
    ("idx_span_attr_key", "mapKeys(SpanAttributes) TYPE bloom_filter(0.01)"),
    ("idx_span_attr_value", "mapValues(SpanAttributes) TYPE bloom_filter(0.01)"),
    ("idx_duration", "Duration TYPE minmax"),
];

/// The columns of the table with the times of each trace, by which a trace is found without searching all time.
const TIMES: [(&str, &str); 3] = [("TraceId", "String"), ("Start", "DateTime"), ("End", "DateTime")];

/// Creates what is missing; existing tables stay unchanged.
pub(super) async fn create(client: &Client, database: &str) -> Result<(), Fault> {
    let run = async |text: &str| {
        let query = client.query(text);
        let names = text.matches('?').count();
        let query = (0..names).fold(query, |query, _| query.bind(Identifier(database)));
        within(query.execute()).await
    };
    run("CREATE DATABASE IF NOT EXISTS ?").await?;
    run(&traces()).await?;
    run(&times()).await?;
    run("CREATE MATERIALIZED VIEW IF NOT EXISTS ?.otel_traces_trace_id_ts_mv TO ?.otel_traces_trace_id_ts \
         AS SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End \
         FROM ?.otel_traces WHERE TraceId != '' GROUP BY TraceId")
    .await
}

fn traces() -> String {
    let columns = COLUMNS.map(|(name, r#type)| {
        let codec = if name == "Timestamp" { "Delta, ZSTD(1)" } else { "ZSTD(1)" };
        format!("`{name}` {} CODEC({codec})", r#type)
    });
    let indices = INDICES.map(|(name, subject)| format!("INDEX {name} {subject} GRANULARITY 1"));
    format!(
        "CREATE TABLE IF NOT EXISTS ?.otel_traces ({}, {}) ENGINE = MergeTree PARTITION BY toDate(Timestamp) \
         ORDER BY (ServiceName, SpanName, toDateTime(Timestamp)) \
         SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1",
        columns.join(", "),
        indices.join(", ")
    )
}

fn times() -> String {
    let columns = TIMES.map(|(name, r#type)| {
        let codec = if name == "TraceId" { "ZSTD(1)" } else { "Delta, ZSTD(1)" };
        format!("{name} {} CODEC({codec})", r#type)
    });
    format!(
        "CREATE TABLE IF NOT EXISTS ?.otel_traces_trace_id_ts ({}, \
         INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1) ENGINE = MergeTree \
         PARTITION BY toDate(Start) ORDER BY (TraceId, Start) \
         SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1",
        columns.join(", ")
    )
}

/// Checks that both tables exist with the columns that are read.
pub(super) async fn check(client: &Client, database: &str) -> Result<(), Fault> {
    check_table(client, database, "otel_traces", &COLUMNS).await?;
    check_table(client, database, "otel_traces_trace_id_ts", &TIMES).await
}

async fn check_table(client: &Client, database: &str, table: &str, wanted: &[(&str, &str)]) -> Result<(), Fault> {
    let mut sql = Sql::new("SELECT name, type FROM system.columns WHERE database = ? AND table = ? LIMIT 1000");
    sql.text(database).text(table);
    let found: Vec<(String, String)> = ask(client, &sql).await?;
    if found.is_empty() {
        return Err(StoreError::Schema(format!(
            "there is no table {database}.{table}: the collector's clickhouse exporter makes it when it starts, and so does \
             `tracegen run --exporter clickhouse`"
        ))
        .into());
    }
    for (column, r#type) in wanted {
        let is = found.iter().find(|(name, _)| name == column).map(|(_, is)| is.as_str());
        if !is.is_some_and(|is| same(is, r#type)) {
            let is = is.map_or("is missing".to_string(), |is| format!("is {is}"));
            return Err(StoreError::Schema(format!(
                "column {column} of {database}.{table} {is}, and must be {} as the collector's clickhouse exporter makes \
                 it (with `json: false`)",
                r#type
            ))
            .into());
        }
    }
    Ok(())
}

/// Compares two types; a time zone makes no difference.
fn same(is: &str, wanted: &str) -> bool {
    let Some((before, rest)) = is.split_once('\'') else { return is == wanted };
    let after = rest.split_once('\'').map_or("", |(_, after)| after);
    let zoneless = match before.strip_suffix(", ") {
        Some(before) => format!("{before}{after}"),
        None => format!("{}{}", before.trim_end_matches('('), after.strip_prefix(')').unwrap_or(after)),
    };
    zoneless == wanted
}

/// Checks that the server answers this user.
pub(super) async fn ping(client: &Client) -> Result<(), StoreError> {
    execute(client, &Sql::new("SELECT 1 FORMAT Null")).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_zone_makes_no_difference() {
        assert!(same("DateTime64(9, 'Europe/Berlin')", "DateTime64(9)"));
        assert!(same("Array(DateTime64(9, 'UTC'))", "Array(DateTime64(9))"));
        assert!(same("DateTime('UTC')", "DateTime"));
        assert!(!same("DateTime64(3)", "DateTime64(9)") && !same("JSON", MAP));
    }
}
