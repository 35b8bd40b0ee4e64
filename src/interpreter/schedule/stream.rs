//! Single streams of arrivals of the plan's load, each with its own count and starts.

use super::poisson::{self, BLOCK};
use super::table::{Table, last_time};
use super::{Epoch, LoadTerms, MAX_TIME};
use crate::interpreter::dist::{Prepared, prepare};
use crate::interpreter::identity::cipher;
use crate::interpreter::random::{Purpose, Random, key, scaled};
use crate::interpreter::surges::Surges;
use crate::plan::{Dist, Plan, RateChange, ScenarioId, Source, SourceForm, TRACE_MASS, UNITS_A_SECOND, limits};
use aes::Aes128;
use aes::cipher::BlockCipherEncrypt;
use sha2::{Digest, Sha256};

/// The scenario whose own source a trace is of; `None` if it is of those that share one, which are chosen by weight.
pub(super) type Own = Option<ScenarioId>;

/// Arrivals with ascending starts, numbered from 0.
pub(super) enum Stream {
    /// An arrival whenever the mass since the table's origin reaches a whole number.
    Constant {
        table: Table,
        own: Own,
    },
    Poisson(Box<RandomArrivals>),
    Job(Box<Job>),
}

/// The arrivals of all sources that arrive at random.
///
/// The mass since the epoch's opening is cut into blocks of [`BLOCK`] traces, in each of which as many arrivals are uniformly
/// distributed. The source of an arrival is drawn by the mass that each source has in the ns of the start.
pub(super) struct RandomArrivals {
    sources: Vec<(Table, Own)>,
    /// The mass before the epoch's opening.
    before: u128,
    /// The index of the epoch's first trace.
    first: u64,
    random: Random,
    cipher: Aes128,
    blocks: Vec<Block>,
    /// The number of uses so far, by which the least recently used block is found.
    clock: u64,
}

/// The arrivals of a block, as shares of its mass in units of 2^-52.
struct Block {
    number: u64,
    used: u64,
    shares: Vec<u64>,
}

/// The number of blocks that are kept.
const KEPT: usize = 4;
/// The mass of a block.
const BLOCK_MASS: u128 = BLOCK as u128 * TRACE_MASS;
/// The number of bits of a share.
const SHARE_BITS: u32 = 52;

/// The starts of a scheduled job, numbered from 1970 on.
pub(super) struct Job {
    every: u64,
    at: u64,
    jitter: Option<(Prepared, Random)>,
    own: Own,
    /// The start that was drawn last, with its number.
    last: Option<(u64, u64)>,
}

/// Makes the streams of an epoch. The shared source is left out if the epoch does not arrive by it, or if no scenario shares
/// it.
pub(super) fn streams(
    plan: &Plan,
    seed: u64,
    epoch: &Epoch,
    terms: LoadTerms,
    is_shared: bool,
    run_start: u64,
) -> Vec<Stream> {
    let (mut streams, mut random) = (vec![], vec![]);
    // No table may overflow, even if a manifest was edited.
    let peaks = plan.load.iter().map(|source| plan.peak_rate(source));
    let most = limits::LOAD_RATE / peaks.sum::<f64>().max(1.0);
    let terms_factor = (terms.factor as f64 / LoadTerms::ONE as f64).min(most);
    for source in &plan.load {
        if source.scenario.is_none() && !is_shared {
            continue;
        }
        let weight = plan.own_factor(source);
        match &source.form {
            SourceForm::Rate { poisson, points, cycle } => {
                let factor = weight * terms_factor;
                if factor == 0.0 {
                    continue;
                }
                let is_of_source = |change: &RateChange| plan.changes(source).any(|(_, of_source)| of_source == change);
                let surges = Surges::new(plan, run_start, is_of_source);
                let table = match surges.is_empty() {
                    true => Table::new(points, *cycle, terms.anchor, factor),
                    false => {
                        let raised = |time: u64| factor * surge(plan, source, &surges, time);
                        Table::surging(points, *cycle, terms.anchor, epoch.opening, &surges, raised)
                    }
                };
                match poisson {
                    true => random.push((table, source.scenario)),
                    false => streams.push(Stream::Constant { table, own: source.scenario }),
                }
            }
            SourceForm::Job { every, at, jitter } if weight > 0.0 => {
                let name = source.scenario.map_or("", |scenario| plan.scenario_name(scenario));
                streams.push(Stream::Job(Job::new(seed, name, *every, *at, jitter.as_ref(), source.scenario).into()));
            }
            SourceForm::Job { .. } => {}
        }
    }
    if !random.is_empty() {
        streams.push(Stream::Poisson(RandomArrivals::new(seed, random, epoch).into()));
    }
    streams
}

