//! Where each part of a plan was written. Beside the plan, not in it: places execute nothing.

use crate::language::source::{Loc, PRELUDE};
use crate::plan::Place;

/// Places, by the plan's ids.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceMap {
    /// By scenario.
    pub scenarios: Vec<ScenarioSource>,
    /// By block.
    pub blocks: Vec<BlockSource>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ScenarioSource {
    /// The scenario's mapping.
    pub scenario: Loc,
    /// By slot.
    pub slots: Vec<Loc>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct BlockSource {
    /// The span's mapping.
    pub span: Loc,
    /// By constant attribute.
    pub constants: Vec<Loc>,
    /// By instruction.
    pub code: Vec<Loc>,
}

impl SourceMap {
    /// The nearest place that the user wrote to one of the plan; `None` for tables that many share.
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
    /// A place in the block, or the block's own, where that one is in the prelude or unknown.
    fn place(&self, inside: Option<&Loc>) -> Loc {
        inside.copied().filter(|loc| loc.file != PRELUDE).unwrap_or(self.span)
    }
}
