//! Which handler answers which path.

use super::request::Request;
use super::response::{self, Response};
use super::{App, assets, guard, live, page};
use hyper::header::{self, HeaderValue};
use hyper::{Method, StatusCode};
use std::sync::Arc;

pub async fn respond(app: &Arc<App>, request: Request) -> Response {
    if let Some(asset) = assets::serve(&request) {
        return asset;
    }
    if let Err(refusal) = guard::check(app.token.as_ref(), &request) {
        return page::problem::refused(app, refusal);
    }
    let path = request.path.clone();
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    let read = matches!(request.method, Method::GET | Method::HEAD);
    let post = request.method == Method::POST;
    match segments[..] {
        [] if read => page::traces::list(app, &request).await,
        ["traces", id] if read => page::trace::show(app, &request, id).await,
        ["services"] if read => page::services::show(app, &request).await,
        ["scenarios"] if read => page::scenarios::index(app, &request).await,
        // a name may hold slashes
        ["scenarios", ..] if read => {
            let name = path.split_once("scenarios/").map_or("", |(_, name)| name);
            page::scenarios::show(app, &request, name).await
        }
        ["playground"] if read => page::playground::show(app, &request).await,
        ["playground"] if post => page::playground::submit(app, &request).await,
        ["playground", "check"] if post => page::playground::check(app, &request).await,
        ["status"] if read => page::status::show(app, &request).await,
        ["engine", action @ ("start" | "stop" | "pause")] if post => page::status::act(app, &request, action).await,
        ["engine", "settings"] if post => page::status::apply(app, &request).await,
        ["store", "retry"] if post => page::status::retry(app).await,
        ["api", "events"] if read => live::events(app).unwrap_or_else(|| {
            page::problem::page(app, StatusCode::SERVICE_UNAVAILABLE, "Too many pages listen", "Close some of them.")
        }),
        ["healthz"] if read => response::with(StatusCode::OK, "text/plain; charset=utf-8", "ok\n"),
        [] | ["traces", _] | ["services"] | ["scenarios", ..] | ["status"] => wrong_method(app, "GET, HEAD"),
        ["engine", "start" | "stop" | "pause" | "settings"] | ["store", "retry"] => wrong_method(app, "POST"),
        ["playground"] => wrong_method(app, "GET, HEAD, POST"),
        ["playground", "check"] => wrong_method(app, "POST"),
        _ => page::problem::not_found(app, "This page does not exist."),
    }
}

fn wrong_method(app: &App, allowed: &'static str) -> Response {
    let mut response = page::problem::page(
        app,
        StatusCode::METHOD_NOT_ALLOWED,
        "This can't be done here",
        &format!("Only {allowed} is answered at this address."),
    );
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}
