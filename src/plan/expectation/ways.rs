//! The ways through a block: which calls are made, and whether the span fails, as its error conditions hit or not.

use crate::plan::{BlockId, Chance, Inst};
use std::collections::BTreeMap;

/// Ways through a block that are told apart at one step. The compiler makes two; more is a plan file's doing.
const MAX_WAYS: usize = 64;

/// A part of a block's code that decides which way is taken, or that is worth a look on the way.
#[derive(Debug, PartialEq)]
pub enum Step {
    Roll,
    /// The `fail` instruction at `pc`.
    Fail {
        pc: usize,
        chance: Chance,
        target: usize,
    },
    SkipIfFailed {
        target: usize,
    },
    /// A jump to `target` but for a chance.
    Chance {
        chance: Chance,
        target: usize,
    },
    /// The delay at `pc`.
    Delay {
        pc: usize,
    },
    /// Calls that are made one after another, on the same ways.
    Calls(Vec<BlockId>),
    End,
}

/// The steps of a block's code. Their targets are steps, too. `None`: how it goes on depends on more than chances.
pub fn steps(code: &[Inst]) -> Option<Vec<Step>> {
    let mut at: BTreeMap<u32, usize> = code.iter().filter_map(Inst::target).map(|target| (target, 0)).collect();
    let mut steps = vec![];
    // whether the last step takes the next call
    let mut open = false;
    for (pc, inst) in code.iter().enumerate() {
        if let Some(step) = at.get_mut(&(pc as u32)) {
            (*step, open) = (steps.len(), false);
        }
        let step = match *inst {
            Inst::Roll => Step::Roll,
            Inst::Fail { chance, target, .. } => Step::Fail { pc, chance, target: target as usize },
            Inst::SkipIfFailed { target } => Step::SkipIfFailed { target: target as usize },
            Inst::Delay { .. } | Inst::DelayDist { .. } => Step::Delay { pc },
            Inst::End => Step::End,
            Inst::Chance { chance, target } => Step::Chance { chance, target: target as usize },
            // What a value decides, and what a call does more than once, is not followed.
            Inst::Test { .. } | Inst::Propagate { .. } | Inst::Call { spec: Some(_), .. } => return None,
            Inst::Call { block, spec: None } => match steps.last_mut() {
                Some(Step::Calls(blocks)) if open => {
                    blocks.push(block);
                    continue;
                }
                _ => Step::Calls(vec![block]),
            },
            Inst::Set { .. } | Inst::Link { .. } | Inst::Attr { .. } | Inst::Name { .. } | Inst::Export { .. } => {
                continue;
            }
            Inst::Event { .. } => continue,
        };
        open = matches!(step, Step::Calls(_));
        steps.push(step);
    }
    for step in &mut steps {
        if let Step::Fail { target, .. } | Step::SkipIfFailed { target } | Step::Chance { target, .. } = step {
            *target = at[&(*target as u32)];
        }
    }
    Some(steps)
}

/// What is followed along the ways, and joined where they meet.
pub trait Flow: Copy {
    fn join(&mut self, other: Self);

    /// The part that goes one of several ways on.
    fn times(self, part: f64) -> Self;
}

/// Follows what has `begun` along all ways, and gives what arrives at their ends. `visit` sees it at each step, which
/// is given by its place, with the way it came, and says what goes on. `None`: there are more ways than are followed.
pub fn walk<F: Flow>(steps: &[Step], begun: F, mut visit: impl FnMut(usize, Way, F) -> F) -> Option<F> {
    // by step: what arrives there
    let mut arriving: BTreeMap<usize, BTreeMap<Way, F>> =
        BTreeMap::from([(0, BTreeMap::from([(Way::default(), begun)]))]);
    let mut ended: Option<F> = None;
    for (at, step) in steps.iter().enumerate() {
        let ways = arriving.remove(&at).unwrap_or_default();
        if ways.len() > MAX_WAYS {
            return None;
        }
        for (way, flow) in ways {
            let flow = visit(at, way, flow);
            let mut go = |target: usize, way: Way, flow: F| {
                let there = arriving.entry(target).or_default().entry(way);
                there.and_modify(|there| there.join(flow)).or_insert(flow);
            };
            match *step {
                Step::Roll => go(at + 1, Way { roll: Some(0), ..way }, flow),
                Step::Fail { chance, target, .. } => {
                    let part = way.chance_of(chance);
                    if part > 0.0 {
                        go(target, Way { failed: true, roll: None }, flow.times(part));
                    }
                    if part < 1.0 {
                        let roll = way.roll.map(|sum| sum + chance.0);
                        go(at + 1, Way { roll, ..way }, flow.times(1.0 - part));
                    }
                }
                Step::Chance { chance, target } => {
                    let part = chance.0 as f64 / Chance::ONE.0 as f64;
                    go(at + 1, way, flow.times(part));
                    go(target, way, flow.times(1.0 - part));
                }
                Step::SkipIfFailed { target } if way.failed => go(target, way, flow),
                Step::SkipIfFailed { .. } | Step::Delay { .. } | Step::Calls(_) => go(at + 1, way, flow),
                Step::End => match &mut ended {
                    Some(ended) => ended.join(flow),
                    None => ended = Some(flow),
                },
            }
        }
    }
    ended
}

/// What decides how a block goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    pub failed: bool,
    /// The sum of chances since the last roll, which it is not below; `None`: it was hit, or nothing was rolled.
    roll: Option<u64>,
}

impl Way {
    /// That the next `fail` hits: a roll that is not below the sum so far is below the sum with `chance`.
    pub fn chance_of(self, chance: Chance) -> f64 {
        match self.roll {
            // what hit once is below any greater sum
            None => 1.0,
            Some(sum) if sum >= Chance::ONE.0 => 0.0,
            Some(sum) => chance.0 as f64 / (Chance::ONE.0 - sum) as f64,
        }
    }
}
