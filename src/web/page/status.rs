//! Engine, account, exporter, store and configuration.

use super::{Chrome, Phase, Tab};
use crate::web::App;
use crate::web::request::Request;
use crate::web::response::{self, Response};
use askama::Template;
use hyper::StatusCode;
use std::sync::Arc;

#[derive(Template)]
#[template(path = "status.html")]
struct Status {
    chrome: Chrome,
}

pub async fn show(app: &Arc<App>, _request: &Request) -> Response {
    response::html(StatusCode::OK, &Status { chrome: Chrome::new(app, Tab::Status) })
}

/// A button of the engine: then back to the page it stood on.
pub async fn act(app: &Arc<App>, request: &Request, action: &str) -> Response {
    match action {
        "start" => app.session.resume(),
        "pause" => app.session.pause(),
        _ => app.session.stop(),
    }
    response::see_other(own_path(request.header("referer")).unwrap_or("/status"))
}

/// Path and query of a URL, which is one of ours: the form came from this origin.
fn own_path(url: Option<&str>) -> Option<&str> {
    let (_, rest) = url?.split_once("://")?;
    Some(&rest[rest.find('/')?..]).filter(|path| !path.starts_with("//"))
}
