//! Scenarios: the index, and one with its source beside its plan.

use super::{Chrome, Phase, Tab};
use crate::web::App;
use crate::web::request::Request;
use crate::web::response::{self, Response};
use askama::Template;
use hyper::StatusCode;
use std::sync::Arc;

#[derive(Template)]
#[template(path = "scenarios.html")]
struct Index {
    chrome: Chrome,
}

pub async fn index(app: &Arc<App>, _request: &Request) -> Response {
    response::html(StatusCode::OK, &Index { chrome: Chrome::new(app, Tab::Scenarios) })
}

#[derive(Template)]
#[template(path = "scenario.html")]
struct Scenario {
    chrome: Chrome,
}

pub async fn show(app: &Arc<App>, _request: &Request, _name: &str) -> Response {
    response::html(StatusCode::OK, &Scenario { chrome: Chrome::new(app, Tab::Scenarios) })
}
