//! Rates that change, as tables whose cumulative rate is exact in whole numbers.
//!
//! The *mass* of a stretch of time is the number of traces that arrive in it on average, in units of which a trace has
//! [`TRACE_MASS`]. It is piecewise quadratic. Its values are rounded down, so it never falls, and whatever is searched in it
//! has one answer, whichever way the search goes.

use super::MAX_TIME;
use crate::interpreter::surges::Surges;
use crate::plan::{Point, lcm, limits};

/// The end of all time: the ns after [`MAX_TIME`].
const END: u64 = MAX_TIME + 1;

/// The rates of a source.
pub(super) struct Table {
    segments: Box<[Segment]>,
    /// The time from which those of the segments are counted, in ns since 1970.
    origin: u64,
    /// The cycle in which the last segments repeat.
    cycle: Option<Cycle>,
}

#[derive(Clone, Copy)]
struct Cycle {
    /// The time in ns at which the segments begin that repeat.
    from: u64,
    length: u64,
    mass: u128,
}

/// A stretch of time in which the rate changes evenly.
#[derive(Clone, Copy)]
struct Segment {
    /// The time in ns at which it begins.
    at: u64,
    /// The time in ns after which the rate is `to`; 0 if it is `from` for good.
    length: u64,
    /// The rates at its beginning and at its end, in units.
    from: u64,
    to: u64,
    /// The mass of all segments before it.
    before: u128,
}

impl Segment {
    /// Returns the mass of the first `time` ns.
    fn mass(&self, time: u64) -> u128 {
        let even = self.from as u128 * time as u128;
        if self.from == self.to || self.length == 0 {
            return even;
        }
        let change = self.from.abs_diff(self.to);
        let (whole, exact) = product_over(time as u128 * time as u128, change, 2 * self.length);
        if self.to > self.from { even + whole } else { even - whole - u128::from(!exact) }
    }

    /// Returns the rate after `time` ns in units.
    fn rate(&self, time: u64) -> u64 {
        if self.from == self.to || self.length == 0 {
            return self.from;
        }
        let change = (self.from.abs_diff(self.to) as u128 * time as u128 / self.length as u128) as u64;
        if self.to > self.from { self.from + change } else { self.from - change }
    }
}

/// Returns `a * b / c`, rounded down, and whether it is exact. The result must fit into 128 bits, and c into 63.
fn product_over(a: u128, b: u64, c: u64) -> (u128, bool) {
    let (b, c) = (b as u128, c as u128);
    if let Some(product) = a.checked_mul(b) {
        return (product / c, product.is_multiple_of(c));
    }
    // A division by hand with digits of 64 bits.
    let low = (a as u64) as u128 * b;
    let high = (a >> 64) * b + (low >> 64);
    let rest = (high % c) << 64 | (low as u64) as u128;
    (((high / c) << 64) + rest / c, rest.is_multiple_of(c))
}

impl Table {
    /// Makes the table of points, whose rates are multiplied by `factor`. Times are counted from `origin`, in ns since 1970,
    /// if there is no cycle.
    pub fn new(points: &[Point], cycle: Option<u64>, origin: u64, factor: f64) -> Table {
        let scaled = |rate: u64| if factor == 1.0 { rate } else { libm::round(rate as f64 * factor) as u64 };
        let mut segments: Vec<Segment> = Vec::with_capacity(points.len());
        let mut mass = 0;
        for (i, point) in points.iter().enumerate() {
            let (from, next) = (scaled(point.rate), points.get(i + 1));
            let length = next.map_or(0, |next| next.at - point.at);
            let to = next.map_or(from, |next| scaled(next.rate));
            // A jump is between two segments.
            if next.is_none() || length > 0 {
                let segment = Segment { at: point.at, length, from, to, before: mass };
                mass += segment.mass(length);
                segments.push(segment);
            }
        }
        let mut table = Table { segments: segments.into(), origin, cycle: None };
        if let Some(length) = cycle {
            let mass = table.mass_of(length);
            table.origin = 0;
            table.cycle = Some(Cycle { from: 0, length, mass });
        }
        table
    }

