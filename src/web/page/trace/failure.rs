//! The reason why a span failed: the instruction of the plan, its place in the source, and how often it fails spans.

use crate::engine::Located;
use crate::plan::{BlockId, Place, Plan, ScenarioId};
use crate::text::grouped;
use crate::trace::NONE;
use crate::web::App;
use crate::web::format::{encoded, share};

pub struct Why {
    pub lines: Vec<Line>,
    /// A place such as `orders.yaml:61`, and its line on the scenario's page.
    pub source: Option<(String, String)>,
    /// A text such as `seen in 2.1 % of 2,322 runs`.
    pub seen: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    pub text: String,
    /// The line is the instruction that failed the span.
    pub hit: bool,
}

/// The number of instructions that are shown before it.
const BEFORE: usize = 4;
const AFTER: usize = 2;

/// Returns the reason, or `None` if the span does not belong to this session, or did not fail there.
pub fn why(app: &App, located: &Located, span: u64) -> Option<Why> {
    let (origin, trace) = app.session.remake(located.index)?;
    let plan = &origin.plan;
    let record = trace.spans.iter().find(|record| record.id == span && record.failure != NONE)?;
    // The instruction may be in a group of the span, or be the call of a caller whose deadline had passed.
    let failure = &trace.failures[record.failure as usize];
    let (block, pc) = (failure.block, failure.inst as usize);
    let seen = || seen(app, located.scenario_name(), record.block, block, pc);
    Some(Why {
        lines: lines(plan, trace.scenario, block, pc),
        source: source(app, plan, located.scenario_name(), Place::Instruction(block, pc)),
        seen: if located.current { seen() } else { None },
    })
}

/// Returns the block's head, and the lines around the instruction.
fn lines(plan: &Plan, scenario: ScenarioId, block: BlockId, pc: usize) -> Vec<Line> {
    let near = |place: Place| match place {
        Place::Block(b) => (b == block).then_some(false),
        Place::Instruction(b, at) => {
            (b == block && (pc.saturating_sub(BEFORE)..=pc + AFTER).contains(&at)).then_some(at == pc)
        }
        _ => None,
    };
    let listing = plan.scenario_listing(scenario).into_iter();
    listing.filter_map(|line| Some(Line { hit: near(line.place)?, text: line.text.replacen("  ", "", 1) })).collect()
}

/// Returns the place of the instruction in the source, if the plan is that of the current files.
fn source(app: &App, plan: &Plan, scenario: &str, place: Place) -> Option<(String, String)> {
    let edition = &app.library.shelf().good;
    if edition.plan.digest() != plan.digest() {
        return None;
    }
    let at = edition.map.find(place)?;
    let file = edition.sources.as_ref()?.file(at.file);
    let line = file.text[..at.start as usize].matches('\n').count() + 1;
    let name = file.name.rsplit('/').next().unwrap_or(&file.name);
    Some((format!("{name}:{line}"), format!("/scenarios/{}#L{line}", encoded(scenario))))
}

/// Returns how often the instruction at `pc` of `block` failed the spans of `span`, or `None` for timeouts, which are not
/// counted.
fn seen(app: &App, scenario: &str, span: BlockId, block: BlockId, pc: usize) -> Option<String> {
    let state = app.session.state();
    let observed = state.scenarios.iter().find(|observed| observed.name == scenario)?;
    let of = |block: BlockId| observed.blocks.iter().find(|observed| observed.block == block.0);
    let (runs, hits) = (of(span)?.runs, of(block)?.hits_at(pc));
    (hits > 0 && runs > 0).then(|| format!("seen in {} of {} runs", share(hits, runs), grouped(runs)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture;

    #[test]
    fn the_instruction_is_shown_with_its_neighbours() {
        let lines = lines(&fixture::plan(), ScenarioId(0), BlockId(0), 3);
        let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "block0 span SERVER service0 api-gateway \"POST /api/v1/orders\"",
                "  0  attr   user.id = slot0",
                "  1  delay  5ms 15ms",
                "  2  roll",
                "  3  fail   2% RateLimitExceeded \"API rate limit exceeded for user.\" -> 4",
                "  4  failed -> 6",
                "  5  call   block1",
            ]
        );
        assert_eq!(lines.iter().position(|line| line.hit), Some(4));
    }
}
