//! The page for a request without a result.

use super::{Chrome, Tab};
use crate::engine::Phase;
use crate::web::App;
use crate::web::response::{self, Response};
use crate::web::words::{Words, words};
use askama::Template;
use hyper::StatusCode;

#[derive(Template)]
#[template(path = "problem.html")]
struct Problem<'a> {
    /// The frame; `None` for a client that does not know the token, and must not learn about the server.
    chrome: Option<Chrome>,
    title: &'a str,
    text: Vec<Words>,
}

pub fn page(app: &App, status: StatusCode, title: &str, text: &str) -> Response {
    show(Some(Chrome::new(app, Tab::None)), status, title, text)
}

fn show(chrome: Option<Chrome>, status: StatusCode, title: &str, text: &str) -> Response {
    response::html(status, &Problem { chrome, title, text: words(text) })
}

/// Shows a problem with a title for the status. `known`: the client may see the server's state.
pub fn of(app: &App, known: bool, status: StatusCode, text: &str) -> Response {
    let title = match status {
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::METHOD_NOT_ALLOWED => "This can't be done here",
        StatusCode::PAYLOAD_TOO_LARGE => "Too large",
        StatusCode::REQUEST_TIMEOUT => "Too slow",
        StatusCode::FORBIDDEN => "Refused",
        status => status.canonical_reason().unwrap_or("Something is wrong"),
    };
    show(known.then(|| Chrome::new(app, Tab::None)), status, title, text)
}

pub fn not_found(app: &App, text: &str) -> Response {
    of(app, true, StatusCode::NOT_FOUND, text)
}
