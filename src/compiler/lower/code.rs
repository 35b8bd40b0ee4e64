//! The code of a block under construction. A jump is aimed at a label, which is bound when its target is reached.

use crate::language::source::Loc;
use crate::plan::Inst;

/// The target of a jump until its label is bound. Jumps go forward, so no real target is 0.
pub const PENDING: u32 = 0;

/// Instructions, each with the place where it was written.
#[derive(Default)]
pub struct Code {
    pub insts: Vec<Inst>,
    pub places: Vec<Loc>,
}

/// The jumps to a target that is not reached yet, by their positions.
#[derive(Default)]
pub struct Label {
    jumps: Vec<usize>,
}

impl Code {
    pub fn push(&mut self, inst: Inst, place: Loc) {
        self.insts.push(inst);
        self.places.push(place);
    }

    /// Adds a jump to the place where `label` will be bound. Until then its target is [`PENDING`].
    pub fn jump(&mut self, inst: Inst, label: &mut Label, place: Loc) {
        label.jumps.push(self.insts.len());
        self.push(inst, place);
    }

    /// Lets the jumps to a label continue at the next instruction.
    pub fn bind(&mut self, label: Label) {
        let next = self.insts.len() as u32;
        for at in label.jumps {
            if let Some(target) = self.insts[at].target_mut() {
                *target = next;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiler::START;

    #[test]
    fn a_label_closes_its_own_jumps_where_it_is_bound() {
        let (mut code, mut first, mut second) = (Code::default(), Label::default(), Label::default());
        let jump = Inst::SkipIfFailed { target: PENDING };
        code.jump(jump, &mut first, START);
        code.jump(jump, &mut second, START);
        code.jump(jump, &mut first, START);
        code.bind(first);
        code.push(Inst::Roll, START);
        code.bind(second);
        code.push(Inst::End, START);
        let targets: Vec<Option<u32>> = code.insts.iter().map(Inst::target).collect();
        assert_eq!(targets, [Some(3), Some(4), Some(3), None, None]);
        assert_eq!(code.places.len(), code.insts.len());
    }
}
