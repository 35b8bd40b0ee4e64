//! The field `trace_state` of a root, which W3C Trace Context calls `tracestate`,
//! <https://www.w3.org/TR/trace-context/#tracestate-header>.

use std::collections::HashSet;

use super::fields::Context;
use crate::language::diagnostic::Problem;
use crate::language::source::Located;
use crate::language::yaml::Node;

/// The maximum size of a trace state in bytes.
const MOST_BYTES: usize = 512;
const MOST_MEMBERS: usize = 32;
/// The maximum size of a key or a value in bytes.
const MOST_PART: usize = 256;

/// Reads a trace state that every participant accepts.
pub fn trace_state(cx: &mut Context, node: &Node) -> Option<Located<String>> {
    let state = cx.text("`trace_state`", node)?;
    if let Err(why) = check(&state.value) {
        cx.report(Problem::TraceState { why }, node.loc);
        return None;
    }
    Some(state)
}

fn check(state: &str) -> Result<(), &'static str> {
    if state.len() > MOST_BYTES {
        return Err("it is longer than 512 bytes");
    }
    let mut keys = HashSet::new();
    for member in state.split(',') {
        let (key, value) = member.split_once('=').ok_or("a member is no key=value")?;
        let is_key = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"_-*/@".contains(&c);
        let begins = key.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        if !begins || key.len() > MOST_PART || !key.bytes().all(is_key) {
            return Err("a key has other characters than a-z, 0-9, _, -, *, / and @");
        }
        let is_value = |c: u8| (b' '..=b'~').contains(&c) && c != b'=';
        if value.is_empty() || value.ends_with(' ') || value.len() > MOST_PART || !value.bytes().all(is_value) {
            return Err("a value is empty, longer than 256 bytes, or has a character that none may have");
        }
        if !keys.insert(key) {
            return Err("a key is there twice");
        }
    }
    if keys.len() > MOST_MEMBERS { Err("it has more than 32 members") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_is_sound_is_taken_and_nothing_else() {
        for state in ["ot=th:8", "a=1,b=2", "tenant@vendor=x y", "0*/-_=~", &format!("a={}", "x".repeat(256))] {
            assert_eq!(check(state), Ok(()), "{state}");
        }
        let many: Vec<String> = (0..33).map(|i| format!("k{i}=v")).collect();
        let long: Vec<String> = (0..3).map(|i| format!("k{i}={}", "v".repeat(200))).collect();
        let states = ["", "ot", "ot=", "OT=1", "a=1, b=2", "a=1,", "=1", "a=b=c", "a=1,a=2", "a=é", "a=x ", "a=\u{7f}"];
        for state in states.into_iter().chain([&*many.join(","), &*long.join(","), &format!("a={}", "x".repeat(257))]) {
            assert!(check(state).is_err(), "{state}");
        }
    }
}
