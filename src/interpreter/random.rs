//! Draws: ChaCha8 (D. J. Bernstein, "ChaCha, a variant of Salsa20"), one stream a trace, and the keys that a seed gives.

use rand_chacha::{ChaCha8Core, ChaCha8Rng};
use rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// What a key is for. Each purpose has its own, so that no two uses of the seed share a bit.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Draws,
    Scenarios,
    TraceIds,
    SpanIds,
    Interval,
    Poisson,
    Stable,
}

/// SHA-256 of a name of the purpose and the seed.
pub(super) fn key(seed: u64, purpose: Purpose) -> [u8; 32] {
    let name = match purpose {
        Purpose::Draws => "draws",
        Purpose::Scenarios => "scenarios",
        Purpose::TraceIds => "trace ids",
        Purpose::SpanIds => "span ids",
        Purpose::Interval => "interval",
        Purpose::Poisson => "poisson",
        Purpose::Stable => "stable",
    };
    // the NUL ends the name, so that no name and seed run into another's
    Sha256::new()
        .chain_update("tracegen 1 ")
        .chain_update(name)
        .chain_update([0])
        .chain_update(seed.to_le_bytes())
        .finalize()
        .into()
}

/// A stream of random words.
#[derive(Clone)]
pub(super) struct Random {
    stream: ChaCha8Rng,
    /// The key, at the beginning of stream 0.
    beginning: ChaCha8Core,
}

impl Random {
    pub fn new(key: [u8; 32]) -> Self {
        Random { stream: ChaCha8Rng::from_seed(key), beginning: ChaCha8Core::from_seed(key) }
    }

    /// Go on with the first word of `stream`.
    #[inline(always)]
    pub fn seek(&mut self, stream: u64) {
        // faster than `set_word_pos(0)`, and no block is computed before it is drawn from
        self.stream = ChaCha8Rng::from(self.beginning.clone());
        self.stream.set_stream(stream);
    }

    #[inline(always)]
    pub fn u32(&mut self) -> u32 {
        self.stream.next_u32()
    }

    #[inline(always)]
    pub fn u64(&mut self) -> u64 {
        self.stream.next_u64()
    }

    /// Uniform over `0..=last`. One 64-bit draw.
    #[inline(always)]
    pub fn up_to(&mut self, last: u64) -> u64 {
        scaled(self.u64(), last)
    }

    /// Uniform over `min..=max`. One 64-bit draw.
    #[inline(always)]
    pub fn between(&mut self, min: i64, max: i64) -> i64 {
        within(self.u64(), min, max)
    }

    /// Uniform over `0..n`. One 32-bit draw.
    #[inline(always)]
    pub fn below32(&mut self, n: u32) -> u32 {
        ((self.u32() as u64 * n as u64) >> 32) as u32
    }

    /// Uniform in the open interval (0, 1), a multiple of 2^-53 plus 2^-54. One 64-bit draw.
    #[inline(always)]
    pub fn unit(&mut self) -> f64 {
        unit(self.u64())
    }
}

/// A 64-bit draw scaled to `0..=last` by multiply and shift.
#[inline(always)]
fn scaled(draw: u64, last: u64) -> u64 {
    // draw (last + 1), which fits
    ((draw as u128 * last as u128 + draw as u128) >> 64) as u64
}

/// A 64-bit draw scaled to `min..=max`.
#[inline(always)]
pub(super) fn within(draw: u64, min: i64, max: i64) -> i64 {
    min.wrapping_add(scaled(draw, max.wrapping_sub(min) as u64) as i64)
}

/// See [`Random::unit`].
#[inline(always)]
pub(super) fn unit(draw: u64) -> f64 {
    ((draw >> 12) as f64 + 0.5) * (1.0 / (1u64 << 52) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_begins_anew_wherever_the_last_one_ended() {
        let key = key(42, Purpose::Draws);
        let mut random = Random::new(key);
        for stream in [0, 1, 7, 1 << 40, 3, u64::MAX, 0] {
            let mut fresh = ChaCha8Rng::from_seed(key);
            fresh.set_stream(stream);
            random.seek(stream);
            for draw in 0..100 {
                if draw % 3 == 0 {
                    assert_eq!(random.u32(), fresh.next_u32(), "stream {stream}, draw {draw}");
                } else {
                    assert_eq!(random.u64(), fresh.next_u64(), "stream {stream}, draw {draw}");
                }
            }
        }
    }

    #[test]
    fn keys_differ_by_purpose_and_by_seed() {
        use Purpose::*;
        let all = [Draws, Scenarios, TraceIds, SpanIds, Interval, Poisson, Stable];
        let keys: std::collections::BTreeSet<_> = (0..3).flat_map(|seed| all.map(|p| key(seed, p))).collect();
        assert_eq!(keys.len(), 21);
    }

    #[test]
    fn ranges_reach_both_ends_and_no_further() {
        let mut random = Random::new([3; 32]);
        let mut seen = [0u32; 4];
        for _ in 0..1000 {
            let v = random.between(-2, 1);
            seen[(v + 2) as usize] += 1;
        }
        assert!(seen.iter().all(|&n| n > 150), "{seen:?}");
        let (mut low, mut high) = (false, false);
        for _ in 0..1000 {
            let v = random.between(i64::MIN, i64::MAX);
            low |= v < i64::MIN / 2;
            high |= v > i64::MAX / 2;
        }
        assert!(low && high);
        assert_eq!(random.between(7, 7), 7);
        assert!(unit(0) > 0.0 && unit(u64::MAX) < 1.0);
    }
}
