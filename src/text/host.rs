//! Hosts of URLs: only there does an IPv6 address stand in brackets.

use std::borrow::Cow;
use std::net::Ipv6Addr;

/// Returns a host as it is written outside of a URL.
pub fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Returns a host, with or without brackets, as it is written in a URL.
pub fn in_url(host: &str) -> Cow<'_, str> {
    let bare = bare(host);
    if bare.parse::<Ipv6Addr>().is_ok() { format!("[{bare}]").into() } else { host.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_has_brackets_only_in_a_url() {
        for (host, plain, url) in [
            ("::1", "::1", "[::1]"),
            ("[::1]", "::1", "[::1]"),
            ("10.0.0.1", "10.0.0.1", "10.0.0.1"),
            ("db.example", "db.example", "db.example"),
            ("[x]", "x", "[x]"),
            ("[::1", "[::1", "[::1"),
            ("", "", ""),
        ] {
            assert_eq!((bare(host), &*in_url(host)), (plain, url), "{host}");
        }
    }
}
