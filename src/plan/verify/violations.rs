//! All that is wrong with a program, collected.

use super::violation::{Place, Violation};
use crate::plan::Program;
use std::fmt::{self, Write};

/// Violations that are kept; of more, only the number is.
const MOST: usize = 100;
/// Characters of an instruction that are shown.
const MOST_SHOWN: usize = 160;

/// All that is wrong with a program, in the order in which the verifier comes by it: at least one violation, at most 100 of
/// them kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Violations {
    kept: Vec<Violation>,
    more: usize,
}

impl Violations {
    /// The violations that were kept.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Violation> {
        self.kept.iter()
    }

    /// How many there are, whether they were kept or not.
    pub fn count(&self) -> usize {
        self.kept.len() + self.more
    }
}

impl std::error::Error for Violations {}

impl fmt::Display for Violations {
    /// One violation alone; several on a line each, after their number.
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

    /// Keeps the violation if there is one, else gives the value.
    pub fn check<T>(&mut self, result: Result<T, Violation>) -> Option<T> {
        result.map_err(|violation| self.add(violation)).ok()
    }

    /// Whether the program can be followed: nothing was found that would lead astray whoever does.
    pub fn is_sound(&self) -> bool {
        self.is_sound
    }

    /// Nothing was found, or all that was, each with its instruction.
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

/// Takes so many characters and refuses more: what is not verified may be as long as it likes, or go round in a circle.
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
