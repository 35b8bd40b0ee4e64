//! The invariants of the load.

use super::*;

const HOUR: u64 = 3_600 * 1_000_000_000;

fn source(scenario: Option<u32>, form: SourceForm) -> Source {
    Source { scenario: scenario.map(ScenarioId), form }
}

/// Returns the form of a rate in traces a second at times in hours.
fn rate(points: &[(u64, u64)], cycle: Option<u64>) -> SourceForm {
    let point = |(at, rate): &(u64, u64)| Point { at: at * HOUR, rate: rate * UNITS_A_SECOND };
    let cycle = cycle.map(|hours| hours * HOUR);
    SourceForm::Rate { poisson: false, points: points.iter().map(point).collect(), cycle }
}

fn job(every: u64, at: u64, jitter: Option<(DistForm, u64)>) -> SourceForm {
    SourceForm::Job { every, at, jitter: jitter.map(|(form, max)| Dist { form, max }) }
}

/// Returns the place and the rule that the fixture breaks with these sources.
fn refusal(load: Vec<Source>) -> (Place, String) {
    let found = broken(|program| {
        program.scenarios[1].weight = 1.0;
        program.load = load;
    });
    (found.place, found.fault.to_string())
}

fn refused(form: SourceForm) -> String {
    let (place, rule) = refusal(vec![source(None, form)]);
    assert_eq!(place, Place::Source(0));
    rule
}

