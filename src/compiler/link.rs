//! Links between scenarios: the spans that each glob can find, and the check that no scenario links to itself.

mod glob;
mod graph;
mod keys;

pub use glob::{Piece, can_match};

use super::names::{Linked, Names};
use super::report::Report;
use crate::language::budget::{Budget, Spent};
use crate::language::diagnostic::{Problem, Role};
use crate::language::parallel;
use crate::language::source::Loc;
use crate::plan::{BlockId, LinkId, Program};
use keys::{Keys, Work};

/// The number of globs for which it is worth starting a thread.
const GLOBS_A_THREAD: usize = 64;

/// The number of keys that a diagnostic names.
const SHOWN_KEYS: usize = 3;

/// A span that exports a context.
pub struct Export {
    pub scenario: usize,
    pub span: usize,
    pub block: BlockId,
    pub key: Vec<Piece>,
}

/// A span that links.
pub struct Use {
    pub scenario: usize,
    pub span: usize,
    pub link: LinkId,
    /// Whether the link leads to spans of the same trace; then no other span has this link.
    pub same_trace: bool,
    /// The values that are read of the linked span.
    pub reads: Vec<(Linked, Loc)>,
    /// The place of the glob.
    pub loc: Loc,
}

/// Finds the sources of the program's links. Each glob is compared only with keys that begin like it, so the time is
/// proportional to the number of links found, and limited by [`keys::MOST_STEPS`].
///
/// # Errors
/// The budget is spent.
pub fn find_sources(
    program: &mut Program,
    names: &[Names],
    exports: &[Export],
    uses: &[Use],
    budget: &Budget,
    report: &mut Report,
) -> Result<(), Spent> {
    let Some(first) = uses.first() else { return Ok(()) };
    let globs: Vec<String> = program.links.iter().map(|link| program.texts[link.glob.index()].clone()).collect();
    let keys = Keys::new(exports);
    let work = Work::new(budget);
    let mut sources = parallel::map(&globs, globs.len() / GLOBS_A_THREAD, |_, glob| keys.matched_by(glob, &work));
    budget.check()?;
    for link in uses.iter().filter(|link| link.same_trace) {
        sources[link.link.index()].retain(|&export| is_within_reach(link, &exports[export], names));
    }
    for (link, sources) in program.links.iter_mut().zip(&sources) {
        link.sources = sources.iter().map(|&export| exports[export].block).collect();
    }
    if !work.is_too_much() {
        for link in uses {
            budget.check()?;
            let sources = &sources[link.link.index()];
            if sources.is_empty() {
                let exported = exports.iter().filter(|export| is_within_reach(link, export, names));
                let exported = exported.take(SHOWN_KEYS).map(|export| shown(&export.key)).collect();
                let (glob, same_trace) = (globs[link.link.index()].clone(), link.same_trace);
                report.add(Problem::GlobMatchesNothing { glob, same_trace, exported }, link.loc);
            } else {
                check_reads(link, sources.iter().map(|&export| &exports[export]), names, &work, report);
            }
        }
    }
    if work.is_too_much() {
        report.add(Problem::LinksTakeLong { globs: globs.len(), keys: keys.len() }, first.loc);
        return Ok(());
    }
    graph::check(names, exports, uses, &sources, report);
    Ok(())
}

/// Reports whether a link may lead to a span at all. In the same trace, the span must come before the linking one and not
/// contain it.
fn is_within_reach(link: &Use, export: &Export, names: &[Names]) -> bool {
    let is_before = || {
        let spans = &names[link.scenario].spans;
        let mut around = std::iter::successors(Some(link.span), |&span| spans[span].parent);
        export.scenario == link.scenario && export.span < link.span && !around.any(|span| span == export.span)
    };
    !link.same_trace || is_before()
}

/// Checks that every attribute read of a linked span is one of some span to which the link can lead.
fn check_reads<'e>(
    link: &Use,
    sources: impl Iterator<Item = &'e Export> + Clone,
    names: &[Names],
    work: &Work,
    report: &mut Report,
) {
    for (read, loc) in &link.reads {
        let Linked::Attribute(key) = read else { continue };
        let has =
            |e: &Export| names[e.scenario].lacks_names || names[e.scenario].spans[e.span].find_attribute(key).is_some();
        let looked_at = sources.clone().position(has);
        work.spend(looked_at.unwrap_or_else(|| sources.clone().count()) as u64);
        if looked_at.is_some() || work.is_too_much() {
            continue;
        }
        let keys = sources.clone().flat_map(|e| names[e.scenario].keys(e.span));
        let nearest = report.nearest(key, keys);
        let places = sources.clone().take(SHOWN_KEYS).map(|e| names[e.scenario].spans[e.span].place);
        let problem = Problem::UnknownLinkedAttribute { key: key.clone(), nearest };
        report.add_related(problem, *loc, Role::Linkable, places);
    }
}

/// Returns the key in the form of its template, for people.
fn shown(key: &[Piece]) -> String {
    let text = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Any => "<<...>>".to_owned(),
    };
    key.iter().map(text).collect()
}
