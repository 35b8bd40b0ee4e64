//! The kinds of faults in what arrived.

use serde::Serialize;

/// A kind of fault in what arrived. The order is that of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    Lost,
    Duplicated,
    Altered,
    /// A span in a trace of the run that was not among the spans sent.
    Invented,
    /// A span that the policy says is dropped.
    Leaked,
    Orphaned,
    Unexpected,
    Sample,
}

impl Fault {
    pub const ALL: [Fault; 8] = [
        Fault::Lost,
        Fault::Duplicated,
        Fault::Altered,
        Fault::Invented,
        Fault::Leaked,
        Fault::Orphaned,
        Fault::Unexpected,
        Fault::Sample,
    ];

    /// Returns the name of the fault, which is also its key in the report.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Lost => "lost",
            Fault::Duplicated => "duplicated",
            Fault::Altered => "altered",
            Fault::Invented => "invented",
            Fault::Leaked => "leaked",
            Fault::Orphaned => "orphaned",
            Fault::Unexpected => "unexpected",
            Fault::Sample => "sample",
        }
    }
}
