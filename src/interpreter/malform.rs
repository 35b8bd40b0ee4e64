//! Malformations: a pass over a finished trace that makes of it what no well-behaved SDK sends. It draws from streams of its
//! own, so the trace beneath is the one that the plan gives without malformations.

use super::dist::Prepared;
use super::random::{Purpose, Random, key};
use super::run::Run;
use crate::plan::{AttrId, BlockId, Chance, Malform, Malformation, Plan, ServiceId, TextId, limits};
use crate::trace::{NEVER, NONE, NOT_UTF8, SpanRecord, Trace, Value};
use sha2::{Digest, Sha256};

/// The bit that tells the stream of a service instance from that of a trace.
const INSTANCE: u64 = 1 << 63;
/// The letters of which an oversized text is made.
const FILLER: &[u8] = b"oversized ";

/// The malformer of a run's traces.
pub(super) struct Malformer {
    random: Random,
    /// For each malformation, whether its spans are of a block.
    befalls: Vec<Box<[bool]>>,
    /// For each malformation that service instances have, the skew of each resource, in ns.
    skews: Vec<Box<[i64]>>,
    /// The ordinals of the spans that a malformation befalls.
    hit: Vec<u32>,
    /// Whether the clock of a service has a resolution.
    is_coarse: bool,
    /// The ordinal of the span that orphans of the current trace have as their parent, once there is one.
    lost: Option<usize>,
}

impl Malformer {
    /// Makes the malformer of a run, or `None` if its plan malforms nothing.
    pub fn new(run: &Run) -> Option<Malformer> {
        let plan = run.plan();
        let is_coarse = plan.services.iter().any(|service| service.resolution.is_some());
        if plan.malformations.is_empty() && !is_coarse {
            return None;
        }
        let mut random = Random::new(key(run.seed(), Purpose::Malform));
        let skews = plan.malformations.iter().map(|malformation| skews(run, malformation, &mut random)).collect();
        let befalls = plan.malformations.iter().map(|malformation| {
            let mut blocks = vec![false; plan.blocks.len()];
            malformation.blocks.iter().for_each(|block| blocks[block.index()] = true);
            blocks.into()
        });
        Some(Malformer { befalls: befalls.collect(), random, skews, hit: vec![], is_coarse, lost: None })
    }

    /// Malforms a trace.
    pub fn malform(&mut self, run: &Run, trace: &mut Trace) {
        let plan = run.plan();
        self.random.seek(trace.index);
        self.lost = None;
        let mut is_malformed = self.is_coarse;
        trace.leaves.extend(trace.spans.iter().map(|span| span.end));
        for (at, malformation) in plan.malformations.iter().enumerate() {
            self.choose(at, malformation, trace);
            is_malformed |= !self.hit.is_empty();
            for i in 0..self.hit.len() {
                self.befall(run, at, malformation.kind, self.hit[i] as usize, trace);
            }
        }
        if self.is_coarse {
            coarsen(plan, trace);
        }
        if !is_malformed {
            trace.leaves.clear();
        }
    }

    /// Finds the spans that a malformation befalls: one 32-bit draw for each of its spans, in order. No span that was added
    /// is among them.
    fn choose(&mut self, at: usize, malformation: &Malformation, trace: &Trace) {
        self.hit.clear();
        let Chance(chance) = malformation.chance;
        let befalls = &self.befalls[at];
        let own = |span: &SpanRecord| befalls[span.block.index()];
        match malformation.kind {
            Malform::ClockSkew { per_instance: true, .. } => {
                let skewed = |span: &SpanRecord| own(span) && self.skews[at][span.resource.index()] != 0;
                let skewed = trace.spans.iter().enumerate().filter(|(_, span)| skewed(span));
                self.hit.extend(skewed.map(|(ordinal, _)| ordinal as u32));
            }
            Malform::MissingRoot => {
                if trace.spans.first().is_some_and(own) && u64::from(self.random.u32()) < chance {
                    self.hit.push(0);
                }
            }
            _ => {
                for ordinal in 0..trace.spans.len() {
                    if own(&trace.spans[ordinal]) && trace.is_sent(ordinal) && u64::from(self.random.u32()) < chance {
                        self.hit.push(ordinal as u32);
                    }
                }
            }
        }
    }

