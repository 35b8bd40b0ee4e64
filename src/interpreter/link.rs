//! The search for the trace to which a link leads. Candidates are found by start and scenario, and the caller makes them
//! again to see what they exported.
//!
//! The order of scenarios by links has no cycle and no long chain, which the verifier guarantees, so the search ends even
//! if a candidate has links of its own. The result does not depend on which traces were made before, or by whom.

use super::choice::Chosen;
use super::code::Code;
use super::evaluate::Found;
use super::run::Run;
use super::schedule::Starts;
use crate::plan::{LinkId, ScenarioId, glob, limits};
use crate::trace::{NONE, Read, Trace};

/// The number of indices before a trace that are searched for a link.
const SCANNED: u64 = 4_096;
/// The number of entries in [`Misses`].
const MISSES: usize = 4_096;

/// A finder of earlier traces. Each thread has its own.
pub(super) struct Finder {
    pub starts: Starts,
    chosen: Chosen,
    misses: Misses,
}

/// A search in progress.
pub(super) struct Search {
    link: LinkId,
    /// The time by which the exporting span must have ended, in ns since 1970.
    time: u64,
    /// The first of the indices `first..end` that are still to be searched, from the last one on.
    first: u64,
    end: u64,
    /// The number of candidates that may still be examined, including known misses.
    candidates: u32,
}

/// A trace that may contain the linked span.
#[derive(Clone, Copy)]
pub(super) struct Candidate {
    pub scenario: ScenarioId,
    pub index: u64,
    /// The start of the trace, in ns since 1970.
    pub start: u64,
}

/// The candidates that can never match a link, because their spans failed or exported another key. Consumers that follow
/// each other meet the same candidates. The table only saves work: a candidate in it counts as examined.
struct Misses(Box<[(u32, u64)]>);

impl Misses {
    fn place(link: LinkId, index: u64) -> usize {
        (index.wrapping_add(link.0 as u64 * 1_223) % MISSES as u64) as usize
    }

    fn contains(&self, link: LinkId, index: u64) -> bool {
        self.0[Self::place(link, index)] == (link.0, index)
    }

    fn add(&mut self, link: LinkId, index: u64) {
        self.0[Self::place(link, index)] = (link.0, index);
    }
}

impl Finder {
    pub fn new(run: &Run) -> Self {
        let starts = run.starts();
        let misses = if run.code().links.is_empty() { 0 } else { MISSES };
        Finder { starts, chosen: Chosen::new(), misses: Misses(vec![(0, u64::MAX); misses].into()) }
    }

    /// Starts a search for up to `most` spans to which `link` leads from trace `index`, and which had ended by `time` (in
    /// ns since 1970). Returns `None` if there is nothing to search.
    ///
    /// Candidates are the traces before `index` that started early enough for the exporting span to have ended, from the
    /// last index on. They are therefore part of every run that has trace `index`.
    pub fn search(&mut self, run: &Run, link: LinkId, most: u32, index: u64, time: u64) -> Option<Search> {
        let reach = run.code().links.sources(link).reach;
        let first = self.starts.first_of_epoch(index);
        let latest = self.starts.last_at_or_before(index, time.checked_sub(reach)?)?.min(index.checked_sub(1)?);
        let first = first.max((latest + 1).saturating_sub(SCANNED));
        Some(Search { link, time, first, end: latest + 1, candidates: limits::REPLAYED + most })
    }

    /// Returns the next candidate of a search, which the caller makes again and passes to [`Finder::judge`].
    pub fn candidate(&mut self, run: &Run, search: &mut Search) -> Option<Candidate> {
        let scenarios = &run.code().links.sources(search.link).scenarios;
        while search.first < search.end {
            search.end -= 1;
            let index = search.end;
            let (start, own) = match run.choice().is_changing() {
                true => self.starts.start_and_own(index),
                // A scenario that is chosen by weight alone is known without the start.
                false => (0, self.starts.own(index)),
            };
            let scenario = own.unwrap_or_else(|| self.chosen.get(run.choice(), index, start));
            if scenarios.binary_search(&scenario).is_err() {
                continue;
            }
            search.candidates = search.candidates.checked_sub(1)?;
            if !self.misses.contains(search.link, index) {
                return Some(Candidate { scenario, index, start: self.starts.start(index) });
            }
        }
        None
    }

    /// Returns the first export of a candidate, from position `from` on, whose key matches and whose span did not fail and
    /// had ended in time.
    pub fn judge(&mut self, run: &Run, search: &Search, trace: &Trace, from: usize) -> Option<Found> {
        let mut exported = exports(run.code(), search.link, trace, from).peekable();
        if from == 0 && exported.peek().is_none() {
            self.misses.add(search.link, trace.index);
        }
        exported.find(|found| trace.spans[found.span as usize].end <= search.time)
    }
}

/// Returns the spans of `trace` that exported a matching key and did not fail, from the export at position `from` on.
pub(super) fn exports<'a>(
    code: &'a Code,
    link: LinkId,
    trace: &'a Trace,
    from: usize,
) -> impl DoubleEndedIterator<Item = Found> {
    let plan = &code.plan;
    let form = &plan.links[link.index()];
    let (glob, same_trace) = (plan.text(form.glob), form.same_trace);
    let blocks = &code.links.sources(link).blocks;
    trace.exports.iter().enumerate().skip(from).filter_map(move |(at, export)| {
        let span = &trace.spans[export.span as usize];
        let text = match export.key.read() {
            Read::Text { at, len } => &trace.text.as_slice()[at..at + len],
            Read::Const { text, .. } => plan.text(text).as_bytes(),
            _ => return None,
        };
        let fits = span.failure == NONE
            && blocks.binary_search(&span.block).is_ok()
            && glob::matches(glob, std::str::from_utf8(text).ok()?);
        fits.then_some(Found { span: export.span, key: export.key, export: at, same_trace })
    })
}
