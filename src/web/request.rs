//! A request, read and bounded.

use hyper::body::Bytes;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};
use percent_encoding::percent_decode_str;

pub struct Request {
    pub method: Method,
    /// Decoded, without the query.
    pub path: String,
    /// Path and query as they came.
    pub target: String,
    /// The host that the request line names, where it is a whole URL.
    pub authority: Option<String>,
    pub query: Fields,
    pub headers: HeaderMap,
    /// Empty until the rest of the request has been found in order.
    pub body: Bytes,
}

impl Request {
    /// The request whose head is `head`, without its body.
    pub fn new(head: Parts) -> Request {
        let Parts { method, uri, headers, .. } = head;
        Request {
            method,
            path: percent_decode_str(uri.path()).decode_utf8_lossy().into_owned(),
            target: uri.path_and_query().map_or("/", |target| target.as_str()).to_string(),
            authority: uri.authority().map(ToString::to_string),
            query: Fields::parse(uri.query().unwrap_or_default()),
            headers,
            body: Bytes::new(),
        }
    }

    /// The scenario that the path names behind `scenarios/`; a name may hold slashes.
    pub fn scenario(&self) -> &str {
        self.path.split_once("scenarios/").map_or("", |(_, name)| name)
    }

    /// Whether the method is one whose body says something.
    pub fn takes_body(&self) -> bool {
        matches!(self.method, Method::POST | Method::PUT)
    }

    /// The body of a form.
    pub fn form(&self) -> Fields {
        Fields::parse(&self.body)
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let pairs = self.headers.get_all("cookie").iter().filter_map(|h| h.to_str().ok()).flat_map(|h| h.split(';'));
        pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Names and values of a query or a form, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(pub Vec<(String, String)>);

impl Fields {
    pub fn parse(text: impl AsRef<[u8]>) -> Fields {
        Fields(form_urlencoded::parse(text.as_ref()).into_owned().collect())
    }

    /// The last value of a name; empty ones count as absent, as an untouched form field sends them.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.trim());
        value.filter(|v| !v.is_empty())
    }
}
