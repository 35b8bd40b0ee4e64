//! Headers that are sent with each request: a list `name=value,name=value` in the format of W3C baggage, or a single one
//! from a flag.

use super::TargetError;
use hyper::{
    HeaderMap,
    header::{HeaderName, HeaderValue},
};
use percent_encoding::percent_decode_str;

/// The headers that the protocols set themselves.
const OWN: [&str; 9] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Parses `name=value,name=value`. Values are percent-decoded; a later one replaces an earlier one with the same name.
pub(super) fn parse_list(setting: &str, list: &str, headers: &mut HeaderMap) -> Result<(), TargetError> {
    for member in list.split(',').map(str::trim).filter(|m| !m.is_empty()) {
        let (name, value) = split(setting, member)?;
        if !escapes_are_whole(value) {
            let problem = format!("the value of {name} has a `%` without two hex digits; write %25 for a percent sign");
            return Err(TargetError::secret(setting, problem));
        }
        let decoded: Vec<u8> = percent_decode_str(value).collect();
        insert(setting, name, &decoded, headers)?;
    }
    Ok(())
}

/// Parses one `name=value`, taken literally.
pub(super) fn parse_flag(setting: &str, header: &str, headers: &mut HeaderMap) -> Result<(), TargetError> {
    let (name, value) = split(setting, header)?;
    insert(setting, name, value.as_bytes(), headers)
}

fn split<'a>(setting: &str, member: &'a str) -> Result<(&'a str, &'a str), TargetError> {
    // The text is not shown, because without a `=` it may well be a secret.
    let Some((name, value)) = member.split_once('=') else {
        return Err(TargetError::secret(setting, "a header has no `=`; write NAME=VALUE, several separated by commas"));
    };
    Ok((name.trim(), value.trim()))
}

fn escapes_are_whole(value: &str) -> bool {
    value.split('%').skip(1).all(|after| after.len() >= 2 && after.bytes().take(2).all(|b| b.is_ascii_hexdigit()))
}

fn insert(setting: &str, name: &str, value: &[u8], headers: &mut HeaderMap) -> Result<(), TargetError> {
    let key = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| TargetError::new(setting, name, "not a header name; letters, digits and - . _ are allowed"))?;
    if OWN.contains(&key.as_str()) || key.as_str().starts_with("grpc-") {
        return Err(TargetError::new(setting, name, "this header is set by the protocol itself; leave it out"));
    }
    let mut value = HeaderValue::from_bytes(value).map_err(|_| {
        TargetError::secret(setting, format!("the value of {name} has control characters, which no header can hold"))
    })?;
    value.set_sensitive(true);
    headers.insert(key, value);
    Ok(())
}
