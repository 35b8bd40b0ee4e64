//! Hints about what was probably meant by a YAML syntax error.

use granit_parser::ErrorKind;

const INDENTATION: &str = "check the indentation: what belongs together begins in the same column";

/// Returns the parser's own message.
pub fn message(kind: &ErrorKind) -> String {
    kind.to_string()
}

/// Returns a way to mend the error, guessed from its kind and its line.
pub fn hint(text: &str, at: usize, kind: &ErrorKind) -> Option<&'static str> {
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let value = value(line);
    let templates = line.contains("<<") || line.contains("{{");
    use ErrorKind::*;
    match kind {
        TabNotAllowed | TabInBlockIndentation | TabInIndentation | TabInPlainScalar | TabAtBlockScalarStart => {
            return Some("YAML is indented with spaces, never tabs");
        }
        UnknownQuotedScalarEscape if line.contains("\\<") || line.contains("\\{") => {
            return Some("in double quotes a backslash is written twice: \"\\\\<<\"; or use single quotes");
        }
        UnknownQuotedScalarEscape | InvalidQuotedScalarHexEscape => {
            return Some("in double quotes a backslash is written twice; in single quotes it stands for itself");
        }
        UnclosedQuotedScalar | DocumentIndicatorInQuotedScalar => {
            return Some("the quote that opens here is never closed");
        }
        InvalidTrailingSingleQuotedScalar | InvalidTrailingDoubleQuotedScalar if templates => {
            return Some("inside the template, use the other kind of quotes than around it");
        }
        InvalidTrailingSingleQuotedScalar | InvalidTrailingDoubleQuotedScalar => {
            return Some("the value ended at its closing quote: quote all of it");
        }
        // The colon is that of the line's own key, which is taken as part of the text above.
        InvalidColonPlacement | MappingValueNotAllowed | InvalidMappingValueWhitespace
            if !text[line_start..at].contains([':', '"', '\'', '{', '[']) =>
        {
            return Some(INDENTATION);
        }
        _ => {}
    }
    if let Some(braces) = line.find("{{")
        && !line[..braces].contains(['"', '\''])
    {
        let colon = line[braces..].contains(": ") || line[braces..].contains("':");
        return Some(match colon {
            true => "YAML reads `{{` as a mapping: put the whole value in quotes",
            false => "YAML reads `{{` as a mapping: quote the value, or write <<...>> instead",
        });
    }
    if matches!(kind, InvalidTrailingSingleQuotedScalar | InvalidTrailingDoubleQuotedScalar)
        || value.starts_with(['"', '\''])
    {
        return Some("the value ended at its closing quote: quote all of it");
    }
    match value.chars().next() {
        Some('%') => return Some("a value cannot begin with `%`: quote it"),
        Some('@') => return Some("a value cannot begin with `@`: quote it"),
        Some('`') => return Some("a value cannot begin with a backquote: quote it"),
        Some('*') => return Some("`*` begins an alias: quote it"),
        Some('&') => return Some("`&` begins an anchor: quote it"),
        Some('!') => return Some("`!` begins a tag: quote it, or write `not x`"),
        Some('|' | '>') => {
            return Some("`|` or `>` at the beginning starts a block of text: quote the value, or put a name first");
        }
        Some('-' | '?') if value[1..].starts_with(' ') => {
            return Some("a value cannot begin with `- ` or `? `: quote it, or put it on a line of its own");
        }
        _ => {}
    }
    let in_flow = value.starts_with(['{', '[']);
    if templates && (value.contains(": ") || value.contains("':")) {
        return Some("a template with a colon in it needs quotes, or stands below the key after `>-`");
    }
    if in_flow && templates {
        return Some("inside {...} and [...] a template needs quotes");
    }
    if matches!(kind, MismatchedFlowCollectionEnd { .. } | UnclosedFlowCollection { .. }) {
        return Some("close what `{` or `[` opens, and quote values with any of `{ } [ ] ,` in them");
    }
    if in_flow {
        return Some("inside {...} and [...] a value with any of `{ } [ ] ,` or `: ` in it needs quotes");
    }
    match kind {
        InvalidColonPlacement | MappingValueNotAllowed | InvalidMappingValueWhitespace if value.contains(": ") => {
            Some("a value with `: ` in it needs quotes")
        }
        InvalidColonPlacement
        | MappingValueNotAllowed
        | InvalidMappingValueWhitespace
        | InvalidIndentation
        | ExpectedBlockMappingKey
        | ExpectedBlockSequenceEntry
        | MappingKeyNotAllowed => Some(INDENTATION),
        SimpleKeyExpected => Some("a field is written `name: value`, with a space after the colon"),
        _ => None,
    }
}

/// Returns the text after the first `- ` and `key: ` of a line.
fn value(line: &str) -> &str {
    let mut value = line.trim_start();
    while let Some(rest) = value.strip_prefix("- ") {
        value = rest.trim_start();
    }
    match value.find(": ") {
        Some(colon) if !value.starts_with(['"', '\'', '{', '[']) => value[colon + 2..].trim_start(),
        _ => value,
    }
}
