//! Access control. Browsers must use a name of this server. If there is a token, it is required. Changes are only accepted
//! from pages of this server.

use super::App;
use super::request::Request;
use hyper::Method;
use sha2::{Digest, Sha256};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// The name of the cookie that replaces the token after a login.
pub const COOKIE: &str = "tracegen";
/// The time before a wrong token is answered. It grows by this for every [`TOGETHER`] others that wait, up to
/// [`LONGEST_PAUSE`], so that there are at most eight guesses a second in all, from any number of connections.
const PAUSE: Duration = Duration::from_millis(500);
/// The number of wrong tokens that wait for the same time.
const TOGETHER: u32 = 4;
/// The maximum time before a wrong token is answered.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The secret of `SERVER_TOKEN`.
pub struct Token {
    secret: String,
    /// The value of the cookie, which is valid for this token and this process only.
    session: String,
    /// The number of wrong tokens that wait for their answer.
    waiting: AtomicU32,
}

impl Token {
    /// Makes a token.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new(secret: String) -> Result<Token, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        let digest = Sha256::new().chain_update(key).chain_update(&secret).finalize();
        let session = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Token { secret, session, waiting: AtomicU32::new(0) })
    }

    pub fn is(&self, given: &str) -> bool {
        self.secret.as_bytes().ct_eq(given.as_bytes()).into()
    }

    /// Returns the cookie for a client that has given the token. Neither pages of other sites nor scripts can use it.
    pub fn cookie(&self) -> String {
        format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict", self.session)
    }

    /// Waits before a wrong token is answered. The right one is answered at once.
    pub async fn pause(&self) {
        let waiting = Waiting::new(&self.waiting);
        tokio::time::sleep(waiting.pause()).await;
    }

    /// Checks the token or the cookie of a request.
    ///
    /// # Errors
    /// The request has none, or a wrong one.
    fn judge(&self, request: &Request) -> Result<(), Refusal> {
        let bearer = request.header("authorization").and_then(|h| h.split_once(' '));
        let by_header = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let by_header = by_header.map(|(_, given)| self.is(given));
        let cookie = request.cookie(COOKIE).unwrap_or_default();
        match by_header {
            Some(true) => Ok(()),
            _ if self.session.as_bytes().ct_eq(cookie.as_bytes()).into() => Ok(()),
            Some(false) => Err(Refusal::WrongToken),
            None => Err(Refusal::Unknown),
        }
    }
}

/// A wrong token that waits for its answer, for as long as this exists.
struct Waiting<'a> {
    count: &'a AtomicU32,
    earlier: u32,
}

impl Waiting<'_> {
    fn new(count: &AtomicU32) -> Waiting<'_> {
        Waiting { count, earlier: count.fetch_add(1, Ordering::Relaxed) }
    }

    fn pause(&self) -> Duration {
        (PAUSE * (1 + self.earlier / TOGETHER)).min(LONGEST_PAUSE)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The address at which the server listens, and its names.
pub struct Host {
    /// `SERVER_HOST` and `SERVER_NAMES` in lower case.
    names: Vec<String>,
    loopback: bool,
}

impl Host {
    /// Makes a host. `given` is the configured host, `names` holds further names, and `address` is the host's address.
    pub fn new(given: &str, names: &[String], address: IpAddr) -> Host {
        let names = names.iter().map(String::as_str).chain([given]).map(str::to_ascii_lowercase).collect();
        Host { names, loopback: address.is_loopback() }
    }

    /// Reports whether only this machine can reach the server.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// Reports whether the name is one of this server, or an address. A page of another site whose name was made to lead
    /// here (DNS rebinding) uses that site's name; by an address, only pages of this server can ask.
    fn answers_to(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        name == "localhost" || name.parse::<IpAddr>().is_ok() || self.names.contains(&name)
    }
}

/// Returns the name or address in a `Host` header, without port and brackets, or `None` if it is malformed.
fn name_in(header: &str) -> Option<&str> {
    let (name, port) = match header.strip_prefix('[') {
        Some(rest) => rest.split_once(']').filter(|(address, _)| address.parse::<Ipv6Addr>().is_ok())?,
        None => header.split_at(header.find(':').unwrap_or(header.len())),
    };
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(&b));
    (plain && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))).then_some(name)
}

/// The reason why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request does not name exactly one server.
    NoHost,
    /// The request names another server.
    ForeignHost,
    /// The request has no token.
    Unknown,
    /// The request has a wrong token.
    WrongToken,
    /// The request changes something and comes from a page of another origin.
    ForeignOrigin,
}

/// Checks whether a request may be answered.
///
/// # Errors
/// The request is refused.
pub fn check(app: &App, request: &Request) -> Result<(), Refusal> {
    let name = host(request).ok_or(Refusal::NoHost)?;
    if app.token.is_none() && !app.host.answers_to(name) {
        return Err(Refusal::ForeignHost);
    }
    // Health checks, and what the login page consists of.
    let open =
        matches!(request.path.as_str(), "/login" | "/healthz" | "/readyz") || request.path.starts_with("/assets/");
    if !open {
        known(app, request)?;
    }
    if !matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS) && is_foreign(request) {
        return Err(Refusal::ForeignOrigin);
    }
    Ok(())
}