    fn befall(&mut self, run: &Run, at: usize, kind: Malform, ordinal: usize, trace: &mut Trace) {
        let dists = &run.code().dists;
        let SpanRecord { start, end, resource, parent, .. } = trace.spans[ordinal];
        match kind {
            Malform::ClockSkew { per_instance: true, .. } => {
                shift(trace, ordinal, self.skews[at][resource.index()]);
            }
            Malform::ClockSkew { by, behind, .. } => {
                let skew = skew(&mut self.random, dists.get(by), behind);
                shift(trace, ordinal, skew);
            }
            Malform::ZeroDuration => trace.spans[ordinal].end = start,
            Malform::NegativeDuration => {
                trace.spans[ordinal].end = start.saturating_sub(end.saturating_sub(start).max(1));
            }
            Malform::OversizedAttribute { key, bytes } => {
                let text = FILLER.iter().cycle().take(bytes as usize);
                let at = trace.text.len();
                trace.text.append(&text.copied().collect::<Vec<u8>>());
                set(run.plan(), trace, ordinal, key, Value::text(at, at + bytes as usize));
            }
            Malform::InvalidUtf8 { key } => {
                let at = trace.text.len();
                trace.text.append(NOT_UTF8.as_bytes());
                set(run.plan(), trace, ordinal, key, Value::text(at, at + NOT_UTF8.len()));
            }
            Malform::Orphan => {
                // All orphans of a trace have lost the same parent.
                if self.lost.is_none() {
                    let model = trace.spans[if parent == NONE { ordinal } else { parent as usize }];
                    let id = run.identity().lost_span_id(trace.index);
                    self.lost = add(trace, SpanRecord { id, parent: NONE, ..model }, NEVER);
                }
                if let Some(lost) = self.lost {
                    trace.spans[ordinal].parent = lost as u32;
                }
            }
            Malform::DuplicateSpanId => {
                let others = trace.spans.len() as u32 - 1;
                if others > 0 {
                    // Uniform over all other spans.
                    let drawn = self.random.below32(others) as usize;
                    let other = drawn + usize::from(drawn >= ordinal);
                    trace.spans[ordinal].id = trace.spans[other].id;
                }
            }
            Malform::ZeroId => trace.spans[ordinal].id = 0,
            Malform::MissingRoot => trace.leaves[ordinal] = NEVER,
            Malform::Duplicate => {
                let (copy, leaves) = (trace.spans[ordinal], trace.leaves[ordinal]);
                add(trace, copy, leaves);
            }
            Malform::Late { by } => {
                trace.leaves[ordinal] += dists.get(by).draw(self.random.u64());
            }
        }
    }
}

/// Adds a span to a trace, and returns its ordinal, or `None` if the trace can't hold more.
fn add(trace: &mut Trace, span: SpanRecord, leaves: u64) -> Option<usize> {
    let ordinal = trace.spans.len();
    (ordinal + 1 < limits::SPANS as usize).then(|| {
        trace.spans.push(span);
        trace.leaves.push(leaves);
        ordinal
    })
}

/// Rounds all times of spans whose service has a coarse clock down.
fn coarsen(plan: &Plan, trace: &mut Trace) {
    for ordinal in 0..trace.spans.len() {
        let service = plan.span(trace.spans[ordinal].block).service;
        if let Some(resolution) = plan.services[service.index()].resolution {
            set_times(trace, ordinal, |time| time - time % resolution);
        }
    }
}

/// Moves all times of a span.
fn shift(trace: &mut Trace, ordinal: usize, by: i64) {
    set_times(trace, ordinal, |time| time.saturating_add_signed(by));
}

/// Changes all times of a span: of its start, its end, its events and its failure.
fn set_times(trace: &mut Trace, ordinal: usize, moved: impl Fn(u64) -> u64) {
    let span = &mut trace.spans[ordinal];
    (span.start, span.end) = (moved(span.start), moved(span.end));
    let mut next = span.event;
    while next != NONE {
        let event = &mut trace.events[next as usize];
        event.time = moved(event.time);
        next = event.next;
    }
    if let Some(failure) = trace.failures.get_mut(span.failure as usize) {
        failure.time = moved(failure.time);
    }
}

/// Sets the computed attribute of a span that has this key.
fn set(plan: &Plan, trace: &mut Trace, ordinal: usize, key: TextId, value: Value) {
    let span = trace.spans[ordinal];
    let attrs = plan.span(span.block).attrs;
    let row = &mut trace.attrs[span.attrs as usize..][..attrs.count as usize];
    let has_key = |attr: AttrId| plan.attrs[attr.index()] == key;
    if let Some(record) = row.iter_mut().find(|record| has_key(record.attr)) {
        record.value = value;
    }
}

/// Draws how much a clock is ahead, or behind if it is negative, in ns. `behind` is that of [`Malform::ClockSkew`]; without
/// it, a 32-bit draw decides between both.
fn skew(random: &mut Random, by: &Prepared, behind: Option<u64>) -> i64 {
    match behind {
        Some(behind) => by.draw(random.u64()) as i64 - behind as i64,
        None => {
            let sign = if random.u32() & 1 == 0 { 1 } else { -1 };
            sign * by.draw(random.u64()) as i64
        }
    }
}

/// Draws the skew of each service instance that a malformation gives to instances, in ns: 0 for a right clock.
fn skews(run: &Run, malformation: &Malformation, random: &mut Random) -> Box<[i64]> {
    let Malform::ClockSkew { by, behind, per_instance: true } = malformation.kind else { return Box::default() };
    let plan = run.plan();
    let mut skews = vec![0; plan.resources.len()];
    let mut services: Vec<ServiceId> = malformation.blocks.iter().map(|block| service(plan, *block)).collect();
    services.sort_unstable();
    services.dedup();
    for service in services {
        let service = &plan.services[service.index()];
        for resource in service.resources() {
            // An instance has one clock, whatever version it runs.
            let number = service.instance_of(resource).unwrap_or_default();
            let hash = Sha256::new().chain_update(plan.text(service.name)).chain_update([0]);
            let hash = hash.chain_update(number.to_le_bytes()).finalize();
            let stream = hash[..8].iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
            random.seek(stream | INSTANCE);
            let is_hit = u64::from(random.u32()) < malformation.chance.0;
            let drawn = skew(random, run.code().dists.get(by), behind);
            skews[resource.index()] = if is_hit { drawn } else { 0 };
        }
    }
    skews.into()
}

fn service(plan: &Plan, block: BlockId) -> ServiceId {
    plan.span(block).service
}