    /// Makes the table of points as [`Table::new`] does, for all time from `opening` on (in ns since 1970), with a factor that
    /// surges change.
    pub fn surging(
        points: &[Point],
        cycle: Option<u64>,
        origin: u64,
        opening: u64,
        surges: &Surges,
        factor: impl Fn(u64) -> f64,
    ) -> Table {
        let plain = Table::new(points, cycle, origin, 1.0);
        let last = points.last().map_or(0, |last| if cycle.is_some() { 0 } else { origin.saturating_add(last.at) });
        let settled = surges.settled().max(last).clamp(opening, END);
        let periods = cycle.map(u128::from).into_iter().chain(surges.period());
        let end = periods.reduce(lcm).map_or(settled, |period| (settled as u128 + period).min(END as u128) as u64);
        let (mut segments, mut mass, mut mass_settled) = (vec![], 0, 0);
        let mut add = |time: u64, next: Option<u64>| {
            let (segment, lasted) = plain.segment(plain.time_within(time));
            let scaled = |rate: u64| libm::round(rate as f64 * factor(time)) as u64;
            let length = next.map_or(0, |next| next - time);
            let (from, to) = (scaled(segment.rate(lasted)), scaled(segment.rate(lasted + length)));
            let segment = Segment { at: time - opening, length, from, to, before: mass };
            mass += segment.mass(length);
            segments.push(segment);
            mass
        };
        let (mut time, mut room) = (opening, 2 * limits::RATE_CHANGES);
        // No plan needs so many segments, but an edited manifest may.
        while time < end && room > 0 {
            let changes = [plain.next_change(time), surges.next_change(time)];
            let next = changes.into_iter().flatten().fold(if time < settled { settled } else { end }, u64::min);
            let reached = add(time, Some(next));
            if next == settled {
                mass_settled = reached;
            }
            (time, room) = (next, room - 1);
        }
        let repeats = settled < end && end < END && time == end;
        if !repeats {
            add(time, None);
        }
        let cycle =
            repeats.then(|| Cycle { from: settled - opening, length: end - settled, mass: mass - mass_settled });
        Table { segments: segments.into(), origin: opening, cycle }
    }

    /// Returns the time of the segments at `time`, in ns since 1970.
    fn time_within(&self, time: u64) -> u64 {
        let time = time.saturating_sub(self.origin);
        match self.cycle {
            Some(Cycle { from, length, .. }) if time >= from => from + (time - from) % length,
            _ => time,
        }
    }

    /// Returns the first time after `time` at which a segment begins, if there is one. Both are in ns since 1970.
    fn next_change(&self, time: u64) -> Option<u64> {
        let within = self.time_within(time);
        let next = self.segments.get(self.segments.partition_point(|segment| segment.at <= within));
        let end = self.cycle.map(|Cycle { from, length, .. }| from + length);
        next.map(|next| next.at).or(end).map(|next| time + (next - within))
    }

    /// Returns the segment at `time` ns after the beginning, and how long it has lasted then.
    fn segment(&self, time: u64) -> (&Segment, u64) {
        let at = match &self.segments[..] {
            [_] => 0,
            segments => segments.partition_point(|segment| segment.at <= time) - 1,
        };
        (&self.segments[at], time - self.segments[at].at)
    }

    fn mass_of(&self, time: u64) -> u128 {
        let (segment, lasted) = self.segment(time);
        segment.before + segment.mass(lasted)
    }

    /// Returns the mass of all time before `time`, in ns since 1970.
    pub fn mass(&self, time: u64) -> u128 {
        let time = time.saturating_sub(self.origin);
        match self.cycle {
            Some(Cycle { from, length, mass }) if time >= from => {
                let since = time - from;
                (since / length) as u128 * mass + self.mass_of(from + since % length)
            }
            _ => self.mass_of(time),
        }
    }

    /// Returns the rate at `time`, in ns since 1970, in units.
    pub fn rate(&self, time: u64) -> u64 {
        if time < self.origin {
            return 0;
        }
        let (segment, lasted) = self.segment(self.time_within(time));
        segment.rate(lasted)
    }
}

