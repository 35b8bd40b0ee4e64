//! The selection of the database from environment variables.

use super::{Failure, environment};
use crate::store::{Connection, MemoryLimits, Wanted};
use crate::text::host;

/// Returns the database that `DATABASE_TYPE` and its companions select, with the given memory limits. `exporting`: traces
/// go to a collector, which writes to ClickHouse.
///
/// # Errors
/// A variable has a bad value.
pub fn wanted(memory: MemoryLimits, exporting: bool) -> Result<Wanted, Failure> {
    let clickhouse = environment::value("DATABASE_TYPE", |text| match text.to_lowercase().as_str() {
        "inmemory" => Ok(false),
        "clickhouse" => Ok(true),
        _ => Err("expected inmemory or clickhouse"),
    })?;
    let clickhouse = clickhouse.unwrap_or(false).then(connection).transpose()?;
    Ok(Wanted { memory, written: clickhouse.is_some() && !exporting, clickhouse })
}

/// Returns the address of ClickHouse from the variables.
///
/// # Errors
/// A variable has a bad value.
pub fn connection() -> Result<Connection, Failure> {
    let (host, https) = environment::value(variable("HOST"), host)?.unwrap_or(("localhost".into(), false));
    let port = environment::value(variable("PORT"), |text| match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err("expected a port, 1 to 65535"),
    })?;
    Ok(Connection {
        host,
        port: port.unwrap_or(if https { 8443 } else { 8123 }),
        user: environment::text(variable("USER")).unwrap_or("default".into()),
        password: environment::text(variable("PASSWORD")).unwrap_or_default(),
        database: environment::text(variable("NAME")).unwrap_or("otel".into()),
        https,
    })
}

/// Returns the address of ClickHouse from the URL of `setting`. User and password come from the variables if the URL has
/// none.
///
/// # Errors
/// The URL can't be used.
pub fn connection_at(setting: &str, url: &str) -> Result<Connection, Failure> {
    let at = Connection::parse(url).map_err(|e| Failure::usage(format!("{setting}: {e}")))?;
    let own = connection()?;
    let names_user = at.user != "default" || !at.password.is_empty();
    Ok(if names_user { at } else { Connection { user: own.user, password: own.password, ..at } })
}

/// Returns the name of the variable in effect: that of `DATABASE_`, or the one of `CLICKHOUSE_` if only that is set.
pub fn variable(name: &str) -> &'static str {
    let (first, second) = match name {
        "HOST" => ("DATABASE_HOST", "CLICKHOUSE_HOST"),
        "PORT" => ("DATABASE_PORT", "CLICKHOUSE_PORT"),
        "USER" => ("DATABASE_USER", "CLICKHOUSE_USER"),
        "PASSWORD" => ("DATABASE_PASSWORD", "CLICKHOUSE_PASSWORD"),
        _ => ("DATABASE_NAME", "CLICKHOUSE_DATABASE"),
    };
    if environment::text(first).is_none() && environment::text(second).is_some() { second } else { first }
}

/// Parses a host name or an address, alone or behind `http://` or `https://`, and returns whether it is https.
fn host(text: &str) -> Result<(String, bool), String> {
    let (name, https) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
        (Some(name), _) => (name, false),
        (_, Some(name)) => (name, true),
        _ => (text, false),
    };
    let is_v6 = host::bare(name).parse::<std::net::Ipv6Addr>().is_ok();
    let named = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
    if is_v6 || named {
        return Ok((host::in_url(name).into(), https));
    }
    Err("expected a host name or an address, as `localhost` or `https://db.example.com`; the port is a variable of its own"
        .into())
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
