//! The flags that change which scenarios come and how often, for one run.

use super::Failure;
use super::words::quoted;
use crate::interpreter::{Arrivals, Epoch, LoadTerms};
use crate::language::diagnostic::nearest;
use crate::plan::{Incident, Plan, Source, SourceForm, glob, limits};
use crate::text::foreign::foreign;
use crate::text::listed;
use clap::Args;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The flags for the load.
#[derive(Args, Clone, Default)]
pub struct LoadFlags {
    /// Only scenarios whose name matches this glob, with `*` and `?`; several flags add up
    #[arg(long = "scenario", value_name = "GLOB")]
    pub scenarios: Vec<String>,
    /// Another weight of a scenario, in place of its file's; it multiplies the rate of a scenario with a load of its own, and
    /// 0 leaves the scenario out
    #[arg(long = "weight", value_name = "NAME=N", value_parser = weight)]
    pub weights: Vec<(String, f64)>,
    /// Multiply all rates of the files' loads: 2, 0.5
    #[arg(long, value_name = "X", value_parser = factor)]
    pub load_factor: Option<u64>,
}

impl LoadFlags {
    /// Reports whether any flag is given.
    pub fn is_given(&self) -> bool {
        !self.scenarios.is_empty() || !self.weights.is_empty() || self.load_factor.is_some()
    }

    /// Returns the weights of a plan's scenarios that differ from those of its files, by name.
    ///
    /// # Errors
    /// A flag names no scenario of the plan, or leaves none.
    pub fn weights(&self, plan: &Arc<Plan>) -> Result<BTreeMap<String, f64>, Failure> {
        let names = || plan.scenario_ids().map(|id| plan.scenario_name(id));
        let unknown = |flag: &str, name: &str| {
            let nearest = nearest(name, names()).map(|name| format!(": did you mean `{name}`?"));
            Failure::usage(format!("{flag} `{name}`: there is no such scenario{}", nearest.unwrap_or_default()))
        };
        let is_chosen = |name: &str| self.scenarios.is_empty() || self.scenarios.iter().any(|g| glob::matches(g, name));
        for pattern in &self.scenarios {
            names().find(|name| glob::matches(pattern, name)).ok_or_else(|| unknown("--scenario", pattern))?;
        }
        let mut weights: BTreeMap<String, f64> = BTreeMap::new();
        weights.extend(names().filter(|name| !is_chosen(name)).map(|name| (name.to_owned(), 0.0)));
        for (name, weight) in &self.weights {
            let id = plan.scenario_ids().find(|id| plan.scenario_name(*id) == name);
            let id = id.ok_or_else(|| unknown("--weight", name))?;
            if !is_chosen(name) {
                return Err(Failure::usage(format!("--weight `{name}`: no --scenario has this scenario")));
            }
            let by_time = plan.own_source(id).is_some_and(|own| matches!(own.form, SourceForm::Job { .. }));
            if by_time && ![0.0, 1.0].contains(weight) {
                let problem = "it starts by a timetable and has no rate, so its weight is 0 or 1";
                return Err(Failure::usage(format!("--weight `{name}`: {problem}")));
            }
            weights.insert(name.clone(), *weight);
        }
        Ok(weights)
    }

    /// Returns a plan with the weights of its scenarios.
    ///
    /// # Errors
    /// As [`LoadFlags::weights`]; or the plan can't have the weights.
    pub fn weigh(&self, plan: Arc<Plan>) -> Result<Arc<Plan>, Failure> {
        let weights = self.weights(&plan)?;
        if weights.is_empty() {
            return Ok(plan);
        }
        let scenarios = plan.scenarios.iter();
        let all = scenarios.map(|s| weights.get(plan.text(s.name)).copied().unwrap_or(s.weight));
        plan.with_weights(all).map(Arc::new).map_err(|e| Failure::usage(format!("--weight and --scenario: {e}")))
    }

    /// Returns the factor by which the load of a plan is multiplied, in millionths.
    ///
    /// # Errors
    /// The plan has no load, or it would be more than can be counted.
    pub fn factor(&self, plan: &Plan) -> Result<u64, Failure> {
        let Some(factor) = self.load_factor else { return Ok(LoadTerms::ONE) };
        let rates = || plan.load.iter().filter(|source| matches!(source.form, SourceForm::Rate { .. }));
        if rates().next().is_none() {
            return Err(Failure::usage("--load-factor: no file has a `load` with a rate; give one with --rate"));
        }
        let peak: f64 = rates().map(|source| plan.peak_rate(source)).sum();
        if peak * factor as f64 / LoadTerms::ONE as f64 > limits::LOAD_RATE {
            let limit = limits::LOAD_RATE;
            return Err(Failure::usage(format!("--load-factor: the load would be more than {limit} traces a second")));
        }
        Ok(factor)
    }

