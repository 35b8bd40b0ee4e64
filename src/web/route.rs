//! The routes: which handler answers which path.

use super::guard::Refusal;
use super::request::Request;
use super::response::{self, Response};
use super::{App, api, assets, guard, metrics, page};
use hyper::{Method, StatusCode, header};
use std::sync::Arc;

/// Checks a request except for its body: the client, the address and the method.
///
/// # Errors
/// The request is refused, or only asks for the allowed methods. The error is the response.
pub async fn check(app: &App, request: &Request) -> Result<(), Response> {
    if let Err(refusal) = guard::check(app, request) {
        return Err(refused(app, request, refusal).await);
    }
    let Some(methods) = methods(&segments(&request.path)) else {
        return Err(nothing(app, request));
    };
    if request.method == Method::OPTIONS {
        return Err(response::allowed(StatusCode::NO_CONTENT, methods));
    }
    if !methods.split(", ").any(|method| method == request.method.as_str()) {
        let reason = format!("Only {methods} is answered at this address.");
        let mut response = refuse(app, request, StatusCode::METHOD_NOT_ALLOWED, &reason);
        response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static(methods));
        return Err(response);
    }
    Ok(())
}

/// Answers a request that has been checked.
pub async fn respond(app: &Arc<App>, request: Request) -> Response {
    let segments = segments(&request.path);
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

fn segments(path: &str) -> Vec<&str> {
    path.split('/').filter(|segment| !segment.is_empty()).collect()
}

/// Reports whether all clients get the same answer, which takes a while to make.
fn is_shared(segments: &[&str]) -> bool {
    !matches!(segments, ["api", "events"] | ["login" | "healthz" | "readyz" | "metrics" | "assets", ..])
}

async fn dispatch(app: &Arc<App>, request: &Request, segments: &[&str]) -> Response {
    match *segments {
        ["api", ref rest @ ..] => api::respond(app, request, rest).await,
        [] => page::traces::list(app, request).await,
        ["traces", id] => page::trace::show(app, request, id).await,
        ["services"] => page::services::show(app, request).await,
        ["scenarios"] => page::scenarios::index(app, request).await,
        ["scenarios", ..] => page::scenarios::show(app, request, request.scenario()).await,
        ["playground", "check"] => page::playground::check(app, request).await,
        ["playground"] if request.method == Method::POST => page::playground::submit(app, request).await,
        ["playground"] => page::playground::show(app, request).await,
        ["incidents"] => page::incidents::show(app, request).await,
        ["engine", "incidents"] => page::incidents::act(app, request).await,
        ["engine", "conditions"] => page::incidents::set(app, request).await,
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
        ["assets", ..] => assets::serve(request).unwrap_or_else(|| nothing(app, request)),
        _ => nothing(app, request),
    }
}

/// Returns the methods of an address, or `None` if there is no such address.
fn methods(segments: &[&str]) -> Option<&'static str> {
    const READ: &str = "GET, HEAD, OPTIONS";
    const DO: &str = "POST, OPTIONS";
    Some(match segments {
        ["api", rest @ ..] => return api::methods(rest),
        []
        | ["traces", _]
        | ["services" | "incidents" | "status" | "healthz" | "readyz" | "metrics"]
        | ["scenarios", ..]
        | ["assets", _] => READ,
        ["engine", "start" | "stop" | "pause" | "settings" | "incidents" | "conditions"]
        | ["store", "retry"]
        | ["playground", "check"]
        | ["logout"] => DO,
        ["login" | "playground"] => "GET, HEAD, POST, OPTIONS",
        _ => return None,
    })
}

async fn refused(app: &App, request: &Request, refusal: Refusal) -> Response {
    let (path, page) = (&request.path, !is_api(&request.path));
    match refusal {
        Refusal::NoHost => response::text(
            StatusCode::BAD_REQUEST,
            "A request needs one Host header with the name or address of this server.",
        ),
        // A page would reveal to another site what runs here.
        Refusal::ForeignHost => response::text(
            StatusCode::MISDIRECTED_REQUEST,
            "The Host header does not name this server. Without a SERVER_TOKEN, it answers to \
             addresses, to localhost and to the names in SERVER_NAMES.",
        ),
        Refusal::ForeignOrigin => {
            refuse(app, request, StatusCode::FORBIDDEN, "This request comes from a page of another site.")
        }
        Refusal::Unknown if page && path != "/metrics" => page::login::ask(request),
        Refusal::Unknown | Refusal::WrongToken => {
            if let (Refusal::WrongToken, Some(token)) = (refusal, &app.token) {
                token.pause().await;
            }
            let reason = "This server has a token: send it as `Authorization: Bearer TOKEN`.";
            let mut response = match page {
                true => response::text(StatusCode::UNAUTHORIZED, reason),
                false => refuse(app, request, StatusCode::UNAUTHORIZED, reason),
            };
            response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
            response
        }
    }
}

/// Makes a refusal, in JSON for programs and as a page for people.
pub fn refuse(app: &App, request: &Request, status: StatusCode, reason: &str) -> Response {
    match is_api(&request.path) {
        true => api::Problem::new(status, reason).respond(),
        false => page::problem::of(app, guard::is_known(app, request), status, reason),
    }
}

fn is_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}

fn nothing(app: &App, request: &Request) -> Response {
    refuse(app, request, StatusCode::NOT_FOUND, "There is nothing at this address.")
}
