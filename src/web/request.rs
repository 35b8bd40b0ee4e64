//! A request that has been read, within bounds.

use hyper::body::Bytes;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};
use percent_encoding::percent_decode_str;

/// A request.
pub struct Request {
    pub method: Method,
    /// The path, decoded, without the query.
    pub path: String,
    /// Path and query as they came.
    pub target: String,
    /// The host in the request line, if that has a whole URL.
    pub authority: Option<String>,
    pub query: Fields,
    pub headers: HeaderMap,
    /// The body, which is empty until the head has been checked.
    pub body: Bytes,
}

impl Request {
    /// Makes a request of its head, without the body.
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

    /// Returns the scenario that the path names behind `scenarios/`; a name may contain slashes.
    pub fn scenario(&self) -> &str {
        self.path.split_once("scenarios/").map_or("", |(_, name)| name)
    }

    /// Reports whether the method has a meaningful body.
    pub fn takes_body(&self) -> bool {
        matches!(self.method, Method::POST | Method::PUT)
    }

    /// Returns the fields of a form in the body.
    pub fn form(&self) -> Fields {
        Fields::parse(&self.body)
    }

    /// Returns the value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let pairs = self.headers.get_all("cookie").iter().filter_map(|h| h.to_str().ok()).flat_map(|h| h.split(';'));
        pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The names and values of a query or a form, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(pub Vec<(String, String)>);

impl Fields {
    pub fn parse(text: impl AsRef<[u8]>) -> Fields {
        Fields(form_urlencoded::parse(text.as_ref()).into_owned().collect())
    }

    /// Returns the last value of a name. Empty values count as absent, because browsers send them for untouched fields.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.trim());
        value.filter(|v| !v.is_empty())
    }
}
