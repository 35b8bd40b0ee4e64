//! What is malformed of a plan's traces, and how much of it.

use crate::plan::{Malform, Plan};
use serde::Serialize;

/// A malformation.
#[derive(Serialize)]
pub struct Malformed {
    pub kind: &'static str,
    /// The exact percentage that it befalls.
    pub percent: f64,
    /// What it befalls: spans, traces or service instances.
    pub subject: &'static str,
    /// The number of places in the scenarios whose spans it can befall.
    pub operations: usize,
}

/// Returns the malformations of a plan, in the order in which they are made.
pub fn malformed(plan: &Plan) -> impl Iterator<Item = Malformed> {
    plan.malformations.iter().map(|malformation| Malformed {
        kind: malformation.kind.name(),
        // What is rounded away is far below what a file can say.
        percent: (malformation.chance.percent() * 1e6).round() / 1e6,
        subject: match malformation.kind {
            Malform::ClockSkew { per_instance: true, .. } => "service instances",
            Malform::MissingRoot => "traces",
            _ => "spans",
        },
        operations: malformation.blocks.len(),
    })
}
