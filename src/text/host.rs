//! The host of a URL: an IPv6 address stands in brackets there, and nowhere else.

use std::borrow::Cow;
use std::net::Ipv6Addr;

/// Returns a host as everything but a URL has it.
pub fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Returns a host, with or without brackets, as a URL has it.
pub fn in_url(host: &str) -> Cow<'_, str> {
    let bare = bare(host);
    if bare.parse::<Ipv6Addr>().is_ok() { format!("[{bare}]").into() } else { host.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_ipv6_have_brackets_in_a_url_alone() {
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