/// Returns the last time at which `mass` is not above `target`, or `None` if it never is. `mass` never falls, `rate` is its
/// slope, and the mass at `from` is not above the target. All times are in ns since 1970.
///
/// The search is Newton's method within bounds, with a bisection now and then, so that it ends soon even if the rate is 0 or
/// jumps.
pub(super) fn last_time(target: u128, from: u64, mass: impl Fn(u64) -> u128, rate: impl Fn(u64) -> u64) -> Option<u64> {
    let (mut low, mut high) = (from, END);
    let mut is_reached = false;
    let steps = |mass: u128, time: u64| match rate(time) as u128 {
        0 => u64::MAX,
        rate => u64::try_from(mass / rate).unwrap_or(u64::MAX).max(1),
    };
    let mut next = low.saturating_add(steps(target - mass(low), low));
    for turn in 1_u32.. {
        if !is_reached && (next >= high || high - low == 1) {
            if mass(END) <= target {
                return None;
            }
            is_reached = true;
        }
        if high - low == 1 {
            return Some(low);
        }
        if next <= low || next >= high || turn % 5 == 0 {
            next = low + (high - low) / 2;
        }
        let found = mass(next);
        if found <= target {
            low = next;
            next = low.saturating_add(steps(target - found, low));
        } else {
            high = next;
            is_reached = true;
            next = high.saturating_sub(steps(found - target, high));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{TRACE_MASS, UNITS_A_SECOND};

    const SECOND: u64 = 1_000_000_000;
    const HOUR: u64 = 3_600 * SECOND;

    fn table(points: &[(u64, u64)], cycle: Option<u64>, origin: u64) -> Table {
        let points: Vec<Point> = points.iter().map(|(at, rate)| Point { at: *at, rate: *rate }).collect();
        Table::new(&points, cycle, origin, 1.0)
    }

    #[test]
    fn a_product_is_divided_exactly_however_large_it_is() {
        let large = (1_u128 << 120) - 12_345;
        for (a, b, c) in
            [(7, 3, 2), (large, 1 << 60, (1 << 62) + 1), (large, (1 << 62) - 1, 3), (1 << 122, 1 << 10, 1 << 20)]
        {
            let (whole, exact) = product_over(a, b, c);
            // The check is in arithmetic modulo 2^128, in which the difference is the remainder.
            let rest = a.wrapping_mul(b as u128).wrapping_sub(whole.wrapping_mul(c as u128));
            assert!(rest < c as u128 && exact == (rest == 0), "{a} {b} {c}: {whole}");
        }
    }

    #[test]
    fn the_mass_is_the_area_below_the_rate() {
        let ten = 10 * UNITS_A_SECOND;
        let ramp = table(&[(0, 0), (10 * SECOND, ten), (20 * SECOND, 0)], None, 5);
        let traces = |table: &Table, time: u64| table.mass(time) as f64 / TRACE_MASS as f64;
        assert_eq!((traces(&ramp, 0), traces(&ramp, 5)), (0.0, 0.0));
        assert_eq!(traces(&ramp, 5 * SECOND + 5), 12.5);
        assert_eq!(ramp.mass(10 * SECOND + 5), 50 * TRACE_MASS);
        assert_eq!(ramp.mass(20 * SECOND + 5), 100 * TRACE_MASS);
        assert_eq!(ramp.mass(END), 100 * TRACE_MASS);
        assert_eq!([0, 5, 15].map(|s| ramp.rate(s * SECOND + 5)), [0, ten / 2, ten / 2]);
        let daily = table(&[(0, ten), (HOUR, ten), (HOUR, 0)], Some(24 * HOUR), 7 * HOUR + 3);
        assert_eq!(daily.mass(48 * HOUR), 72_000 * TRACE_MASS, "a cycle has its phase by the clock");
        assert_eq!(daily.mass(48 * HOUR + HOUR / 2), 90_000 * TRACE_MASS);
        assert_eq!((daily.rate(48 * HOUR), daily.rate(49 * HOUR)), (ten, 0));
        let half = Table::new(&[Point { at: 0, rate: ten }], None, 0, 0.25);
        assert_eq!(half.rate(3), ten / 4);
    }

    /// A mass that never falls, and the last time below a target, in tables with short, long, steep and flat segments.
    #[test]
    fn the_last_time_below_a_mass_is_found_exactly() {
        let year = 366 * 24 * HOUR;
        let tables = [
            table(&[(0, UNITS_A_SECOND)], None, 17),
            table(&[(0, 1)], None, 0),
            table(
                &[(0, 0), (10 * SECOND, 7 * UNITS_A_SECOND), (11 * SECOND, 3), (11 * SECOND, 0), (20 * SECOND, 5)],
                None,
                3,
            ),
            table(&[(0, 0), (99 * year, 100_000_000 * UNITS_A_SECOND), (100 * year, 0)], None, 0),
            table(&[(0, 100_000_000 * UNITS_A_SECOND), (3, 0)], Some(5), 0),
            table(&[(0, 0), (12 * HOUR, 50 * UNITS_A_SECOND), (24 * HOUR, 0)], Some(24 * HOUR), 0),
            table(&[(0, 0), (HOUR, 0), (HOUR, 9), (HOUR + 7, 9)], Some(7 * HOUR), 0),
        ];
        for (i, table) in tables.iter().enumerate() {
            let times: Vec<u64> = (0..62).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + HOUR + 5]).collect();
            for time in times {
                let mass = table.mass(time);
                assert!(table.mass(time + 1) >= mass, "table {i} falls at {time}");
                for target in [mass, mass + 1, mass + TRACE_MASS, mass.saturating_sub(1)] {
                    match last_time(target, 0, |t| table.mass(t), |t| table.rate(t)) {
                        Some(last) => assert!(table.mass(last) <= target && table.mass(last + 1) > target, "table {i}"),
                        None => assert!(table.mass(END) <= target, "table {i}"),
                    }
                }
            }
        }
    }
}
