//! What is said when there is nothing to show.

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
    /// `None`: for one who does not know the token, and is not told what goes on here.
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

/// With a title for the status. `known`: the one who asks may see what goes on here.
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
