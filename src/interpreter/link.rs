//! The search for the trace that a link leads to: candidates are found by start and scenario, then run again, by whoever asks,
//! to see what they exported.
//!
//! The order of scenarios by links has no cycle and no long chain (the verifier's invariant), so a replay that has to look
//! for links itself comes to an end. Nothing here depends on what was generated before or by whom.

use super::choice::Chosen;
use super::code::Code;
use super::evaluate::Found;
use super::glob;
use super::run::Run;
use super::schedule::Starts;
use crate::plan::{LinkId, ScenarioId, limits};
use crate::trace::{NONE, Read, Trace};

/// The number of indices that are scanned back for a link.
const SCANNED: u64 = 4_096;
/// The number of entries in [`Misses`].
const MISSES: usize = 4_096;

/// The finder of earlier traces. Each thread has one of its own.
pub(super) struct Finder {
    pub starts: Starts,
    chosen: Chosen,
    misses: Misses,
}

/// A search that is under way.
pub(super) struct Search {
    link: LinkId,
    /// When the exporting span must have ended, ns since 1970.
    time: u64,
    /// The indices to look at, the latest first: `first..end`.
    first: u64,
    end: u64,
    /// The number of candidates that may yet be looked at, those known as misses among them.
    candidates: u32,
}

/// A trace that may be the one.
#[derive(Clone, Copy)]
pub(super) struct Candidate {
    pub scenario: ScenarioId,
    pub index: u64,
    /// ns since 1970.
    pub start: u64,
}

/// The candidates that can match a link at no time, because they failed or have another key. Consumers that follow each other
/// meet the same ones. This only saves work: a candidate that is here counts as replayed.
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
        let starts = Starts::new(run.seed(), run.schedule().clone());
        let misses = if run.code().links.is_empty() { 0 } else { MISSES };
        Finder { starts, chosen: Chosen::new(), misses: Misses(vec![(0, u64::MAX); misses].into()) }
    }

    /// A search for `most` spans that `link` leads to from trace `index`, which had ended by `time` (ns since 1970); `None`: there is
    /// nothing to look at.
    ///
    /// Candidates are the traces that started early enough for the exporting span to have ended, latest index first, all of
    /// them before `index`, so that they are part of every run that trace `index` is part of.
    pub fn search(&mut self, run: &Run, link: LinkId, most: u32, index: u64, time: u64) -> Option<Search> {
        let reach = run.code().links.sources(link).reach;
        let first = self.starts.first_of_epoch(index);
        let latest = self.starts.last_at_or_before(index, time.checked_sub(reach)?)?.min(index.checked_sub(1)?);
        let first = first.max((latest + 1).saturating_sub(SCANNED));
        Some(Search { link, time, first, end: latest + 1, candidates: limits::REPLAYED + most })
    }

    /// The next candidate of a search, to be replayed and judged.
    pub fn candidate(&mut self, run: &Run, search: &mut Search) -> Option<Candidate> {
        let scenarios = &run.code().links.sources(search.link).scenarios;
        while search.first < search.end {
            search.end -= 1;
            let index = search.end;
            let scenario = self.chosen.get(run.choice(), index);
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

    /// Of the exports of a replayed candidate from the one at `from` on, the first whose key matches, and whose span did not fail and had
    /// ended in time.
    pub fn judge(&mut self, run: &Run, search: &Search, trace: &Trace, from: usize) -> Option<Found> {
        let mut exported = exports(run.code(), search.link, trace, from).peekable();
        if from == 0 && exported.peek().is_none() {
            self.misses.add(search.link, trace.index);
        }
        exported.find(|found| trace.spans[found.span as usize].end <= search.time)
    }
}

/// The spans of `trace` that exported a matching key and did not fail; the exports before the one at `from` are left out.
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
