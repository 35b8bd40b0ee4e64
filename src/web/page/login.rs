//! The login of a server with a token: a form, and a cookie for clients that know the token.

use crate::web::App;
use crate::web::request::Request;
use crate::web::response::{self, Response};
use askama::Template;
use hyper::header::{self, HeaderValue};
use hyper::{Method, StatusCode};

const FORGET: &str = "tracegen=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0";

#[derive(Template)]
#[template(path = "login.html")]
struct Login<'a> {
    /// The page to go to after the login.
    to: &'a str,
    wrong: bool,
}

/// Shows the login in place of the page that was asked for.
pub fn ask(request: &Request) -> Response {
    let to = if request.method == Method::GET { request.target.as_str() } else { "/" };
    form(to, false)
}

pub fn show(app: &App, request: &Request) -> Response {
    match app.token {
        Some(_) => form(own(request.query.get("to")), false),
        None => response::see_other("/"),
    }
}

pub async fn enter(app: &App, request: &Request) -> Response {
    let fields = request.form();
    let to = own(fields.get("to"));
    let Some(token) = &app.token else { return response::see_other(to) };
    if !token.is(fields.get("token").unwrap_or_default()) {
        token.pause().await;
        return form(to, true);
    }
    with_cookie(response::see_other(to), &token.cookie())
}

pub fn leave() -> Response {
    with_cookie(response::see_other("/"), FORGET)
}

fn form(to: &str, wrong: bool) -> Response {
    let mut response = response::html(StatusCode::UNAUTHORIZED, &Login { to, wrong });
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Returns the path if it belongs to this server, which excludes everything that a browser would take for another address.
fn own(path: Option<&str>) -> &str {
    let is_own = |path: &&str| {
        let elsewhere = path.starts_with("//") || path.starts_with("/\\");
        path.starts_with('/') && !elsewhere && path.bytes().all(|b| b.is_ascii_graphic())
    };
    path.filter(is_own).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::own;

    #[test]
    fn the_login_leads_to_own_pages_only() {
        for path in ["/", "/traces/1", "/?q=a%20b&page=2"] {
            assert_eq!(own(Some(path)), path);
        }
        for path in ["", "//evil.example", "/\\evil.example", "http://evil.example", "/a\r\nx: y", "/\t/evil.example"] {
            assert_eq!(own(Some(path)), "/", "{path:?}");
        }
    }
}
