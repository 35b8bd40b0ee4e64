//! The places where the parts of a plan were written. They are kept apart from the plan, because they are not executed.

use crate::language::source::{Loc, PRELUDE};
use crate::plan::Place;

/// Places by the ids of the plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceMap {
    /// The places of scenarios.
    pub scenarios: Vec<ScenarioSource>,
    /// The places of blocks.
    pub blocks: Vec<BlockSource>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ScenarioSource {
    /// The scenario's mapping.
    pub scenario: Loc,
    /// The places of slots.
    pub slots: Vec<Loc>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct BlockSource {
    /// The span's mapping.
    pub span: Loc,
    /// The places of constant attributes.
    pub constants: Vec<Loc>,
    /// The places of instructions.
    pub code: Vec<Loc>,
}

impl SourceMap {
    /// Returns the place in the user's files that is nearest to a place in the plan, or `None` for tables that are shared.
    pub fn find(&self, place: Place) -> Option<Loc> {
        match place {
            Place::Scenario(id) => Some(self.scenarios.get(id.index())?.scenario),
            Place::Slot(id, slot) => {
                let scenario = self.scenarios.get(id.index())?;
                Some(scenario.slots.get(slot.index()).copied().unwrap_or(scenario.scenario))
            }
            Place::Block(id) => Some(self.blocks.get(id.index())?.span),
            Place::Constant(id, at) => {
                let block = self.blocks.get(id.index())?;
                Some(block.place(block.constants.get(at)))
            }
            Place::Instruction(id, at) => {
                let block = self.blocks.get(id.index())?;
                Some(block.place(block.code.get(at)))
            }
            _ => None,
        }
    }
}

impl BlockSource {
    /// Returns a place in the block, or the block's own if that place is in the prelude or unknown.
    fn place(&self, inside: Option<&Loc>) -> Loc {
        inside.copied().filter(|loc| loc.file != PRELUDE).unwrap_or(self.span)
    }
}
