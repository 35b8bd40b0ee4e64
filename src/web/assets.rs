//! The stylesheet and scripts, which are embedded.

use super::request::Request;
use super::response::{self, Response};
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};

struct Asset {
    path: &'static str,
    content_type: &'static str,
    text: &'static str,
    /// A hash of the text, which identifies its version.
    tag: u64,
}

/// Returns the FNV-1a hash of a text.
const fn tag(text: &str) -> u64 {
    let (bytes, mut hash, mut at) = (text.as_bytes(), 0xcbf2_9ce4_8422_2325u64, 0);
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x100_0000_01b3);
        at += 1;
    }
    hash
}

macro_rules! assets {
    ($($name:literal $kind:literal),* $(,)?) => {
        const ASSETS: &[Asset] = &[$(Asset {
            path: concat!("/assets/", $name),
            content_type: $kind,
            text: include_str!(concat!("assets/", $name)),
            tag: tag(include_str!(concat!("assets/", $name))),
        }),*];
    };
}

assets! {
    "style.css" "text/css; charset=utf-8",
    "live.js" "text/javascript; charset=utf-8",
    "services.js" "text/javascript; charset=utf-8",
    "sliders.js" "text/javascript; charset=utf-8",
    "status.js" "text/javascript; charset=utf-8",
    "ui.js" "text/javascript; charset=utf-8",
    "scenario.js" "text/javascript; charset=utf-8",
    "playground.js" "text/javascript; charset=utf-8",
    "trace.js" "text/javascript; charset=utf-8",
    "traces.js" "text/javascript; charset=utf-8",
}

/// Returns the asset at the request's path.
pub fn serve(request: &Request) -> Option<Response> {
    let asset = ASSETS.iter().find(|asset| asset.path == request.path)?;
    let tag = format!("\"{:016x}\"", asset.tag);
    let known = request.header("if-none-match") == Some(tag.as_str());
    let mut response = match known {
        true => response::with(StatusCode::NOT_MODIFIED, asset.content_type, ""),
        false => response::with(StatusCode::OK, asset.content_type, asset.text),
    };
    response.headers_mut().insert(header::ETAG, HeaderValue::from_str(&tag).ok()?);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Some(response)
}
