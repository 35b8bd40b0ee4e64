//! The check that calls form a tree for each scenario.

use super::violation::{Fault, Place};
use super::violations::Found;
use crate::plan::tree::Tree;
use crate::plan::{BlockId, Program, limits};

/// A block that waits to be followed.
struct Open {
    block: BlockId,
    /// The block that calls it, the position of the instruction there, and the maximum number of times that one run of that
    /// block runs it.
    caller: Option<(BlockId, usize, u32)>,
    depth: usize,
}

/// Follows the calls from every root. A block that is reached twice has two callers; one that is never reached is in a
/// cycle or has no caller.
pub(super) fn check(program: &Program, found: &mut Found) -> Tree {
    let mut tree = Tree::new(program.blocks.len());
    let mut reached = vec![false; program.blocks.len()];
    let mut reach = |block: BlockId, place: Place, found: &mut Found| {
        let first = !std::mem::replace(&mut reached[block.index()], true);
        if !first {
            found.add(place.broken(Fault::CalledTwice { block }));
        }
        first
    };
    let mut open = vec![];
    for scenario in program.scenario_ids() {
        let root = program.scenarios[scenario.index()].root;
        if reach(root, Place::Scenario(scenario), found) {
            open.push(Open { block: root, caller: None, depth: 1 });
        }
        let mut shallow = true;
        while let Some(Open { block: caller, caller: above, depth }) = open.pop() {
            tree.push(scenario, above, caller, &program.blocks[caller.index()].form);
            let first = open.len();
            for (pc, inst) in program.blocks[caller.index()].code.iter().enumerate() {
                let Some(block) = inst.callee() else { continue };
                let place = Place::Instruction(caller, pc);
                if reach(block, place, found) {
                    let turns = inst.spec().map_or(1, |spec| {
                        let spec = &program.specs[spec.index()];
                        spec.turns().saturating_mul(spec.attempts())
                    });
                    open.push(Open { block, caller: Some((caller, pc, turns)), depth: depth + 1 });
                }
                if depth == limits::CALL_DEPTH && std::mem::replace(&mut shallow, false) {
                    found.add(place.broken(Fault::CallDepth));
                }
            }
            open[first..].reverse();
        }
    }
    for block in program.block_ids().filter(|block| !reached[block.index()]) {
        found.add(Place::Block(block).broken(Fault::NeverCalled));
    }
    tree
}
