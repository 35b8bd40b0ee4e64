//! Which database, from the environment.

use super::{Failure, environment};
use crate::store::{Connection, Wanted};

const MAX_TRACES: usize = 100;
/// More do not fit into any machine's memory.
const MOST_TRACES: usize = 100_000_000;

/// What `DATABASE_TYPE` and the variables beside it ask for. `exporting`: traces go to a collector, which writes
/// ClickHouse.
pub fn wanted(exporting: bool) -> Result<Wanted, Failure> {
    let clickhouse = environment::value("DATABASE_TYPE", |text| match text.to_lowercase().as_str() {
        "inmemory" => Ok(false),
        "clickhouse" => Ok(true),
        _ => Err("expected inmemory or clickhouse"),
    })?;
    let max_traces = environment::value("INMEMORY_MAX_TRACES", |text| match text.parse() {
        Ok(n) if (1..=MOST_TRACES).contains(&n) => Ok(n),
        _ => Err(format!("expected a number of traces, 1 to {MOST_TRACES}")),
    })?;
    let clickhouse = clickhouse.unwrap_or(false).then(connection).transpose()?;
    Ok(Wanted { max_traces: max_traces.unwrap_or(MAX_TRACES), written: clickhouse.is_some() && !exporting, clickhouse })
}

/// Where ClickHouse is.
pub fn connection() -> Result<Connection, Failure> {
    let (host, https) = either("HOST", "HOST", host)?.unwrap_or(("localhost".into(), false));
    let port = either("PORT", "PORT", |text| match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err("expected a port, 1 to 65535".into()),
    })?;
    let plain = |text: &str| Ok(text.to_string());
    Ok(Connection {
        host,
        port: port.unwrap_or(if https { 8443 } else { 8123 }),
        user: either("USER", "USER", plain)?.unwrap_or("default".into()),
        password: environment::text("DATABASE_PASSWORD")
            .or_else(|| environment::text("CLICKHOUSE_PASSWORD"))
            .unwrap_or_default(),
        database: either("NAME", "DATABASE", plain)?.unwrap_or("otel".into()),
        https,
    })
}

/// `DATABASE_` with one name, else `CLICKHOUSE_` with the other.
fn either<T>(name: &str, fallback: &str, parse: fn(&str) -> Result<T, String>) -> Result<Option<T>, Failure> {
    match environment::value(&format!("DATABASE_{name}"), parse)? {
        Some(value) => Ok(Some(value)),
        None => environment::value(&format!("CLICKHOUSE_{fallback}"), parse),
    }
}

/// A name or an address, alone or behind `http://` or `https://`; and whether that says https.
fn host(text: &str) -> Result<(String, bool), String> {
    let (name, https) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
        (Some(name), _) => (name, false),
        (_, Some(name)) => (name, true),
        _ => (text, false),
    };
    let is_v6 = name.parse::<std::net::Ipv6Addr>().is_ok();
    let bracketed = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let named = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
    match bracketed {
        _ if is_v6 => Ok((format!("[{name}]"), https)),
        Some(inner) if inner.parse::<std::net::Ipv6Addr>().is_ok() => Ok((name.into(), https)),
        None if named(name) => Ok((name.into(), https)),
        _ => Err(
            "expected a host name or an address, as `localhost` or `https://db.example.com`; the port is a variable \
                  of its own"
                .into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let ok = |name: &str, https| Ok((name.to_string(), https));
        assert_eq!(host("localhost"), ok("localhost", false));
        assert_eq!(host("https://db.example.com"), ok("db.example.com", true));
        assert_eq!(host("http://10.0.0.1"), ok("10.0.0.1", false));
        assert_eq!(host("::1"), ok("[::1]", false));
        assert_eq!(host("[::1]"), ok("[::1]", false));
        for text in ["", "https://", "db:8123", "db/path", "user@db", "[x]", "a b"] {
            assert!(host(text).is_err(), "{text}");
        }
    }
}
