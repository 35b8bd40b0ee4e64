//! The figures that follow from the plan alone, by analysing the calls of every scenario.

use super::parts::{Parts, TOTAL};
use super::{Figure, Figures, Spans};
use crate::plan::{BlockId, Expectation, Extent, InForce, Plan, ScenarioId};

/// The figures of a part, or what is known of one that can't be analysed.
pub type Known = Result<Figures, Option<f64>>;

/// What is expected of the traces of each scenario while some incidents are in force; `None` of one that can't be analysed.
pub struct Expected(Vec<Option<Expectation>>);

impl Expected {
    pub fn new(plan: &Plan, in_force: &InForce, parts: &Parts) -> Expected {
        let of_scenario = |id| plan.expectation_by_part(id, in_force, |block| of_block(parts, id, block));
        Expected(plan.scenario_ids().map(of_scenario).collect())
    }

    /// Returns the figures of each part. The error means that one of its scenarios can't be analysed; it holds the share of
    /// traces that belong to the part, if that is still known. `rates` are those of the scenarios, in any unit.
    pub fn figures(&self, plan: &Plan, rates: &[f64], parts: &Parts) -> Vec<Known> {
        let sum: f64 = rates.iter().sum();
        let mut sums: Vec<Sum> = vec![Sum { own: Some(0.0), ..Sum::default() }; parts.subjects.len()];
        let mut scenarios = 0;
        for (id, expected) in plan.scenario_ids().zip(&self.0) {
            let share = rates[id.index()] / sum;
            scenarios += u32::from(share > 0.0);
            let own = parts.of_scenario(id);
            let Some(expected) = expected else {
                let touched = plan.spans_of(id).iter().flat_map(|block| of_block(parts, id, *block)).chain([TOTAL]);
                touched.for_each(|part| sums[part].unknown = true);
                sums[own].traces = share;
                continue;
            };
            let whole = expected.extents.get(&own).copied().unwrap_or(Extent::NOTHING);
            sums[own] = Sum { failed: expected.failed, ..Sum::default() };
            sums[own].add(1.0, whole, expected.spans);
            sums[own].traces = share;
            sums[TOTAL].add(share, whole, expected.spans);
            sums[TOTAL].failed += share * expected.failed;
            for block in &expected.blocks {
                let runs = share * block.runs;
                for part in parts.of_block(block.block) {
                    sums[*part].spans += runs;
                    sums[*part].failed += runs * block.failed;
                    let own = sums[*part].own.zip(if runs > 0.0 { block.own } else { Some(0.0) });
                    sums[*part].own = own.map(|(sum, own)| sum + runs * own);
                }
            }
            for (part, extent) in expected.extents.iter().filter(|(part, _)| **part != own) {
                sums[*part].add(share, *extent, 0.0);
            }
        }
        sums[TOTAL].traces = 1.0;
        let all = (!sums[TOTAL].unknown).then_some(sums[TOTAL].spans);
        let known = sums.into_iter().enumerate();
        known.map(|(part, sum)| sum.figures(parts.subjects[part].is_of_traces(), scenarios, all)).collect()
    }
}

/// Returns the parts to which the spans of a scenario's block belong.
fn of_block(parts: &Parts, scenario: ScenarioId, block: BlockId) -> Vec<usize> {
    parts.of_block(block).iter().copied().chain([parts.of_scenario(scenario)]).collect()
}

/// A sum over scenarios, weighted by their shares.
#[derive(Clone, Default)]
struct Sum {
    unknown: bool,
    traces: f64,
    spans: f64,
    failed: f64,
    /// The own time of all spans in ns; `None` if it depends on values.
    own: Option<f64>,
    /// The number of scenarios with a share that have such spans.
    scenarios: u32,
    min: Option<u32>,
    max: u32,
}

impl Sum {
    fn add(&mut self, share: f64, extent: Extent, spans: f64) {
        self.spans += share * spans;
        self.traces += share * (1.0 - extent.none);
        if share > 0.0 {
            self.scenarios += 1;
            self.min = Some(self.min.map_or(extent.min, |min| min.min(extent.min)));
            self.max = self.max.max(extent.max);
        }
    }

    /// Returns the figures. `all` is the mean number of spans in a trace; `None` if it is unknown.
    fn figures(self, of_traces: bool, scenarios: u32, all: Option<f64>) -> Result<Figures, Option<f64>> {
        // Sums of parts of 1 may exceed it by rounding.
        let traces = self.traces.min(1.0);
        if self.unknown {
            return Err(of_traces.then_some(traces));
        }
        let everywhere = of_traces || self.scenarios == scenarios;
        let min = self.min.filter(|_| everywhere).unwrap_or(0);
        let of_all = |spans: f64, all: f64| if all > 0.0 { Figure::Exact(spans / all) } else { Figure::Exact(0.0) };
        let share = match all {
            _ if of_traces => Figure::Exact(traces),
            Some(all) => of_all(self.spans, all),
            None => Figure::Unknown,
        };
        // The failed spans among all such spans.
        let failed = match of_traces {
            false if self.spans > 0.0 => self.failed / self.spans,
            _ => self.failed,
        };
        let own = self.own.filter(|_| !of_traces && self.spans > 0.0).map(|own| own / self.spans);
        let spans = Spans { min, mean: Figure::Exact(self.spans), max: self.max };
        Ok(Figures { share, traces: Figure::Exact(traces), spans, failed: Figure::Exact(failed.min(1.0)), own })
    }
}
