//! Who may ask: requests that change something come from a page of this server, and carry the token where one is set.

use super::request::Request;
use hyper::Method;
use subtle::ConstantTimeEq;

/// The secret of `SERVER_TOKEN`.
pub struct Token(String);

impl Token {
    pub fn new(secret: String) -> Token {
        Token(secret)
    }

    pub fn is(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It changes something and comes from a page of another origin.
    ForeignOrigin,
    /// No token, or another one.
    Unknown,
}

pub fn check(token: Option<&Token>, request: &Request) -> Result<(), Refusal> {
    if !matches!(request.method, Method::GET | Method::HEAD) && is_foreign(request) {
        return Err(Refusal::ForeignOrigin);
    }
    let Some(token) = token else { return Ok(()) };
    let bearer = request.header("authorization").and_then(|h| h.strip_prefix("Bearer "));
    match bearer {
        Some(given) if token.is(given) => Ok(()),
        _ => Err(Refusal::Unknown),
    }
}

/// Browsers say where a request comes from; other clients say nothing.
fn is_foreign(request: &Request) -> bool {
    match (request.header("origin"), request.header("sec-fetch-site")) {
        (Some(origin), _) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_none() || host != request.header("host")
        }
        (None, Some(site)) => !matches!(site, "same-origin" | "none"),
        (None, None) => false,
    }
}
