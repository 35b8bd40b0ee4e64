//! Which handler answers which path.

use super::guard::Refusal;
use super::request::Request;
use super::response::{self, Response};
use super::{App, api, assets, guard, metrics, page};
use hyper::{Method, StatusCode, header};
use std::sync::Arc;

pub async fn respond(app: &Arc<App>, request: Request) -> Response {
    let path = request.path.clone();
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    if let Err(refusal) = guard::check(app, &request)
        && (segments.first() != Some(&"assets") || refusal == Refusal::ForeignHost)
    {
        return refused(app, &request, refusal);
    }
    let Some(methods) = methods(&segments) else {
        return nothing(app, &path);
    };
    if request.method == Method::OPTIONS {
        return response::allowed(StatusCode::NO_CONTENT, methods);
    }
    if !methods.split(", ").any(|method| method == request.method.as_str()) {
        let mut response =
            refuse(app, &path, StatusCode::METHOD_NOT_ALLOWED, &format!("Only {methods} is answered at this address."));
        response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static(methods));
        return response;
    }
    if request.method != Method::GET {
        let response = dispatch(app, &request, &segments).await;
        if request.method != Method::HEAD {
            app.cache.clear();
        }
        return response;
    }
    if !is_shared(&segments) {
        return dispatch(app, &request, &segments).await;
    }
    let gzip = response::takes_gzip(&request.headers);
    let make = async {
        let response = dispatch(app, &request, &segments).await;
        if gzip { response::compressed(response).await } else { response }
    };
    app.cache.answer(format!("{gzip} {}", request.target), make).await
}

/// Whether all who ask get the same, from what takes a while to gather.
fn is_shared(segments: &[&str]) -> bool {
    !matches!(segments, ["api", "events"] | ["login" | "healthz" | "readyz" | "metrics" | "assets", ..])
}

async fn dispatch(app: &Arc<App>, request: &Request, segments: &[&str]) -> Response {
    let path = request.path.as_str();
    match *segments {
        ["api", ref rest @ ..] => api::respond(app, request, rest).await,
        [] => page::traces::list(app, request).await,
        ["traces", id] => page::trace::show(app, request, id).await,
        ["services"] => page::services::show(app, request).await,
        ["scenarios"] => page::scenarios::index(app, request).await,
        ["scenarios", ..] => page::scenarios::show(app, request, scenario(path)).await,
        ["playground", "check"] => page::playground::check(app, request).await,
        ["playground"] if request.method == Method::POST => page::playground::submit(app, request).await,
        ["playground"] => page::playground::show(app, request).await,
        ["status"] => page::status::show(app, request).await,
        ["engine", "settings"] => page::status::apply(app, request).await,
        ["engine", action] => page::status::act(app, request, action).await,
        ["store", "retry"] => page::status::retry(app).await,
        ["login"] if request.method == Method::POST => page::login::enter(app, request).await,
        ["login"] => page::login::show(app, request),
        ["logout"] => page::login::leave(),
        ["healthz"] => response::text(StatusCode::OK, "ok"),
        ["readyz"] => metrics::ready(app).await,
        ["metrics"] => metrics::show(app),
        ["assets", ..] => assets::serve(request).unwrap_or_else(|| nothing(app, path)),
        _ => nothing(app, path),
    }
}

/// What an address takes; `None`: there is no such address.
fn methods(segments: &[&str]) -> Option<&'static str> {
    const READ: &str = "GET, HEAD, OPTIONS";
    const DO: &str = "POST, OPTIONS";
    Some(match segments {
        ["api", rest @ ..] => return api::methods(rest),
        []
        | ["traces", _]
        | ["services" | "status" | "healthz" | "readyz" | "metrics"]
        | ["scenarios", ..]
        | ["assets", _] => READ,
        ["engine", "start" | "stop" | "pause" | "settings"]
        | ["store", "retry"]
        | ["playground", "check"]
        | ["logout"] => DO,
        ["login" | "playground"] => "GET, HEAD, POST, OPTIONS",
        _ => return None,
    })
}

/// Behind `scenarios/`; a name may hold slashes.
pub fn scenario(path: &str) -> &str {
    path.split_once("scenarios/").map_or("", |(_, name)| name)
}

fn refused(app: &App, request: &Request, refusal: Refusal) -> Response {
    let (path, page) = (&request.path, !is_api(&request.path));
    match refusal {
        // a page would tell another site what runs here
        Refusal::ForeignHost => response::text(
            StatusCode::MISDIRECTED_REQUEST,
            &format!("This server answers at {} only: the Host header names another one.", app.url),
        ),
        Refusal::ForeignOrigin => {
            refuse(app, path, StatusCode::FORBIDDEN, "This request comes from a page of another site.")
        }
        Refusal::Unknown if page && path != "/metrics" => page::login::ask(request),
        Refusal::Unknown => {
            let why = "This server has a token: send it as `Authorization: Bearer TOKEN`.";
            let mut response = match page {
                true => response::text(StatusCode::UNAUTHORIZED, why),
                false => refuse(app, path, StatusCode::UNAUTHORIZED, why),
            };
            response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
            response
        }
    }
}

/// In JSON for programs, as a page for people.
pub fn refuse(app: &App, path: &str, status: StatusCode, why: &str) -> Response {
    if is_api(path) { api::Problem::new(status, why).respond() } else { page::problem::of(app, status, why) }
}

fn is_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}

fn nothing(app: &App, path: &str) -> Response {
    refuse(app, path, StatusCode::NOT_FOUND, "There is nothing at this address.")
}
