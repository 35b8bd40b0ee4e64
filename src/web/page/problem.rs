//! What is said when there is nothing to show.

use super::{Chrome, Phase, Tab};
use crate::web::App;
use crate::web::response::{self, Response};
use askama::Template;
use hyper::StatusCode;

#[derive(Template)]
#[template(path = "problem.html")]
struct Problem<'a> {
    chrome: Chrome,
    title: &'a str,
    text: &'a str,
}

pub fn page(app: &App, status: StatusCode, title: &str, text: &str) -> Response {
    response::html(status, &Problem { chrome: Chrome::new(app, Tab::None), title, text })
}

/// With a title for the status.
pub fn of(app: &App, status: StatusCode, text: &str) -> Response {
    let title = match status {
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::METHOD_NOT_ALLOWED => "This can't be done here",
        StatusCode::PAYLOAD_TOO_LARGE => "Too large",
        StatusCode::REQUEST_TIMEOUT => "Too slow",
        StatusCode::FORBIDDEN => "Refused",
        status => status.canonical_reason().unwrap_or("Something is wrong"),
    };
    page(app, status, title, text)
}

pub fn not_found(app: &App, text: &str) -> Response {
    of(app, StatusCode::NOT_FOUND, text)
}
