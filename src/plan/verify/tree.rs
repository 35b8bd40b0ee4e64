//! Calls form trees, one a scenario.

use super::Tree;
use super::violation::{Fault, Place, Violation};
use crate::plan::{BlockId, Inst, Program, ScenarioId, limits};

const NOBODY: u32 = u32::MAX;

/// Follows the calls from every root. A block reached twice has two callers; one never reached hangs in a cycle or nowhere.
pub(super) fn check(program: &Program) -> Result<Tree, Violation> {
    let mut scenario = vec![NOBODY; program.blocks.len()];
    let mut open: Vec<(BlockId, usize)> = vec![];
    for (s, root) in program.scenarios.iter().map(|s| s.root).enumerate() {
        reach(&mut scenario, s, root, Place::Scenario(ScenarioId(s as u32)))?;
        open.push((root, 1));
        while let Some((caller, depth)) = open.pop() {
            for (pc, inst) in program.blocks[caller.index()].code.iter().enumerate() {
                let Inst::Call { block } = *inst else { continue };
                let place = Place::Instruction(caller, pc);
                reach(&mut scenario, s, block, place)?;
                if depth == limits::CALL_DEPTH {
                    return Err(place.broken(Fault::CallDepth));
                }
                open.push((block, depth + 1));
            }
        }
    }
    match scenario.iter().position(|s| *s == NOBODY) {
        Some(block) => Err(Place::Block(BlockId(block as u32)).broken(Fault::NeverCalled)),
        None => Ok(Tree { scenario }),
    }
}

fn reach(scenario: &mut [u32], by: usize, block: BlockId, place: Place) -> Result<(), Violation> {
    let owner = &mut scenario[block.index()];
    if *owner != NOBODY {
        return Err(place.broken(Fault::CalledTwice { block }));
    }
    *owner = by as u32;
    Ok(())
}
