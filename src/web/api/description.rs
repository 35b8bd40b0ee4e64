//! The description of the API in `openapi.json`. The server itself takes the parameters of each address from it.

use super::Problem;
use crate::language::diagnostic::nearest;
use crate::web::request::Request;
use crate::web::words::listed_as_code;
use serde_json::{Value, json};
use std::sync::LazyLock;

pub const OPENAPI: &str = include_str!("openapi.json");

static DESCRIBED: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(OPENAPI).unwrap_or_default());

/// Iterates over the method, path and description of each operation.
fn operations() -> impl Iterator<Item = (&'static str, &'static str, &'static Value)> {
    let paths = DESCRIBED["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, operations)| {
        let operations = operations.as_object().into_iter().flatten();
        operations.map(move |(method, operation)| (method.as_str(), path.as_str(), operation))
    })
}

/// Returns a list of all operations.
pub fn index() -> Value {
    let operations = operations().map(|(method, path, operation)| {
        json!({ "method": method.to_uppercase(), "path": path, "summary": operation["summary"] })
    });
    json!({
        "name": "tracegen",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "/api/openapi.json",
        "operations": operations.collect::<Vec<_>>(),
    })
}

/// Checks that the parameters of a request are known at its address, each given once.
///
/// # Errors
/// A parameter is unknown or repeated. The error names the first one, and the one that was probably meant.
pub fn check(request: &Request, segments: &[&str]) -> Result<(), Problem> {
    let known = parameters(request.method.as_str(), segments);
    for (at, (name, _)) in request.query.0.iter().enumerate() {
        if request.query.0[..at].iter().any(|(before, _)| before == name) {
            return Err(Problem::parameter(name, "This parameter is given more than once."));
        }
        if known.contains(&name.as_str()) {
            continue;
        }
        let meant = nearest(name, known.iter().copied());
        let message = match (meant, &known[..]) {
            (Some(meant), _) => format!("There is no such parameter here; did you mean `{meant}`?"),
            (None, []) => "There is no such parameter here: this address takes none.".into(),
            (None, known) => format!("There is no such parameter here. Allowed: {}.", listed_as_code(known, "and")),
        };
        return Err(Problem::parameter(name, message));
    }
    Ok(())
}

/// Returns the query parameters of an address below `/api/`.
fn parameters(method: &str, segments: &[&str]) -> Vec<&'static str> {
    let method = if method == "HEAD" { "get" } else { &method.to_lowercase() };
    let here = operations().filter(|(m, path, _)| *m == method && is_at(path, segments));
    let all = here.flat_map(|(_, _, operation)| operation["parameters"].as_array().into_iter().flatten());
    all.filter(|parameter| parameter["in"] == "query").filter_map(|parameter| parameter["name"].as_str()).collect()
}

/// Reports whether a path in the description matches an address; a part in braces at its end may contain slashes.
fn is_at(path: &str, segments: &[&str]) -> bool {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).skip(1).collect();
    let open = parts.last().is_some_and(|part| part.starts_with('{')) && segments.len() > parts.len();
    let fits = |(part, segment): (&&str, &&str)| part.starts_with('{') || part == segment;
    (open || parts.len() == segments.len()) && parts.iter().zip(segments).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_those_of_the_description() {
        assert_eq!(parameters("GET", &["services"]), ["scenario", "range", "from", "until"]);
        assert_eq!(parameters("HEAD", &["operations"]), ["service"]);
        for none in [&["traces", "0123"][..], &["scenarios", "a", "b"], &["engine", "settings"], &[]] {
            assert!(parameters("GET", none).is_empty(), "{none:?}");
        }
        assert!(is_at("/api/scenarios/{name}", &["scenarios", "a", "b"]));
        assert!(!is_at("/api/traces", &["traces", "a"]) && !is_at("/api/engine/start", &["engine", "stop"]));
    }
}
