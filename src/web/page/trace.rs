//! One trace as a waterfall.

use super::{Chrome, Phase, Tab};
use crate::web::App;
use crate::web::request::Request;
use crate::web::response::{self, Response};
use askama::Template;
use hyper::StatusCode;
use std::sync::Arc;

#[derive(Template)]
#[template(path = "trace.html")]
struct Waterfall {
    chrome: Chrome,
}

pub async fn show(app: &Arc<App>, _request: &Request, _id: &str) -> Response {
    response::html(StatusCode::OK, &Waterfall { chrome: Chrome::new(app, Tab::Traces) })
}
