//! Rules that many tables have in common: an id is in range, a name is not empty, a number is within its limit.

use super::violation::{Fault, Place, Violation};
use crate::plan::{ExprId, Program, TextId};

pub(super) type Checked = Result<(), Violation>;

/// Checks that there are at most `max` of the subject.
pub(super) fn at_most(place: Place, subject: &'static str, count: usize, max: usize) -> Checked {
    if count > max {
        return Err(place.broken(Fault::TooMany { subject, count: count as u64, max: max as u64 }));
    }
    Ok(())
}

/// Checks that an id is in range of its table, which has `len` entries.
pub(super) fn within(place: Place, subject: &'static str, id: u32, len: usize) -> Checked {
    if id as usize >= len {
        return Err(place.broken(Fault::OutOfRange { subject, id, len }));
    }
    Ok(())
}

/// Checks that a rule holds.
pub(super) fn require(place: Place, holds: bool, rule: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(place.broken(Fault::Range(rule))) }
}

/// Returns the text with this id.
pub(super) fn text(program: &Program, place: Place, id: TextId) -> Result<&str, Violation> {
    within(place, "text", id.0, program.texts.len())?;
    Ok(&program.texts[id.index()])
}

/// Checks that an expression is in range.
pub(super) fn expr(program: &Program, place: Place, id: ExprId) -> Checked {
    within(place, "expr", id.0, program.exprs.len())
}

/// Checks that a name is not empty.
pub(super) fn named<'a>(
    program: &'a Program,
    place: Place,
    subject: &'static str,
    id: TextId,
) -> Result<&'a str, Violation> {
    let name = text(program, place, id)?;
    if name.is_empty() { Err(place.broken(Fault::Empty { subject })) } else { Ok(name) }
}

/// Returns the key of an attribute.
pub(super) fn key_text(program: &Program, place: Place, id: TextId) -> Result<&str, Violation> {
    named(program, place, "an attribute's key", id)
}

/// Returns the violation that a text occurs twice. It contains only the beginning of the text, because there may be many
/// violations and long texts.
pub(super) fn twice(place: Place, subject: &'static str, text: &str) -> Violation {
    place.broken(Fault::Twice { subject, text: text.chars().take(80).collect() })
}