#[test]
fn a_sound_load_is_kept() {
    let load =
        vec![source(None, rate(&[(0, 5), (8, 5), (8, 0), (24, 50)], Some(24))), source(Some(1), job(HOUR, 7, None))];
    let plan = valid(|program| {
        program.scenarios[1].weight = 1.0;
        program.load = load.clone();
    });
    assert_eq!(plan.load, load);
    assert_eq!(plan.shared_source(), Some(&load[0]));
    assert_eq!((plan.own_source(ScenarioId(0)), plan.own_source(ScenarioId(1))), (None, Some(&load[1])));
    assert_eq!(plan.have_own_source(), [false, true]);
    assert_ne!(plan.digest(), fixture::plan().digest());
    insta::assert_snapshot!(plan.listing().to_string().lines().filter(|line| line.contains("load")).collect::<Vec<_>>().join("\n"), @r#"
    load constant 5/s for 28800s 5/s for 0ms 0/s for 57600s 50/s cycle 86400s
    scenario1 "Shipping" load every 3600s at 7ns  spans 1..1
    "#);
}

#[test]
fn invariant_25_each_scenario_has_one_source() {
    let some = || rate(&[(0, 1)], None);
    let order = "sources are in the order of their scenarios, one for each";
    for scenarios in [[None, None], [Some(1), Some(1)], [Some(1), Some(0)], [Some(0), None]] {
        let found = refusal(scenarios.map(|scenario| source(scenario, some())).into());
        assert_eq!(found, (Place::Source(1), order.into()), "{scenarios:?}");
    }
    let found = refusal(vec![source(Some(9), some())]);
    assert_eq!(found, (Place::Source(0), "scenario9 is out of range, there are 2".into()));
}

#[test]
fn invariant_26_points_are_in_order_and_something_comes() {
    assert_eq!(refused(rate(&[], None)), "the first point is at 0");
    assert_eq!(refused(rate(&[(1, 5)], None)), "the first point is at 0");
    assert_eq!(refused(rate(&[(0, 5), (2, 5), (1, 5)], None)), "points are in the order of their times");
    assert_eq!(refused(rate(&[(0, 5), (1, 5), (1, 6), (1, 7)], None)), "at most two points are at one time");
    assert_eq!(refused(rate(&[(0, 0), (1, 0)], None)), "some rate is above 0");
    assert_eq!(refused(rate(&[(0, 5), (0, 0)], None)), "some rate is above 0", "the first one holds for no time");
    assert_eq!(refused(rate(&[(0, 0), (24, 0), (24, 5)], Some(24))), "some rate is above 0");
    assert_eq!(refused(rate(&[(0, 5), (25, 5)], Some(24))), "a point is beyond the cycle");
    assert_eq!(refused(rate(&[(0, 5)], Some(0))), "a cycle lasts 1 ns to 100 years");
}

/// Returns an incident from 9 o'clock on that multiplies rates.
fn surge(program: &Program, length: u64, every: u64, times: f64, scenarios: &[u32]) -> Incident {
    let scenarios = scenarios.iter().map(|id| ScenarioId(*id)).collect();
    let name = program.services[0].name;
    let (at, rate) = (Opening::TimeOfDay(9 * HOUR), Some(RateChange { times, scenarios }));
    Incident { name, at, length, every: Some(every), rate }
}

#[test]
fn invariant_29_changes_of_rates_are_possible_and_repeat_before_long() {
    let refused = |length, every, times, scenarios: &[u32]| {
        let found = broken(|program| {
            program.load = vec![source(None, rate(&[(0, 300), (24, 5)], Some(24)))];
            program.incidents = vec![surge(program, length, every, times, scenarios)];
        });
        (found.place, found.fault.to_string())
    };
    let of_incident = |rule: &str| (Place::Incident(IncidentId(0)), rule.to_string());
    for times in [-1.0, f64::INFINITY] {
        assert_eq!(refused(1, HOUR, times, &[]), of_incident("the factor of a rate is finite and not negative"));
    }
    assert_eq!(refused(1, HOUR, 2.0, &[1, 0]), of_incident("the scenarios of a rate are ascending"));
    assert_eq!(refused(1, HOUR, 2.0, &[1, 7]), of_incident("scenario7 is out of range, there are 2"));
    let often = "a rate changes at most 100,000 times until its changes repeat";
    assert_eq!(refused(1, HOUR / 59 + 1, 2.0, &[]), (Place::Source(0), often.into()));
    let much = "all sources make at most 100,000,000 traces a second";
    assert_eq!(refused(1, HOUR, 1e6, &[]), (Place::Program, much.into()));
    let plan = valid(|program| {
        program.load = vec![source(None, rate(&[(0, 300), (24, 5)], Some(24)))];
        program.incidents = vec![surge(program, HOUR, 7 * HOUR, 2.5, &[1])];
    });
    assert_eq!(plan.peak_rate(&plan.load[0]), 750.0);
    assert!((70..300).contains(&plan.rate_changes(&plan.load[0])), "{}", plan.rate_changes(&plan.load[0]));
    let listing = plan.listing().to_string();
    assert!(listing.contains("at 09:00:00 UTC for 3600s every 25200s rate x2.5 of scenario1"), "{listing}");
}

#[test]
fn invariant_27_a_job_comes_once_in_its_period() {
    let fixed = |ns| (DistForm::Uniform { min: ns, max: ns }, ns);
    assert_eq!(refused(job(HOUR, HOUR, None)), "a job begins within its period");
    assert_eq!(refused(job(999_999, 0, None)), "a job starts every 1 ms to 100 years");
    let long = "a jitter is shorter than the time between two starts";
    assert_eq!(refused(job(HOUR, 0, Some(fixed(HOUR)))), long);
    valid(|program| program.load = vec![source(None, job(HOUR, 0, Some(fixed(HOUR - 1))))]);
    let computed = DistForm::Computed { value: ExprId(0), unit: 1 };
    assert_eq!(refused(job(HOUR, 0, Some((computed, 1)))), "a jitter reads no value and is no mix");
    let upside_down = DistForm::Uniform { min: 2, max: 1 };
    assert_eq!(refused(job(HOUR, 0, Some((upside_down, 1)))), "min is greater than max");
}

#[test]
fn invariant_28_no_load_is_beyond_what_can_be_counted() {
    assert_eq!(refused(rate(&[(0, 5), (900_000, 5)], None)), "a load changes for at most 100 years");
    let much = "all sources make at most 100,000,000 traces a second";
    let each = || rate(&[(0, 0), (1, 60_000_000)], None);
    assert_eq!(
        refusal(vec![source(None, each()), source(Some(1), each())]).1,
        "all sources make at most 100,000,000 traces a second"
    );
    let found = broken(|program| {
        program.scenarios[1].weight = 2.0;
        program.load = vec![source(Some(1), each())];
    });
    assert_eq!((found.place, found.fault.to_string()), (Place::Program, much.into()));
    valid(|program| program.load = vec![source(Some(1), each())]);
}
