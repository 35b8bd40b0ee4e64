//! The positions of the buckets on the axis.

/// A division of durations into buckets, which are numbered from 0 as they get longer.
pub trait Scale {
    /// Returns the bucket of a duration of `ns`.
    fn bucket(ns: u64) -> usize;
    /// Returns a duration in the middle of a bucket, in ns.
    fn middle(bucket: usize) -> u64;
}

/// A scale with `2^BITS` buckets for each power of two. The middle of a bucket is off by at most one part in `2^(BITS +
/// 1)`, and the shortest durations have a bucket each. A bucket is found with a few instructions.
#[derive(Clone, Copy, Debug)]
pub struct Binary<const BITS: u32>;

impl<const BITS: u32> Binary<BITS> {
    /// The number of buckets.
    pub const BUCKETS: usize = (64 - BITS as usize + 1) << BITS;
}

impl<const BITS: u32> Scale for Binary<BITS> {
    #[inline]
    fn bucket(ns: u64) -> usize {
        let dropped = (u64::BITS - ns.leading_zeros()).saturating_sub(BITS + 1);
        // The highest bit stays in, so that the next power of two continues the numbering.
        ((dropped as usize) << BITS) + (ns >> dropped) as usize
    }

    fn middle(bucket: usize) -> u64 {
        let dropped = (bucket >> BITS).saturating_sub(1);
        let highest_bits = (bucket - (dropped << BITS)) as u64;
        highest_bits << dropped | (1 << dropped) >> 1
    }
}

/// A scale with 64 buckets for each power of ten. The middle of a bucket is off by at most 1.8 %. SQL can compute the same
/// buckets.
#[derive(Clone, Copy, Debug)]
pub struct Decimal;

impl Decimal {
    /// The number of buckets for each power of ten.
    pub const PER_DECADE: f64 = 64.0;
    /// The number of buckets, so that the longest duration is in the last one.
    pub const BUCKETS: usize = 1_234;
}

impl Scale for Decimal {
    fn bucket(ns: u64) -> usize {
        ((ns.max(1) as f64).log10() * Decimal::PER_DECADE) as usize
    }

    fn middle(bucket: usize) -> u64 {
        // Of 0 and 1 ns, which share the first bucket, 0 is the duration of spans without work.
        if bucket == 0 { 0 } else { 10f64.powf((bucket as f64 + 0.5) / Decimal::PER_DECADE) as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: [u64; 13] = [0, 1, 7, 31, 32, 63, 64, 65, 65_537, 1_000_000_007, 1 << 63, u64::MAX - 1, u64::MAX];

    #[test]
    fn every_duration_lies_within_its_bucket() {
        fn check<const BITS: u32>() {
            for ns in SOME {
                let bucket = Binary::<BITS>::bucket(ns);
                let middle = Binary::<BITS>::middle(bucket);
                assert!(bucket < Binary::<BITS>::BUCKETS);
                assert_eq!(Binary::<BITS>::bucket(middle), bucket, "{ns}");
                assert!(middle.abs_diff(ns) <= ns >> (BITS + 1), "{ns} is near {middle}");
            }
            assert_eq!(Binary::<BITS>::bucket(u64::MAX), Binary::<BITS>::BUCKETS - 1);
            assert!((1..10_000).all(|ns| Binary::<BITS>::bucket(ns) - Binary::<BITS>::bucket(ns - 1) <= 1));
        }
        check::<3>();
        check::<5>();
        check::<8>();
    }

    #[test]
    fn the_decimal_bucket_of_a_duration_is_near_it() {
        assert_eq!(Decimal::bucket(u64::MAX), Decimal::BUCKETS - 1);
        for ns in SOME.into_iter().filter(|ns| *ns >= 65_537) {
            let middle = Decimal::middle(Decimal::bucket(ns));
            assert!((middle as f64 / ns as f64 - 1.0).abs() < 0.02, "{ns} is near {middle}");
        }
    }
}
