//! How many spans a trace can have, with all turns and attempts.

use super::report::Report;
use super::source_map::SourceMap;
use crate::language::diagnostic::Problem;
use crate::plan::{BlockId, Program, limits};

/// Reports the scenarios whose traces can have too many spans, with the turns and attempts that most of them come of.
pub fn check(program: &Program, map: &SourceMap, report: &mut Report) {
    for (scenario, source) in program.scenarios.iter().zip(&map.scenarios) {
        let (spans, factors) = most(program, scenario.root);
        if spans > limits::SPANS.into() {
            report.add(Problem::TraceTooLarge { spans, limit: limits::SPANS, factors }, source.scenario);
        }
    }
}

/// The most spans of a trace with this root, and the turns and attempts, outermost first, on the way to the block that runs most often. Calls form
/// a tree here: only the compiler's own programs come in.
fn most(program: &Program, root: BlockId) -> (u64, Vec<u64>) {
    let (mut spans, mut busiest) = (0_u64, (0, vec![]));
    let mut waiting = vec![(root, 1_u64, vec![])];
    while let Some((id, turns, factors)) = waiting.pop() {
        let block = &program.blocks[id.index()];
        spans = spans.saturating_add(if block.span().is_some() { turns } else { 0 });
        for inst in &block.code {
            let Some(callee) = inst.callee() else { continue };
            let spec = inst.spec().map(|spec| &program.specs[spec.index()]);
            let own = spec.map_or([1, 1], |spec| [u64::from(spec.turns()), spec.attempts().into()]);
            let mut factors = factors.clone();
            factors.extend(own.into_iter().filter(|factor| *factor > 1));
            waiting.push((callee, turns.saturating_mul(own[0]).saturating_mul(own[1]), factors));
        }
        if turns > busiest.0 {
            busiest = (turns, factors);
        }
    }
    (spans, busiest.1)
}
