use super::*;
use crate::plan::fixture;

/// A full minute.
const NOW: u64 = 1_773_498_720_000_000_000;

fn read(query: &str) -> Filter {
    Filter::read(&Fields::parse(query), NOW, "all")
}

#[test]
fn valid_parameters_apply_and_invalid_ones_are_named() {
    let filter = read("service=api&status=bad&min=1&max=oops&page=0&sort=size&range=soon&until=never&q=a");
    let named: Vec<&str> = filter.problems.iter().map(|p| p.parameter).collect();
    assert_eq!(named, ["status", "max", "until", "range", "sort", "page"]);
    assert_eq!(filter.wrong("status"), Some("Allowed: `ok` or `error`."));
    assert_eq!(filter.wrong("min"), None);
    assert_eq!((filter.min, filter.max, filter.page, filter.failed), (Some(1_000_000), None, 1, None));
    assert_eq!(filter.given("max"), "oops", "it stays in its field");
    assert_eq!(read("min=5&max=4").wrong("max"), Some("Allowed: not below the minimum duration."));
    assert_eq!(read("from=-1m&until=-2m").wrong("until"), Some("Allowed: later than the beginning of the range."));
    let long = read(&format!("service={}", "x".repeat(501)));
    assert_eq!((long.wrong("service"), long.given("service")), (Some("Allowed: at most 500 characters."), ""));
}

#[test]
fn a_range_ends_at_the_given_time() {
    let minute = 60_000_000_000;
    assert_eq!(read("").time, TimeRange::default());
    assert_eq!(read("range=1m").time, TimeRange { from: Some(NOW - minute), until: None });
    let anchored = read("range=1m&until=-1m").time;
    assert_eq!(anchored, TimeRange { from: Some(NOW - 2 * minute), until: Some(NOW - minute) });
    assert_eq!(read("range=1m&from=-5m").time.from, Some(NOW - 5 * minute));
    let odd = Filter::read(&Fields::parse("range=15m"), NOW + 1, "all").time.from;
    assert_eq!(odd, Some(NOW - 15 * minute + minute / 6), "begins with a whole bucket of 10 s");
    let by_default = Filter::read(&Fields::default(), NOW, "15m").time;
    assert_eq!(by_default, TimeRange { from: Some(NOW - 15 * minute), until: None });
}

#[test]
fn links_keep_the_other_filters() {
    let filter = read("page=3&q=a%26b+c&service=&status=error&unknown=1");
    assert_eq!(filter.link(&[]), "/?q=a%26b%20c&status=error&page=3");
    assert_eq!(filter.link(&[("page", ""), ("sort", "duration")]), "/?q=a%26b%20c&status=error&sort=duration");
    assert_eq!(read("status=ok").link(&[("status", "")]), "/");
    let conditions: Vec<_> = filter.conditions().collect();
    assert_eq!(conditions, [("q", "a&b c"), ("status", "error")]);
}

#[test]
fn the_roots_of_a_scenario_are_those_of_its_first_block() {
    let plan = fixture::plan();
    let expected = vec![("api-gateway".to_string(), Some("POST /api/v1/orders".to_string()))];
    assert_eq!(roots(&plan, "E-commerce Order Processing"), expected);
    assert_eq!(roots(&plan, "No such"), []);
}
