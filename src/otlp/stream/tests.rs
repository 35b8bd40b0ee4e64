//! Files that were cut off, glued together or wrapped in other JSON: everything readable in them is read.

use super::*;
use proptest::prelude::*;

type Places = Vec<(u64, String)>;

/// Reads `text`, `n` bytes at a time. Returns the groups as text with their offsets, and each damage as offset and reason.
fn read(text: &[u8], n: usize) -> (Places, Places) {
    struct Slow<'t>(&'t [u8], usize);
    impl Read for Slow<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(to.len());
            self.0.read(&mut to[..n])
        }
    }
    let mut groups = Groups::new(Slow(text, n));
    let (mut found, mut damages) = (vec![], vec![]);
    loop {
        match groups.read().unwrap() {
            Some(Found::Group(at, group)) => found.push((at, String::from_utf8_lossy(group.text).into_owned())),
            Some(Found::Damaged(damage)) => damages.push((damage.offset, damage.reason)),
            None => return (found, damages),
        }
    }
}

fn groups(text: &[u8]) -> Vec<String> {
    let (found, damages) = read(text, usize::MAX);
    assert_eq!(damages, [], "{}", String::from_utf8_lossy(text));
    for (at, group) in &found {
        assert_eq!(&text[*at as usize..][..group.len()], group.as_bytes());
    }
    for n in [1, 3, 7] {
        assert_eq!(read(text, n), (found.clone(), vec![]));
    }
    found.into_iter().map(|(_, text)| text).collect()
}

#[test]
fn requests_are_found_inside_any_wrapping() {
    let one = r#"{"resourceSpans":[{"a":1}]}"#;
    let two =
        "{\n  \"other\": [{}, \"}\\\"\"],\n  \"resourceSpans\": [\n    {\"b\": \"]\"},\n    {\"c\": [{}]}\n  ]\n}";
    let (a, b, c) = (r#"{"a":1}"#, "{\"b\": \"]\"}", "{\"c\": [{}]}");
    for (text, expected) in [
        (one.to_string(), vec![a]),
        (two.into(), vec![b, c]),
        (format!("{one}\n{two}\n"), vec![a, b, c]),
        (format!("{one}{one} {two}"), vec![a, a, b, c]),
        (format!("[{one}, {two}]"), vec![a, b, c]),
        (format!("[[{one}],[]]{one}"), vec![a, a]),
        (format!("\u{feff}{one}\n\u{feff}{one}"), vec![a, a]),
        (format!("\0\0\0\0\0{one}\0\0\n{one}"), vec![a, a]),
        (format!("\x1e{one}\n\x1e{one}\n"), vec![a, a]),
        (r#"{"batches":[{"a":1}]}"#.into(), vec![a]),
        (r#"{"trace":{"resourceSpans":[{"a":1}]},"metrics":{"inspectedBytes":"7"}}"#.into(), vec![a]),
        (r#"{"trace":null,"resourceSpans":null}{"resourceSpans":[]}{}{"resourceLogs":[{"a":1}]}"#.into(), vec![]),
        (r#"{"resource\u0053pans":[{"a":1}]}"#.into(), vec![a]),
        (String::new(), vec![]),
        (" \n".into(), vec![]),
    ] {
        assert_eq!(groups(text.as_bytes()), expected, "{text}");
    }
}

/// A writer that was killed leaves a part of a request. The next request follows directly or on the next line.
#[test]
fn reading_continues_with_the_next_request_after_damage() {
    let whole = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"a\"b","value":null}]}},{"b":-1.5}]}"#;
    let groups = [r#"{"resource":{"attributes":[{"key":"a\"b","value":null}]}}"#, r#"{"b":-1.5}"#];
    for cut in 1..whole.len() {
        for gap in ["", "\n"] {
            let text = format!("{}{gap}{whole}\n{whole}\n", &whole[..cut]);
            for n in [5, usize::MAX] {
                let (found, damages) = read(text.as_bytes(), n);
                let found: Vec<&str> = found.iter().map(|(_, text)| &**text).collect();
                assert_eq!(found, [groups, groups].concat(), "nothing of the partial request is read: {cut} {text}");
                assert_eq!(damages.len(), 1, "{text} {damages:?}");
                assert!(damages[0].0 <= (cut + gap.len() + 20) as u64, "{text} {damages:?}");
            }
        }
    }
}

#[test]
fn text_that_is_not_json_is_reported_once() {
    for text in ["<html>", "{\"resourceSpans\":[7]}", "{\"a\" 1}", "7", "{]"] {
        let (found, damages) = read(text.as_bytes(), usize::MAX);
        assert_eq!((found.len(), damages.len()), (0, 1), "{text} {damages:?}");
    }
    let (found, damages) = read(b"{\"resourceSpans\":[{}", usize::MAX);
    assert_eq!((found.len(), damages), (0, vec![(0, "it ends inside a value".to_string())]));
    let (found, damages) =
        read(b"{\"resourceSpans\":[{\"a\":\"\n\"},{\"b\":1}]}\n{\"resourceSpans\":[{}]}", usize::MAX);
    assert_eq!(found, [(56, "{}".to_string())]);
    assert_eq!(damages, [(24, "a control character inside a text".to_string())]);
}

/// No more of a value is held in memory than the longest value allowed.
#[test]
fn a_value_without_end_is_abandoned() {
    let head: &[u8] = b"{\"resourceSpans\":[{\"a\":\"";
    let tail: &[u8] = b"\"}]}\n{\"resourceSpans\":[{\"b\":1}]}";
    let longest = 1 << 20;
    let stream = head.chain(io::repeat(b'x').take(8 << 20)).chain(tail);
    let mut groups = Groups::of(Window::new(stream, longest));
    let Some(Found::Damaged(damage)) = groups.read().unwrap() else { panic!("not found") };
    assert_eq!((damage.offset, &*damage.reason), (18, "a value of more than 1 MiB"));
    assert!(matches!(groups.read(), Ok(Some(Found::Group(_, group))) if group.text == b"{\"b\":1}"));
    assert!(groups.read().unwrap().is_none());
    assert!(groups.window.bytes.capacity() < 3 * longest);
}

/// The groups of a request that is longer than the longest value allowed are yielded one by one.
#[test]
fn a_request_may_be_longer_than_the_longest_value() {
    let group = format!("{{\"a\":\"{}\"}}", "x".repeat(100_000));
    let text = format!("{{\"resourceSpans\":[{}]}}", vec![&*group; 50].join(","));
    let mut groups = Groups::of(Window::new(text.as_bytes(), 1 << 20));
    for _ in 0..50 {
        assert!(matches!(groups.read(), Ok(Some(Found::Group(_, found))) if found.text == group.as_bytes()));
    }
    assert!(groups.read().unwrap().is_none());
}

proptest! {
    #[test]
    fn any_bytes_are_taken(text in "[{}\\[\\]\",:a1\\\\ \n]{0,60}", bytes: Vec<u8>) {
        for text in [text.as_bytes(), &bytes, &[b"{\"resourceSpans\":[", text.as_bytes()].concat()] {
            let whole = read(text, usize::MAX);
            prop_assert_eq!(whole, read(text, 1));
        }
    }
}