/// Returns the factor by which surges multiply the rate of a source at `time`, in ns since 1970. That of the shared source is
/// the mean of its scenarios, by weight.
fn surge(plan: &Plan, source: &Source, surges: &Surges, time: u64) -> f64 {
    if let Some(scenario) = source.scenario {
        return surges.factor(scenario, time);
    }
    let (mut all, mut raised) = (0.0, 0.0);
    for id in plan.scenario_ids().filter(|id| plan.own_source(*id).is_none()) {
        let weight = plan.scenarios[id.index()].weight;
        all += weight;
        raised += weight * surges.factor(id, time);
    }
    if all > 0.0 { raised / all } else { 1.0 }
}

impl Stream {
    /// Returns the number of arrivals that start at `time` or before.
    pub fn count(&mut self, time: u64) -> u64 {
        match self {
            Stream::Constant { table, .. } => table.mass(time + 1).div_ceil(TRACE_MASS) as u64,
            Stream::Poisson(random) => random.count(time),
            Stream::Job(job) => job.count(time),
        }
    }

    /// Returns the start of arrival `number`, or `None` if it is later than [`MAX_TIME`]. No arrival from this one on starts
    /// before `from`.
    pub fn start(&mut self, number: u64, from: u64) -> Option<u64> {
        match self {
            Stream::Constant { table, .. } => {
                last_time(number as u128 * TRACE_MASS, from, |time| table.mass(time), |time| table.rate(time))
            }
            Stream::Poisson(random) => random.start(number, from),
            Stream::Job(job) => job.start(number),
        }
    }

    /// Returns the source of the arrival that starts at `time`. `index` is that of the trace.
    pub fn own(&self, index: u64, time: u64) -> Own {
        match self {
            Stream::Constant { own, .. } => *own,
            Stream::Poisson(random) => random.own(index, time),
            Stream::Job(job) => job.own,
        }
    }

    /// Returns about how many arrivals start before `time`.
    pub fn expected(&self, time: u64) -> f64 {
        match self {
            Stream::Constant { table, .. } => table.mass(time) as f64 / TRACE_MASS as f64,
            Stream::Poisson(random) => random.mass(time).saturating_sub(random.before) as f64 / TRACE_MASS as f64,
            Stream::Job(job) => time.saturating_sub(job.at) as f64 / job.every as f64,
        }
    }

    /// Passes how many arrivals start from `from` to before `to` on average, and of which source, to `add`. Those of a job are
    /// counted.
    pub fn between(&mut self, from: u64, to: u64, add: &mut dyn FnMut(Own, f64)) {
        let figure_of = |table: &Table| (table.mass(to) - table.mass(from)) as f64 / TRACE_MASS as f64;
        match self {
            Stream::Constant { table, own } => add(*own, figure_of(table)),
            Stream::Poisson(random) => random.sources.iter().for_each(|(table, own)| add(*own, figure_of(table))),
            Stream::Job(job) => {
                let mut before = |time: u64| time.checked_sub(1).map_or(0, |time| job.count(time));
                let count = before(to) - before(from);
                add(job.own, count as f64);
            }
        }
    }

    /// Passes the rate of each source at `time` in traces per second to `add`; that of a job is its mean.
    pub fn rates(&mut self, time: u64, add: &mut dyn FnMut(Own, f64)) {
        let figure_of = |table: &Table| table.rate(time) as f64 / UNITS_A_SECOND as f64;
        match self {
            Stream::Constant { table, own } => add(*own, figure_of(table)),
            Stream::Poisson(random) => random.sources.iter().for_each(|(table, own)| add(*own, figure_of(table))),
            Stream::Job(job) => add(job.own, 1e9 / job.every as f64),
        }
    }

    /// Returns the rate at `time` in traces per ns.
    pub fn rate(&self, time: u64) -> f64 {
        match self {
            Stream::Constant { table, .. } => table.rate(time) as f64 / TRACE_MASS as f64,
            Stream::Poisson(random) => random.rate(time) as f64 / TRACE_MASS as f64,
            Stream::Job(job) => 1.0 / job.every as f64,
        }
    }
}

impl RandomArrivals {
    fn new(seed: u64, sources: Vec<(Table, Own)>, epoch: &Epoch) -> RandomArrivals {
        let mut random = RandomArrivals {
            sources,
            before: 0,
            first: epoch.first,
            random: Random::new(key(seed, Purpose::Load)),
            cipher: cipher(seed, Purpose::Sources),
            blocks: vec![],
            clock: 0,
        };
        random.before = random.mass(epoch.opening);
        random
    }

