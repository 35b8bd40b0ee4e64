//! The violations of a program.

use super::violation::{Place, Violation};
use crate::plan::Program;
use std::fmt::{self, Write};

/// The maximum number of violations that are kept; others are only counted.
const MOST: usize = 100;
/// The maximum number of characters of an instruction that are shown.
const MOST_SHOWN: usize = 160;

/// All violations of a program, in the order in which the verifier finds them: at least one, of which at most 100 are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Violations {
    kept: Vec<Violation>,
    more: usize,
}

impl Violations {
    /// Returns the violations that were kept.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Violation> {
        self.kept.iter()
    }

    /// Returns the number of violations, whether they were kept or not.
    pub fn count(&self) -> usize {
        self.kept.len() + self.more
    }
}

impl std::error::Error for Violations {}

impl fmt::Display for Violations {
    /// Writes a single violation alone, or several on a line each, after their number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let ([only], 0) = (&self.kept[..], self.more) {
            return write!(f, "{only}");
        }
        write!(f, "{} violations", self.count())?;
        self.kept.iter().try_for_each(|violation| write!(f, "\n  {violation}"))?;
        if self.more > 0 { write!(f, "\n  and {} more", self.more) } else { Ok(()) }
    }
}

/// The violations found so far, while a program is verified.
pub(super) struct Found {
    violations: Violations,
    is_sound: bool,
}

impl Found {
    pub fn new() -> Found {
        Found { violations: Violations { kept: vec![], more: 0 }, is_sound: true }
    }

    pub fn add(&mut self, violation: Violation) {
        self.is_sound &= !violation.fault.is_structural();
        let Violations { kept, more } = &mut self.violations;
        if kept.len() < MOST { kept.push(violation) } else { *more += 1 }
    }

    /// Keeps the violation if there is one, or else returns the value.
    pub fn check<T>(&mut self, result: Result<T, Violation>) -> Option<T> {
        result.map_err(|violation| self.add(violation)).ok()
    }

    /// Reports whether the program can be followed: no structural violation was found.
    pub fn is_sound(&self) -> bool {
        self.is_sound
    }

    /// Returns the violations found, each with its instruction, if there are any.
    pub fn result(mut self, program: &Program) -> Result<(), Violations> {
        if self.violations.kept.is_empty() {
            return Ok(());
        }
        for violation in &mut self.violations.kept {
            if let Place::Instruction(block, pc) = violation.place {
                let mut shown = Shown { text: String::new(), left: MOST_SHOWN };
                let inst = &program.blocks[block.index()].code[pc];
                if write!(shown, "{}", program.show_inst(inst)).is_err() {
                    shown.text += "...";
                }
                violation.shown = shown.text;
            }
        }
        Err(self.violations)
    }
}

/// A writer that accepts a limited number of characters, because a program that is not verified may be endless to show.
struct Shown {
    text: String,
    left: usize,
}

impl Write for Shown {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let end = more.char_indices().nth(self.left).map_or(more.len(), |(at, _)| at);
        self.text.push_str(&more[..end]);
        self.left = self.left.saturating_sub(more[..end].chars().count());
        if end < more.len() { Err(fmt::Error) } else { Ok(()) }
    }
}
