//! Where each part of a plan was written. Beside the plan, not in it: places execute nothing.

use crate::language::source::Loc;
use crate::plan::Place;

/// Places, by the plan's ids.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceMap {
    /// By scenario.
    pub scenarios: Vec<Loc>,
    /// By block.
    pub blocks: Vec<BlockSource>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct BlockSource {
    /// The span's mapping.
    pub span: Loc,
    /// By instruction.
    pub code: Vec<Loc>,
}

impl SourceMap {
    /// The nearest written place to one of the plan; `None` for tables that many share.
    pub fn find(&self, place: Place) -> Option<Loc> {
        match place {
            Place::Scenario(id) => self.scenarios.get(id.index()).copied(),
            Place::Block(id) => Some(self.blocks.get(id.index())?.span),
            Place::Instruction(id, at) => {
                let block = self.blocks.get(id.index())?;
                Some(block.code.get(at).copied().unwrap_or(block.span))
            }
            _ => None,
        }
    }
}
