//! What the rules do to a span.

use super::Changes;
use super::deed::{Deed, Effect};
use crate::trace::{OwnedDatum, StoredSpan};

/// What a rule did to a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The rule is not for this span.
    Passed,
    /// The rule is for this span, but there was nothing to change.
    Idle,
    /// The rule has changed the span, or has dropped it.
    Done,
}

impl Changes {
    /// Makes the changes to a span as it was sent, and returns whether it must arrive. `turns` gets what each rule did; behind
    /// a rule that drops the span, none does anything.
    pub fn apply(&self, span: &mut StoredSpan, turns: &mut Vec<Turn>) -> bool {
        turns.clear();
        turns.resize(self.rules.len(), Turn::Passed);
        for (rule, turn) in self.rules.iter().zip(turns) {
            if rule.when.as_ref().is_some_and(|when| !when.holds(span)) {
                continue;
            }
            *turn = Turn::Idle;
            for deed in &rule.deeds {
                match deed.apply(span) {
                    Effect::None => {}
                    Effect::Changed => *turn = Turn::Done,
                    Effect::Dropped => {
                        *turn = Turn::Done;
                        return false;
                    }
                }
                if deed.is_of_resource() {
                    span.service = service_in(span);
                }
            }
        }
        true
    }
}

/// Returns the service that a receiver finds in a span's resource.
fn service_in(span: &StoredSpan) -> String {
    let found = span.resource.iter().find(|(key, _)| key == "service.name");
    found.map(|(_, value): &(String, OwnedDatum)| value.as_datum().to_string()).unwrap_or_default()
}

impl Deed {
    /// Reports whether it can change the service's name.
    fn is_of_resource(&self) -> bool {
        !matches!(self, Deed::Any(_)) && self.names("resource.service.name")
    }
}
