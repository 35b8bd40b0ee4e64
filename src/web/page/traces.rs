//! The list of traces.

use super::{Chrome, Phase, Tab};
use crate::web::App;
use crate::web::request::Request;
use crate::web::response::{self, Response};
use askama::Template;
use hyper::StatusCode;
use std::sync::Arc;

#[derive(Template)]
#[template(path = "traces.html")]
struct Traces {
    chrome: Chrome,
}

pub async fn list(app: &Arc<App>, _request: &Request) -> Response {
    response::html(StatusCode::OK, &Traces { chrome: Chrome::new(app, Tab::Traces) })
}