/// Reports whether the client may see the server's state, which is always the case without a token.
pub fn is_known(app: &App, request: &Request) -> bool {
    known(app, request).is_ok()
}

fn known(app: &App, request: &Request) -> Result<(), Refusal> {
    app.token.as_ref().map_or(Ok(()), |token| token.judge(request))
}

/// Returns the name of the server that the request is for. It is in the `Host` header, which must be given once, and the
/// request line must not contradict it.
fn host(request: &Request) -> Option<&str> {
    let mut headers = request.headers.get_all("host").iter();
    let (Some(header), None) = (headers.next(), headers.next()) else { return None };
    let header = header.to_str().ok()?;
    let same = request.authority.as_deref().is_none_or(|authority| authority.eq_ignore_ascii_case(header));
    name_in(header).filter(|_| same)
}

/// Reports whether a request comes from a page of another origin. Browsers say that; other clients do not.
fn is_foreign(request: &Request) -> bool {
    match (request.header("origin"), request.header("sec-fetch-site")) {
        // `null`, the origin of a page without one, is not a URL.
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
    use hyper::HeaderMap;
    use hyper::header::{HeaderName, HeaderValue};

    fn request(headers: &[(&'static str, &str)]) -> Request {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let mut head = hyper::Request::new(()).into_parts().0;
        (head.method, head.headers) = (Method::POST, map);
        Request::new(head)
    }

    #[test]
    fn without_a_token_requests_by_address_and_own_name_are_answered() {
        let host = Host::new("My.host", &["tracegen".into(), "Demo.Example".into()], IpAddr::from([127, 0, 0, 1]));
        for name in [
            "localhost",
            "localhost:8000",
            "LOCALHOST.:1",
            "localhost:",
            "127.0.0.1:8000",
            "[::1]:8000",
            "[::1]",
            "10.0.0.1",
            "my.host",
            "tracegen:8000",
            "demo.example.",
        ] {
            assert!(name_in(name).is_some_and(|name| host.answers_to(name)), "{name}");
        }
        for name in
            ["evil.example", "evil.example:8000", "localhost.evil.example", "example", "1.2.3", "0x7f.1", "2130706433"]
        {
            assert!(name_in(name).is_some_and(|name| !host.answers_to(name)), "{name}");
        }
    }

    #[test]
    fn the_form_of_a_host_is_checked() {
        for name in [
            "",
            ":80",
            "[::1]evil.example",
            "[::1]:8000evil.example",
            "[::1",
            "[evil.example]",
            "[127.0.0.1]",
            "::1",
            "localhost:evil.example",
            "localhost:80:evil.example",
            "a@localhost",
            "localhost/evil",
            "local host",
            "..%2f",
        ] {
            assert_eq!(name_in(name), None, "{name}");
        }
        let hosts = |headers: &[(&'static str, &str)]| host(&request(headers)).map(String::from);
        assert_eq!(hosts(&[("host", "a.example:80")]), Some("a.example".into()));
        assert_eq!(hosts(&[]), None);
        assert_eq!(hosts(&[("host", "localhost"), ("host", "localhost")]), None);
        let mut whole = request(&[("host", "localhost:8000")]);
        whole.authority = Some("LocalHost:8000".into());
        assert_eq!(host(&whole), Some("localhost"));
        whole.authority = Some("evil.example".into());
        assert_eq!(host(&whole), None);
    }

    #[test]
    fn the_wait_grows_with_the_number_of_wrong_tokens() {
        let count = AtomicU32::new(0);
        let waiting: Vec<Waiting> = (0..200).map(|_| Waiting::new(&count)).collect();
        let pauses: Vec<Duration> = waiting.iter().map(Waiting::pause).collect();
        assert_eq!((pauses[0], pauses[3], pauses[4], pauses[199]), (PAUSE, PAUSE, 2 * PAUSE, LONGEST_PAUSE));
        drop(waiting);
        assert_eq!(Waiting::new(&count).pause(), PAUSE);
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
            (&[][..], Err(Refusal::Unknown)),
            (&[("authorization", "Bearer open sesame")], Ok(())),
            (&[("authorization", "bearer open sesame")], Ok(())),
            (&[("authorization", "Bearer open")], Err(Refusal::WrongToken)),
            (&[("authorization", "Bearer open"), ("cookie", &cookie)], Ok(())),
            (&[("authorization", "Basic open sesame")], Err(Refusal::Unknown)),
            (&[("cookie", &cookie)], Ok(())),
            (&[("cookie", &format!("a=b; {cookie}; c"))], Ok(())),
            (&[("cookie", &other)], Err(Refusal::Unknown)),
            (&[("cookie", "tracegen=")], Err(Refusal::Unknown)),
        ] {
            assert_eq!(token.judge(&request(headers)), admitted, "{headers:?}");
        }
    }
}
