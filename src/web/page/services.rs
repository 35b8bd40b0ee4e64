//! Services: the map, and rate, errors and durations.

use super::{Chrome, Phase, Tab};
use crate::web::App;
use crate::web::request::Request;
use crate::web::response::{self, Response};
use askama::Template;
use hyper::StatusCode;
use std::sync::Arc;

#[derive(Template)]
#[template(path = "services.html")]
struct Services {
    chrome: Chrome,
}

pub async fn show(app: &Arc<App>, _request: &Request) -> Response {
    response::html(StatusCode::OK, &Services { chrome: Chrome::new(app, Tab::Services) })
}
