//! Traces whose end is known.

use super::plans::{Maker, Node};
use tracegen::plan::Plan;

/// Traces of two spans that last `ms` ms each, half of it before the other span begins.
pub fn lasting(ms: u64) -> Plan {
    let mut m = Maker::new();
    let half = (ms / 2, ms / 2);
    let call = Node { service: "b", name: "half", delay: half, ..Default::default() };
    let root = Node { service: "a", name: "half", delay: half, calls: vec![call], ..Default::default() };
    m.scenario("lasting", 1.0, &[], root);
    m.plan()
}
