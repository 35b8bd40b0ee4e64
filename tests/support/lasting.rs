//! Traces with a known duration.

use super::plans::{Maker, Node};
use tracegen::plan::Plan;

/// Makes a plan for traces of two spans that last `ms` ms each; the second begins after half of that.
pub fn lasting(ms: u64) -> Plan {
    let mut m = Maker::new();
    let half = (ms / 2, ms / 2);
    let call = Node { service: "b", name: "half", delay: half, ..Default::default() };
    let root = Node { service: "a", name: "half", delay: half, calls: vec![call], ..Default::default() };
    m.scenario("lasting", 1.0, &[], root);
    m.plan()
}
