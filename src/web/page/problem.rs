//! What is said when there is nothing to show.

use super::{Chrome, Phase, Tab};
use crate::web::App;
use crate::web::guard::Refusal;
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

pub fn not_found(app: &App, text: &str) -> Response {
    page(app, StatusCode::NOT_FOUND, "Not found", text)
}

pub fn refused(app: &App, refusal: Refusal) -> Response {
    match refusal {
        Refusal::ForeignOrigin => {
            page(app, StatusCode::FORBIDDEN, "Refused", "This request comes from a page of another site.")
        }
        Refusal::Unknown => page(app, StatusCode::UNAUTHORIZED, "Who is there?", "This server asks for its token."),
    }
}
