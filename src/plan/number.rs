//! Arithmetic on numbers, which is the same before and while a plan runs.

use super::Operator;
use std::cmp::Ordering;

/// A number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Int(i64),
    /// A finite double.
    Double(f64),
}

impl Number {
    /// Makes a number of a double. An infinite one becomes the largest finite one; the result is `None` if the double is
    /// not a number.
    #[inline]
    pub fn finite(value: f64) -> Option<Number> {
        (!value.is_nan()).then(|| Number::Double(value.clamp(f64::MIN, f64::MAX)))
    }

    /// Returns the number as a double.
    #[inline]
    pub fn double(self) -> f64 {
        match self {
            Number::Int(value) => value as f64,
            Number::Double(value) => value,
        }
    }

    /// Returns the whole part of the number, limited to the range of an int.
    #[inline]
    pub fn int(self) -> i64 {
        match self {
            Number::Int(value) => value,
            Number::Double(value) => value as i64,
        }
    }

    /// Returns the result of an arithmetic operator, or `None` if there is none, as for a division by zero.
    #[inline]
    pub fn arithmetic(self, operator: Operator, other: Number) -> Option<Number> {
        if let (Number::Int(a), Number::Int(b)) = (self, other)
            && operator != Operator::Div
        {
            return Some(Number::Int(match operator {
                Operator::Add => a.saturating_add(b),
                Operator::Sub => a.saturating_sub(b),
                Operator::Rem if b == 0 => return None,
                // The remainder has the sign of the divisor.
                Operator::Rem => match a.wrapping_rem(b) {
                    rest if rest != 0 && (rest < 0) != (b < 0) => rest + b,
                    rest => rest,
                },
                _ => a.saturating_mul(b),
            }));
        }
        let (a, b) = (self.double(), other.double());
        match operator {
            Operator::Add => Number::finite(a + b),
            Operator::Sub => Number::finite(a - b),
            Operator::Mul => Number::finite(a * b),
            _ if b == 0.0 => None,
            Operator::Rem => match libm::fmod(a, b) {
                rest if rest != 0.0 && (rest < 0.0) != (b < 0.0) => Number::finite(rest + b),
                // Adding 0.0 turns -0.0 into 0.0.
                rest => Number::finite(rest + 0.0),
            },
            _ => Number::finite(a / b),
        }
    }

    /// Returns the order of two numbers by their exact values, whatever their types are.
    #[inline]
    pub fn order(self, other: Number) -> Option<Ordering> {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => Some(a.cmp(&b)),
            (Number::Double(a), Number::Double(b)) => a.partial_cmp(&b),
            (Number::Int(a), Number::Double(b)) => Some(int_and_double(a, b)),
            (Number::Double(a), Number::Int(b)) => Some(int_and_double(b, a).reverse()),
        }
    }
}

fn int_and_double(a: i64, b: f64) -> Ordering {
    // Every int is below 2^63.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if b >= LIMIT {
        return Ordering::Less;
    }
    if b < -LIMIT {
        return Ordering::Greater;
    }
    let whole = libm::floor(b);
    a.cmp(&(whole as i64)).then(if whole < b { Ordering::Less } else { Ordering::Equal })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ints_and_doubles_compare_exactly() {
        use Ordering::*;
        for (a, b, want) in [
            (1, 1.0, Equal),
            (1, 1.5, Less),
            (-1, -1.5, Greater),
            (i64::MAX, 9_223_372_036_854_775_807.0, Less),
            (i64::MIN, -9_223_372_036_854_775_808.0, Equal),
            (i64::MIN, -1e300, Greater),
            // As doubles these two would be equal.
            (9_007_199_254_740_993, 9_007_199_254_740_992.0, Greater),
        ] {
            assert_eq!(Number::Int(a).order(Number::Double(b)), Some(want), "{a} {b}");
            assert_eq!(Number::Double(b).order(Number::Int(a)), Some(want.reverse()), "{b} {a}");
        }
    }
}