    fn mass(&self, time: u64) -> u128 {
        self.sources.iter().map(|(table, _)| table.mass(time)).sum()
    }

    fn rate(&self, time: u64) -> u64 {
        self.sources.iter().map(|(table, _)| table.rate(time)).sum()
    }

    fn shares(&mut self, number: u64) -> &[u64] {
        self.clock += 1;
        let at = self.blocks.iter().position(|block| block.number == number).unwrap_or_else(|| {
            let at = if self.blocks.len() < KEPT {
                self.blocks.push(Block { number, used: 0, shares: Vec::with_capacity(BLOCK as usize) });
                self.blocks.len() - 1
            } else {
                (0..KEPT).min_by_key(|&i| self.blocks[i].used).unwrap_or(0)
            };
            let block = &mut self.blocks[at];
            block.number = number;
            // The stream is the index of the block's first arrival, so no two blocks of a run share a stream.
            let stream = self.first.wrapping_add(number.wrapping_mul(BLOCK));
            let last = (1_u64 << SHARE_BITS) - 1;
            let share = |share: f64| ((share * (last + 1) as f64) as u64).min(last);
            poisson::arrivals(&mut self.random, stream, &mut block.shares, share);
            at
        });
        self.blocks[at].used = self.clock;
        &self.blocks[at].shares
    }

    fn count(&mut self, time: u64) -> u64 {
        let mass = self.mass(time + 1).saturating_sub(self.before);
        let Some(last) = mass.checked_sub(1) else { return 0 };
        let (number, within) = ((last / BLOCK_MASS) as u64, last % BLOCK_MASS);
        number * BLOCK + self.shares(number).partition_point(|share| place(*share) <= within) as u64
    }

    fn start(&mut self, number: u64, from: u64) -> Option<u64> {
        let block = number / BLOCK;
        let within = place(self.shares(block)[(number % BLOCK) as usize]);
        let target = self.before + block as u128 * BLOCK_MASS + within;
        last_time(target, from, |time| self.mass(time), |time| self.rate(time))
    }

    fn own(&self, index: u64, time: u64) -> Own {
        if let [(_, own)] = self.sources[..] {
            return own;
        }
        let mut block = [0; 16];
        block[..8].copy_from_slice(&index.to_le_bytes());
        let mut block = block.into();
        self.cipher.encrypt_block(&mut block);
        let draw = u64::from_le_bytes(std::array::from_fn(|i| block[i]));
        let mass = |table: &Table| (table.mass(time + 1) - table.mass(time)) as u64;
        let sum: u64 = self.sources.iter().map(|(table, _)| mass(table)).sum();
        let mut left = scaled(draw, sum.saturating_sub(1));
        let chosen = self.sources.iter().find(|(table, _)| {
            let mass = mass(table);
            let is_chosen = left < mass;
            left = left.saturating_sub(mass);
            is_chosen
        });
        chosen.or(self.sources.first()).and_then(|(_, own)| *own)
    }
}

/// Returns the place of a share in its block, in mass.
fn place(share: u64) -> u128 {
    (share as u128 * BLOCK_MASS) >> SHARE_BITS
}

impl Job {
    fn new(seed: u64, name: &str, every: u64, at: u64, jitter: Option<&Dist>, own: Own) -> Job {
        let jitter = jitter.map(|dist| {
            let key = Sha256::new().chain_update(key(seed, Purpose::Jobs)).chain_update(name).finalize();
            (prepare(dist), Random::new(key.into()))
        });
        Job { every, at, jitter, own, last: None }
    }

    fn count(&mut self, time: u64) -> u64 {
        // The jitter is shorter than the time between two starts, so at most the last one is still to come.
        let Some(since) = time.checked_sub(self.at) else { return 0 };
        let number = since / self.every;
        number + u64::from(self.start(number).is_some_and(|start| start <= time))
    }

    fn start(&mut self, number: u64) -> Option<u64> {
        let scheduled = number.checked_mul(self.every)?.checked_add(self.at)?;
        if let Some((last, start)) = self.last
            && last == number
        {
            return Some(start);
        }
        let jitter = self.jitter.as_mut().map_or(0, |(dist, random)| {
            random.seek(number);
            dist.draw(random.u64())
        });
        let start = scheduled.checked_add(jitter).filter(|start| *start <= MAX_TIME)?;
        self.last = Some((number, start));
        Some(start)
    }
}
