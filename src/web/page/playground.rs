//! A scenario to be edited, compiled as one types; nothing is written to disk.

use super::{Chrome, Phase, Tab};
use crate::web::App;
use crate::web::request::Request;
use crate::web::response::{self, Response};
use askama::Template;
use hyper::StatusCode;
use std::sync::Arc;

#[derive(Template)]
#[template(path = "playground.html")]
struct Playground {
    chrome: Chrome,
}

pub async fn show(app: &Arc<App>, _request: &Request) -> Response {
    response::html(StatusCode::OK, &Playground { chrome: Chrome::new(app, Tab::Scenarios) })
}
