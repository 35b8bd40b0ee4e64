//! The JSON API, which has everything that the pages show and is described by `openapi.json`.

mod body;
mod description;
mod engine;
mod incidents;
mod otlp;
mod scenarios;
mod services;
mod status;
mod traces;

use super::request::Request;
use super::response::{self, Response};
use super::{App, live};
use crate::store::{Store, StoreError};
use hyper::{Method, StatusCode};
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;

/// Returns the methods of an address below `/api/`, or `None` if there is no such address.
pub fn methods(segments: &[&str]) -> Option<&'static str> {
    Some(match segments {
        ["engine", "start" | "stop" | "pause"] | ["store", "retry"] | ["playground"] => "POST, OPTIONS",
        ["engine", "settings" | "conditions"] => "GET, HEAD, PUT, OPTIONS",
        ["engine", "incidents"] => "GET, HEAD, POST, OPTIONS",
        []
        | [
            "traces" | "overview" | "services" | "operations" | "status" | "counts" | "manifest" | "events"
            | "openapi.json",
        ]
        | ["scenarios", ..]
        | ["traces", _]
        | ["traces", _, "links"] => "GET, HEAD, OPTIONS",
        _ => return None,
    })
}

/// Answers a request whose method and address have been checked.
pub async fn respond(app: &Arc<App>, request: &Request, segments: &[&str]) -> Response {
    let answer = match description::check(request, segments) {
        Ok(()) => answer(app, request, segments).await,
        Err(problem) => Err(problem),
    };
    answer.unwrap_or_else(Problem::respond)
}

async fn answer(app: &Arc<App>, request: &Request, segments: &[&str]) -> Result<Response, Problem> {
    match segments {
        [] => Ok(ok(&description::index())),
        ["traces"] => traces::list(app, request).await,
        ["traces", id] => traces::one(app, id).await,
        ["traces", id, "links"] => traces::links(app, id).await,
        ["overview"] => traces::overview(app, request).await,
        ["services"] => services::report(app, request).await,
        ["operations"] => services::operations(app, request).await,
        ["scenarios"] => Ok(scenarios::index(app)),
        ["scenarios", ..] => scenarios::one(app, request.scenario()),
        ["playground"] => scenarios::try_out(app, request).await,
        ["status"] => Ok(ok(&status::of(app))),
        ["counts"] => app.database.get_trace_counts().await.map(|counts| ok(&counts)).map_err(Problem::from),
        ["manifest"] => Ok(ok(&app.session.manifest())),
        ["engine", "settings"] if request.method == Method::PUT => engine::change(app, request),
        ["engine", "settings"] => Ok(ok(&engine::settings(app))),
        ["engine", "incidents"] if request.method == Method::POST => incidents::act(app, request).await,
        ["engine", "incidents"] => Ok(ok(&incidents::list(app))),
        ["engine", "conditions"] if request.method == Method::PUT => incidents::change(app, request).await,
        ["engine", "conditions"] => Ok(ok(&incidents::conditions(app))),
        ["engine", action] => Ok(engine::act(app, action)),
        ["store", "retry"] => {
            app.database.try_now().await;
            Ok(ok(&status::of(app)))
        }
        ["events"] => live::events(app)
            .ok_or_else(|| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many streams are open; close some")),
        ["openapi.json"] => Ok(response::with(StatusCode::OK, "application/json", description::OPENAPI)),
        _ => Err(Problem::new(StatusCode::NOT_FOUND, "There is nothing at this address.")),
    }
}

fn ok(value: &impl Serialize) -> Response {
    response::json(StatusCode::OK, value)
}

/// The reason why a request can't be answered.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    message: String,
    /// The wrong parameter in the query, the path or the body.
    parameter: Option<String>,
}

impl Problem {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Problem {
        Problem { status, message: message.into(), parameter: None }
    }

    fn parameter(name: impl Into<String>, message: impl Into<String>) -> Problem {
        let parameter = Some(name.into());
        Problem { status: StatusCode::BAD_REQUEST, message: message.into(), parameter }
    }

    pub fn respond(self) -> Response {
        let reason = self.status.canonical_reason().unwrap_or("error");
        let mut error = json!({ "code": reason.to_lowercase().replace(' ', "_"), "message": self.message });
        if let Some(parameter) = self.parameter {
            error["parameter"] = parameter.into();
        }
        response::json(self.status, &json!({ "error": error }))
    }
}

impl From<StoreError> for Problem {
    /// Converts a store's error. The store can't answer now, or not such a large question; its message names the part and
    /// the cause.
    fn from(error: StoreError) -> Problem {
        let status = match error {
            StoreError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Problem::new(status, error.to_string())
    }
}

/// Formats ns since 1970 as a JSON string, because a double does not hold them.
fn nanos(ns: u64) -> String {
    ns.to_string()
}
