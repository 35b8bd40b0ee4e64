//! The numbers of traces that are expected in a time, and their rates, by scenario.

use super::stream::{Own, Stream};
use super::{Arrivals, Epoch, Starts};
use crate::interpreter::surges::Surges;

impl Starts {
    /// Returns for each scenario how many traces start from `from` to before `to`, in ns since 1970, on average, by the last
    /// epoch. The starts of scheduled jobs are counted.
    pub fn expected(&mut self, from: u64, to: u64) -> Vec<f64> {
        let surges = Surges::new(&self.plan, self.run_start, |_| true);
        let mut counts = vec![0.0; self.plan.scenarios.len()];
        let mut time = from;
        while time < to {
            let next = surges.next_change(time).map_or(to, |next| next.min(to));
            let seconds = (next - time) as f64 / 1e9;
            self.add(&surges, time, seconds, &mut counts, |stream, add| stream.between(time, next, add));
            time = next;
        }
        counts
    }

    /// Returns the rate of each scenario at `time`, in ns since 1970, in traces per second, by the last epoch. That of a scheduled
    /// job is its mean.
    pub fn rates(&mut self, time: u64) -> Vec<f64> {
        let surges = Surges::new(&self.plan, self.run_start, |_| true);
        let mut rates = vec![0.0; self.plan.scenarios.len()];
        self.add(&surges, time, 1.0, &mut rates, |stream, add| stream.rates(time, add));
        rates
    }

    /// Adds to `counts` what comes in so many seconds from `time` on, in which surges do not change. `read` passes what comes
    /// of a stream to its second argument, by source.
    fn add(
        &mut self,
        surges: &Surges,
        time: u64,
        seconds: f64,
        counts: &mut [f64],
        read: impl Fn(&mut Stream, &mut dyn FnMut(Own, f64)),
    ) {
        let (plan, at) = (self.plan.clone(), self.schedule.epochs().len() - 1);
        let epoch: Epoch = self.schedule.epochs()[at];
        let Some((superposed, _)) = self.superposed(at) else {
            let rates = epoch.mean_rates(&plan);
            return counts.iter_mut().zip(rates).for_each(|(count, rate)| *count += rate * seconds);
        };
        let mut shared = superposed.base_rate() * seconds;
        for stream in superposed.streams() {
            read(stream, &mut |own, amount| match own {
                Some(scenario) => counts[scenario.index()] += amount,
                None => shared += amount,
            });
        }
        let by_load = epoch.arrivals == Arrivals::Load;
        let factor = |id| if by_load { surges.factor(id, time) } else { 1.0 };
        let weights: Vec<(usize, f64)> = plan
            .scenario_ids()
            .filter(|id| plan.own_source(*id).is_none())
            .map(|id| (id.index(), plan.scenarios[id.index()].weight * factor(id)))
            .collect();
        let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
        if sum > 0.0 {
            weights.into_iter().for_each(|(at, weight)| counts[at] += shared * weight / sum);
        }
    }
}
