//! The rule to which a difference is charged.

use super::deed::Deed;
use super::field::Field;
use super::{Changes, Turn};
use crate::trace::StoredSpan;
use crate::verify::compare::{ABSENT, Blame, Difference};

/// The text that is shown for the expected value of a field that may have any.
const ANY: &str = "(any value)";

impl Changes {
    /// Removes the differences in fields that may have any value, adds those that are not there, and charges each difference to
    /// a rule. `turns` is what the rules did to the expected span.
    pub fn settle(&self, turns: &[Turn], found: &StoredSpan, differences: &mut Vec<Difference>) {
        for (rule, _) in self.rules.iter().zip(turns).filter(|(_, turn)| **turn == Turn::Done) {
            for deed in &rule.deeds {
                let Deed::Any(name) = deed else { continue };
                differences.retain(|difference| difference.field != *name);
                if Field::parse(name).is_ok_and(|field| !field.is_in(found)) {
                    differences.push(Difference::new(name, ANY, ABSENT));
                }
            }
        }
        differences.iter_mut().for_each(|difference| difference.blame = self.blame(turns, &difference.field));
    }

    /// Returns the last rule that has set the field. If none has, it is the last one that would have set it on other spans.
    fn blame(&self, turns: &[Turn], field: &str) -> Option<Blame> {
        let names = |rule: &usize| self.rules[*rule].deeds.iter().any(|deed| deed.names(field));
        let last = |turn: Turn| (0..turns.len()).rev().filter(|rule| turns[*rule] == turn).find(names);
        let done = last(Turn::Done).map(|rule| Blame { rule, is_for_span: true });
        let idle = || last(Turn::Idle).map(|rule| Blame { rule, is_for_span: true });
        let passed = || last(Turn::Passed).map(|rule| Blame { rule, is_for_span: false });
        done.or_else(idle).or_else(passed)
    }
}