    /// Returns the flags as they are written.
    pub fn words(&self) -> Vec<String> {
        let scenarios = self.scenarios.iter().map(|glob| format!("--scenario {}", quoted(glob)));
        let weights = self.weights.iter().map(|(name, n)| format!("--weight {}", quoted(&format!("{name}={n}"))));
        let factor = self.load_factor.map(|factor| format!("--load-factor {}", factor as f64 / LoadTerms::ONE as f64));
        scenarios.chain(weights).chain(factor).collect()
    }
}

/// Returns what to say if incidents would multiply a load in whose place the traces of an epoch have another pace.
pub fn without_load(plan: &Plan, epoch: &Epoch) -> Option<String> {
    let multiplies =
        |source: &Source, incident: &Incident| plan.changes(source).any(|(of, _)| of.name == incident.name);
    let is_in_use = |source: &Source| match source.scenario {
        Some(_) => epoch.load.is_some(),
        None => epoch.arrivals == Arrivals::Load,
    };
    let idle = plan.incidents.iter().filter(|incident| {
        incident.rate.is_some() && !plan.load.iter().any(|source| is_in_use(source) && multiplies(source, incident))
    });
    let names: Vec<String> = idle.map(|incident| foreign(plan.text(incident.name)).to_string()).collect();
    let its = if names.len() == 1 { "its" } else { "their" };
    let why = "multiplies a load in whose place there is another pace";
    (!names.is_empty())
        .then(|| format!("incident {}: {its} `rate` has no effect, since it {why}", listed(&names, "and")))
}

/// Parses `NAME=N`.
fn weight(text: &str) -> Result<(String, f64), String> {
    let allowed = "expected the name of a scenario and its weight, as `Checkout=3`";
    let (name, weight) = text.rsplit_once('=').ok_or(allowed)?;
    let weight: f64 = weight.trim().parse().map_err(|_| allowed)?;
    match weight.is_finite() && weight >= 0.0 {
        true => Ok((name.into(), weight)),
        false => Err("a weight is a number from 0 on".into()),
    }
}

/// Parses a factor and returns it in millionths.
fn factor(text: &str) -> Result<u64, String> {
    let factor = text.parse().ok().map(|factor: f64| factor * LoadTerms::ONE as f64);
    let range = 1.0..=LoadTerms::MAX_FACTOR as f64;
    let whole = factor.map(f64::round).filter(|factor| range.contains(factor));
    whole
        .map(|factor| factor as u64)
        .ok_or_else(|| "expected a factor from 0.000001 to 1000000, as `2` or `0.5`".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture;

    fn flags(scenarios: &[&str], weights: &[(&str, f64)]) -> LoadFlags {
        let scenarios = scenarios.iter().map(|glob| glob.to_string()).collect();
        LoadFlags { scenarios, weights: weights.iter().map(|(n, w)| (n.to_string(), *w)).collect(), load_factor: None }
    }

    #[test]
    fn globs_choose_scenarios_and_weights_replace_those_of_the_files() {
        let plan = Arc::new(fixture::plan());
        let weights = |flags: LoadFlags| {
            let plan = flags.weigh(plan.clone()).ok().expect("sound flags");
            plan.scenarios.iter().map(|s| s.weight).collect::<Vec<_>>()
        };
        assert_eq!(weights(flags(&[], &[])), [15.0, 0.5]);
        assert_eq!(weights(flags(&["Ship*"], &[])), [0.0, 0.5]);
        assert_eq!(weights(flags(&["Ship*", "*Order*"], &[("Shipping", 7.0)])), [15.0, 7.0]);
        let problem = |flags: LoadFlags| flags.weigh(plan.clone()).expect_err("wrong flags").message;
        assert_eq!(
            problem(flags(&["Shiping"], &[])),
            "--scenario `Shiping`: there is no such scenario: did you mean `Shipping`?"
        );
        assert_eq!(
            problem(flags(&[], &[("shipping", 1.0)])),
            "--weight `shipping`: there is no such scenario: did you mean `Shipping`?"
        );
        assert_eq!(
            problem(flags(&["E*"], &[("Shipping", 1.0)])),
            "--weight `Shipping`: no --scenario has this scenario"
        );
        let none = problem(flags(&["Ship*"], &[("Shipping", 0.0)]));
        assert!(none.contains("weights"), "{none}");
    }

    #[test]
    fn a_flag_reads_back_as_it_is_shown() {
        assert_eq!(weight("A=b=2.5"), Ok(("A=b".into(), 2.5)));
        assert!(["A", "A=", "A=x", "A=-1", "A=NaN"].iter().all(|text| weight(text).is_err()));
        assert_eq!((factor("2"), factor("0.5")), (Ok(2_000_000), Ok(500_000)));
        assert!(["0", "-1", "x", "1e9", "NaN"].iter().all(|text| factor(text).is_err()));
        let all = LoadFlags { load_factor: Some(500_000), ..flags(&["a b"], &[("c", 2.5)]) };
        assert_eq!(all.words(), ["--scenario 'a b'", "--weight c=2.5", "--load-factor 0.5"]);
    }
}
