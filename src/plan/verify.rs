//! The verifier, which is the only way from a [`Program`] to a [`Plan`]. It trusts nothing, so a plan file may come from
//! anywhere.

mod dists;
mod flow;
mod links;
mod load;
mod parameters;
mod rule;
mod tables;
#[cfg(test)]
mod tests;
mod tree;
mod values;
mod violation;
mod violations;

pub use violation::{Fault, Place, Violation};
pub use violations::Violations;

use std::sync::OnceLock;

use super::tree::Tree;
use super::{AttrId, BlockId, Bound, ERROR_TYPE, Malform, Plan, Program, limits};
use violations::Found;

impl Plan {
    /// Checks every invariant below and makes the plan. The time and memory are linear in the program's size and in
    /// [`super::limits::EVALUATIONS`]; the recursion is no deeper than the depths in [`super::limits`].
    ///
    /// # Errors
    /// All violations at once, each with its instruction as in the listing. Invariants that depend on a broken one are not
    /// checked: a program of other semantics or beyond the limits is not checked at all, calls are not followed if an id,
    /// an operand or a jump is invalid, and the ways through the code are not followed if the calls form no trees. Only the
    /// first violation is reported for an expression, and for a range of attributes with an invalid id.
    ///
    /// Tables
    /// 1. `semantics` is [`super::SEMANTICS`]; no table or row is larger than [`super::limits`] says.
    /// 2. Every id is in range of its table; slots are of the block's own scenario.
    /// 3. Texts are unique, no longer than the limits one by one and together; names and keys are not empty.
    /// 4. A service has at least one instance; its resources and then those of its rollouts follow those of the service before,
    ///    and none is left over. Rollouts are in the order of instances, and for an instance in that of incidents.
    ///    Scopes are unique; the instances of services, counted again for each scope that their spans are of, fit a table.
    /// 5. Each attribute belongs to at most one span, event or link; keys are unique in a span (constant and computed together), in
    ///    an event, in a link and in a resource.
    ///
    /// Expressions
    /// 6. Operands stand before the expression that uses them, at most [`super::limits::EXPR_DEPTH`] above one another.
    /// 7. Parameters are in the ranges their expression documents: ends not upside down, doubles finite, weights as many as
    ///    items, not negative and not all 0, digits, widths, zipf's n and s, and how many zipfs; a choice has items; lists and
    ///    maps stand at most [`super::limits::NESTING`] deep in each other, and a map has each key once.
    /// 8. Vars read no span: no span id, nothing linked. Resources read no slot, draw, time or id.
    /// 9. All that is evaluated for one trace of each scenario, and the text one trace makes, are within the limits.
    ///
    /// Distributions
    /// 22. Parameters are in the ranges their form needs: ends not upside down, percentiles and their times rising, from 0 to 100 for points and
    ///     strictly between for a lognormal, means, scales, shapes and units over 0, weights not all 0. The parts of a mix stand
    ///     before it and are no mixes.
    ///
    /// 25. What is changed stands before its changes, is not changed itself, and has finite factors that are not negative.
    ///
    /// Incidents
    /// 26. Names are unique; a window lasts 1 ns to a year, and the next one opens no earlier than it closes, and within a year; a
    ///     time of day is below 24 h. A call's outage depends on incidents and instances alone, and has an error with a constant type.
    ///
    /// Malformations
    /// 27. Chances are at most 1; the blocks are those of spans, ascending; a time depends on no value; an oversized attribute has at most
    ///     [`super::limits::TEXT_BYTES`], a clock a resolution of at most [`super::limits::RESOLUTION`].
    ///
    /// Scenarios and blocks
    /// 10. There is a scenario; names are unique; weights are finite, not negative, and sum to a finite number over 0.
    /// 11. Every block is the root of exactly one scenario or called from exactly one place, and leads back to a root: calls
    ///     form trees, at most [`super::limits::CALL_DEPTH`] deep.
    /// 12. A trace has at most [`super::limits::SPANS`] spans, counted with all turns, and lasts less than 2^62 ns, to the end of its
    ///     last span; `min <= max <= 24 h` for a delay; a distribution has an end of at most 24 h.
    /// 22. A root is a span. A group sets, tests and calls, and nothing else; side by side it has no delay.
    /// 23. A call has 1 to [`super::limits::TURNS`] turns and 1 to [`super::limits::ATTEMPTS`] attempts; one that nobody waits for has
    ///     no outcome and no timeout, and the error of a timeout is a constant type.
    ///
    /// Load
    /// 25. The shared source comes first, and the others in the order of their scenarios, each of which has one source.
    /// 26. The points of a rate begin at 0 and are in the order of their times, at most two at one time; some rate is above 0; the
    ///     last point is within the cycle.
    /// 27. A scheduled job begins within its period, and its jitter, which reads no value and is no mix, is shorter.
    /// 28. No time is longer than [`super::limits::LOAD_TIME`], and all sources at their peaks, multiplied by the weights, make at
    ///     most [`super::limits::LOAD_RATE`] traces a second, even while all incidents are in force that raise them.
    /// 29. The factor that an incident has for rates is finite and not negative, and its scenarios are ascending; with all of them,
    ///     a source changes at most [`super::limits::RATE_CHANGES`] times until its changes repeat.
    ///
    /// Code
    /// 24. One trace runs at most [`super::limits::STEPS`] instructions, an event counted with its turns, of which there are 1 to
    ///     [`super::limits::TURNS`], and a link as often as it finds a span; a pool has at most [`super::limits::TURNS`] workers.
    /// 13. A block ends with `end`, and has no other; jumps go forward and stay in the block.
    /// 14. A slot is written before it is read, on every way: by the vars, by an ancestor before its call, or by the block. At
    ///     a jump's target counts what was written before the jump and never since taken for unwritten. Jumps only leave out, so
    ///     the way that never jumps is the longest. The slots of a call's outcome are set before, in the same block; a slot
    ///     that an outer block wrote is set again to no longer a text, since a turn may read what the one before it wrote.
    /// 15. `attr` writes the block's own attributes, and so does an error, where it fails a span from within a group, too. Only the error
    ///     of a `fail` takes time.
    /// 16. A span whose form has no name has one `name` on every way, before its first delay and call; one with a name has none.
    /// 17. A `fail` that does not always hit comes after `roll` on every way; the chances since `roll` sum to at most 1, but for those
    ///     that a `test` may leave out.
    /// 18. A span that can fail has no constant `error.type`, so that the failure's own can take its place.
    ///
    /// Links
    /// 19. At most one `export` in a block; `Linked` only after a `link` on every way, or in one.
    /// 20. A link has sources, each of which exports; in the same trace they stand before it and not around it; it finds at most
    ///     [`super::limits::LINKED`] spans; at most [`super::limits::LINKS`] in a scenario.
    /// 21. The graph of linking scenario to exporting scenario has no cycle and no chain of more than
    ///     [`super::limits::LINK_CHAIN`]; finding the links of a trace makes at most [`super::limits::REPLAYED_SPANS`] again.
    #[expect(clippy::missing_panics_doc, reason = "a program that could not be followed has a violation")]
    pub fn verify(program: Program) -> Result<Plan, Violations> {
        let mut found = Found::new();
        tables::check(&program, &mut found);
        let tree = found.is_sound().then(|| tree::check(&program, &mut found));
        let known = tree.filter(|_| found.is_sound()).map(|tree| {
            let order = links::order(&program, &tree, &mut found);
            let flow = flow::check(&program, &tree, &order, &mut found);
            (tree, flow)
        });
        found.result(&program)?;
        let (tree, flow) = known.expect("what is not sound has a violation");
        let error_type = error_type_attrs(&program);
        let flow::Flow { mut bounds, longest, ends } = flow;
        malformed(&program, &tree, &mut bounds);
        Ok(Plan { program, digest: OnceLock::new(), tree, bounds, longest, end_bounds: ends, error_type })
    }
}

/// Counts the spans that malformations add to traces.
fn malformed(program: &Program, tree: &Tree, bounds: &mut [Bound]) {
    let scenario = |block: &BlockId| tree.scenario(*block).index();
    for malformation in &program.malformations {
        let mut scenarios: Vec<usize> = malformation.blocks.iter().map(scenario).collect();
        scenarios.sort_unstable();
        scenarios.dedup();
        for at in scenarios {
            let bound = &mut bounds[at];
            let more = match malformation.kind {
                Malform::Duplicate => bound.max_spans,
                Malform::Orphan => 1,
                _ => 0,
            };
            bound.max_spans = (bound.max_spans + more).min(limits::SPANS);
            if malformation.kind == Malform::MissingRoot {
                bound.min_spans = bound.min_spans.saturating_sub(1);
            }
        }
    }
}

/// Finds each block's computed attribute with the key [`ERROR_TYPE`].
fn error_type_attrs(program: &Program) -> Vec<Option<AttrId>> {
    let is_error_type = |id: &AttrId| program.texts[program.attrs[id.index()].index()] == ERROR_TYPE;
    program.blocks.iter().map(|block| block.attrs().ids().find(is_error_type)).collect()
}
