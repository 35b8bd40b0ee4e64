//! What can be wrong with what arrived.

use serde::Serialize;

/// What can be wrong with what arrived, in the order of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    Lost,
    Duplicated,
    Altered,
    /// A span in a trace of the run, which never sent such a span.
    Invented,
    Orphaned,
    Unexpected,
    Sample,
}

impl Fault {
    pub const ALL: [Fault; 7] = [
        Fault::Lost,
        Fault::Duplicated,
        Fault::Altered,
        Fault::Invented,
        Fault::Orphaned,
        Fault::Unexpected,
        Fault::Sample,
    ];

    /// The word of a fault, as the report's keys have it.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Lost => "lost",
            Fault::Duplicated => "duplicated",
            Fault::Altered => "altered",
            Fault::Invented => "invented",
            Fault::Orphaned => "orphaned",
            Fault::Unexpected => "unexpected",
            Fault::Sample => "sample",
        }
    }
}
