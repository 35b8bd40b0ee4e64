//! Who may ask: browsers by a name of this server, pages of this server where something is changed, and who knows the token
//! where there is one.

use super::App;
use super::request::Request;
use hyper::Method;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use subtle::ConstantTimeEq;

/// Of the cookie that stands for the token after a login.
pub const COOKIE: &str = "tracegen";

/// The secret of `SERVER_TOKEN`.
pub struct Token {
    secret: String,
    /// What a cookie holds: of this token and this process only.
    session: String,
}

impl Token {
    /// # Errors
    /// The system has no random numbers.
    pub fn new(secret: String) -> Result<Token, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        let digest = Sha256::new().chain_update(key).chain_update(&secret).finalize();
        let session = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Token { secret, session })
    }

    pub fn is(&self, given: &str) -> bool {
        self.secret.as_bytes().ct_eq(given.as_bytes()).into()
    }

    /// The cookie of who has given the token; for no other site's page, and for no script.
    pub fn cookie(&self) -> String {
        format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict", self.session)
    }

    fn admits(&self, request: &Request) -> bool {
        let bearer = request.header("authorization").and_then(|h| h.split_once(' '));
        let by_header = bearer.is_some_and(|(scheme, given)| scheme.eq_ignore_ascii_case("bearer") && self.is(given));
        let cookie = request.cookie(COOKIE).unwrap_or_default();
        by_header || self.session.as_bytes().ct_eq(cookie.as_bytes()).into()
    }
}

/// Where the server listens.
pub struct Host {
    /// As `SERVER_HOST` has it, lower case.
    given: String,
    loopback: bool,
}

impl Host {
    pub fn new(given: &str, address: IpAddr) -> Host {
        Host { given: given.to_ascii_lowercase(), loopback: address.is_loopback() }
    }

    /// Only this machine reaches it.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// Whether a `Host` header names this server. A page of another site whose name was made to lead here (DNS rebinding)
    /// names that site; beyond this machine, only a token keeps it out.
    fn is_named_by(&self, header: &str) -> bool {
        let without_port = match header.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _)) => address,
            None => header.rsplit_once(':').map_or(header, |(name, _)| name),
        };
        let name = without_port.to_ascii_lowercase();
        !self.loopback
            || name == "localhost"
            || name == self.given
            || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It asks for another server.
    ForeignHost,
    /// It changes something and comes from a page of another origin.
    ForeignOrigin,
    /// No token, or another one.
    Unknown,
}

pub fn check(app: &App, request: &Request) -> Result<(), Refusal> {
    if request.headers.get_all("host").iter().any(|h| !h.to_str().is_ok_and(|h| app.host.is_named_by(h))) {
        return Err(Refusal::ForeignHost);
    }
    if !matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS) && is_foreign(request) {
        return Err(Refusal::ForeignOrigin);
    }
    // what probes ask for, and what the way in is made of
    let open = matches!(request.path.as_str(), "/login" | "/healthz" | "/readyz");
    match &app.token {
        Some(token) if !open && !token.admits(request) => Err(Refusal::Unknown),
        _ => Ok(()),
    }
}

/// Browsers say where a request comes from; other clients say nothing.
fn is_foreign(request: &Request) -> bool {
    match (request.header("origin"), request.header("sec-fetch-site")) {
        // `null`, of a page without an origin, is no URL
        (Some(origin), _) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_none() || host != request.header("host")
        }
        (None, Some(site)) => !matches!(site, "same-origin" | "none"),
        (None, None) => request.headers.contains_key("origin"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::request::Fields;
    use hyper::HeaderMap;
    use hyper::body::Bytes;
    use hyper::header::{HeaderName, HeaderValue};

    fn request(headers: &[(&'static str, &str)]) -> Request {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let (path, target) = ("/".to_string(), "/".to_string());
        Request { method: Method::POST, path, target, query: Fields::default(), headers: map, body: Bytes::new() }
    }

    #[test]
    fn a_local_server_answers_to_its_own_names_only() {
        let local = Host::new("127.0.0.1", IpAddr::from([127, 0, 0, 1]));
        for name in ["localhost", "localhost:8000", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:8000", "127.0.0.2"] {
            assert!(local.is_named_by(name), "{name}");
        }
        for name in ["", "evil.example", "evil.example:8000", "localhost.evil.example", "10.0.0.1", "[::2]:8000"] {
            assert!(!local.is_named_by(name), "{name}");
        }
        assert!(Host::new("my.host", IpAddr::from([127, 0, 1, 1])).is_named_by("My.Host:80"));
        assert!(Host::new("0.0.0.0", IpAddr::from([0, 0, 0, 0])).is_named_by("any.example"));
    }

    #[test]
    fn a_request_of_another_site_is_foreign() {
        let host = ("host", "localhost:8000");
        for (headers, foreign) in [
            (&[host][..], false),
            (&[host, ("origin", "http://localhost:8000")], false),
            (&[host, ("origin", "http://localhost:9000")], true),
            (&[host, ("origin", "http://evil.example")], true),
            (&[host, ("origin", "null")], true),
            (&[host, ("origin", "null"), ("sec-fetch-site", "same-origin")], true),
            (&[host, ("sec-fetch-site", "same-origin")], false),
            (&[host, ("sec-fetch-site", "none")], false),
            (&[host, ("sec-fetch-site", "same-site")], true),
            (&[host, ("sec-fetch-site", "cross-site")], true),
        ] {
            assert_eq!(is_foreign(&request(headers)), foreign, "{headers:?}");
        }
    }

    #[test]
    fn a_token_admits_by_header_or_by_its_own_cookie() {
        let token = Token::new("open sesame".into()).unwrap();
        let cookie = token.cookie().split(';').next().unwrap().to_string();
        assert!(!cookie.contains("sesame"));
        let other = Token::new("open sesame".into()).unwrap().cookie().split(';').next().unwrap().to_string();
        for (headers, admitted) in [
            (&[][..], false),
            (&[("authorization", "Bearer open sesame")], true),
            (&[("authorization", "bearer open sesame")], true),
            (&[("authorization", "Bearer open")], false),
            (&[("authorization", "Basic open sesame")], false),
            (&[("cookie", &cookie)], true),
            (&[("cookie", &format!("a=b; {cookie}; c"))], true),
            (&[("cookie", &other)], false),
            (&[("cookie", "tracegen=")], false),
        ] {
            assert_eq!(token.admits(&request(headers)), admitted, "{headers:?}");
        }
    }
}
