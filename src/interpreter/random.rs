//! Random numbers: ChaCha8 with a stream for each trace, and the keys that a seed gives.

mod chacha;

use chacha::{BLOCK, LANES};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// The purpose of a key. Every purpose has its own key, so that no two uses of the seed share random bits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Draws,
    Scenarios,
    TraceIds,
    SpanIds,
    Interval,
    Poisson,
    Stable,
    Load,
    Sources,
    Jobs,
    Malform,
}

/// Returns the key for a purpose: the SHA-256 of the purpose's name and the seed.
pub(super) fn key(seed: u64, purpose: Purpose) -> [u8; 32] {
    let name = match purpose {
        Purpose::Draws => "draws",
        Purpose::Scenarios => "scenarios",
        Purpose::TraceIds => "trace ids",
        Purpose::SpanIds => "span ids",
        Purpose::Interval => "interval",
        Purpose::Poisson => "poisson",
        Purpose::Stable => "stable",
        Purpose::Load => "load",
        Purpose::Sources => "sources",
        Purpose::Jobs => "jobs",
        Purpose::Malform => "malform",
    };
    // The NUL byte ends the name, so that no two names and seeds give the same input.
    Sha256::new()
        .chain_update("tracegen 1 ")
        .chain_update(name)
        .chain_update([0])
        .chain_update(seed.to_le_bytes())
        .finalize()
        .into()
}

/// The number of neighbouring streams that are computed together, and of their blocks that are kept; few traces draw more.
const AHEAD: usize = 8;
/// The number of words in as many blocks as are computed together.
const WORDS: usize = BLOCK * LANES;
/// The number of words of a single stream that are computed together, which is the number that `rand_chacha` computes.
const ALONE: usize = 4 * BLOCK;

/// A stream of random words: those of ChaCha8, with streams numbered as in `rand_chacha`.
///
/// Traces are usually made one after another. The streams of eight neighbours are therefore computed together, one block of
/// each when the first of them needs it, and read with a stride. A stream without neighbours is computed by `rand_chacha`.
#[derive(Clone)]
pub(super) struct Random {
    key: [u32; 8],
    stream: u64,
    /// The position of the next word in `words`.
    at: usize,
    /// The distance between the words of the stream in `words`: [`LANES`] for neighbours, otherwise 1.
    stride: usize,
    /// The position of the first word that is not computed yet.
    end: usize,
    /// The first of the neighbouring streams.
    neighbours: u64,
    /// The number of blocks of the neighbours that are computed.
    computed: usize,
    /// The next block of the single stream.
    counter: u64,
    alone: ChaCha8Rng,
    /// [`AHEAD`] blocks of the neighbours, followed by those of the single stream.
    words: Box<[u32; AHEAD * WORDS + ALONE]>,
}

impl Random {
    /// Makes a source of random words with a key, at the beginning of stream 0.
    pub fn new(key: [u8; 32]) -> Self {
        Random {
            key: std::array::from_fn(|i| u32::from_le_bytes(std::array::from_fn(|j| key[4 * i + j]))),
            stream: 0,
            at: 0,
            stride: 1,
            end: 0,
            neighbours: u64::MAX,
            computed: 0,
            counter: 0,
            alone: ChaCha8Rng::from_seed(key),
            words: Box::new([0; AHEAD * WORDS + ALONE]),
        }
    }

    /// Moves to the first word of `stream`.
    #[inline(always)]
    pub fn seek(&mut self, stream: u64) {
        let (first, lane) = (stream - stream % LANES as u64, (stream % LANES as u64) as usize);
        // This stream follows the last one, so its neighbours probably will, too.
        if stream == self.stream.wrapping_add(1) && first != self.neighbours {
            (self.neighbours, self.computed) = (first, 0);
        }
        self.stream = stream;
        if first == self.neighbours {
            (self.at, self.stride, self.end) = (lane, LANES, self.computed * WORDS);
        } else {
            (self.at, self.stride, self.end, self.counter) = (0, 1, 0, 0);
        }
    }

    /// Computes the next block of all neighbours, or the next blocks of the single stream.
    #[cold]
    #[inline(never)]
    fn compute(&mut self) {
        let (neighbours, alone) = self.words.split_at_mut(AHEAD * WORDS);
        if self.stride == LANES && self.computed < AHEAD {
            let out = &mut neighbours.as_chunks_mut().0[self.computed];
            chacha::blocks(&self.key, self.computed as u64, self.neighbours, out);
            self.computed += 1;
            self.end += WORDS;
            return;
        }
        if self.stride == LANES {
            self.counter = AHEAD as u64;
        }
        self.alone.set_stream(self.stream);
        self.alone.set_word_pos(self.counter as u128 * BLOCK as u128);
        alone.fill_with(|| self.alone.next_u32());
        self.counter += (ALONE / BLOCK) as u64;
        (self.at, self.stride, self.end) = (AHEAD * WORDS, 1, AHEAD * WORDS + ALONE);
    }

    #[inline(always)]
    pub fn u32(&mut self) -> u32 {
        if self.at >= self.end {
            self.compute();
        }
        let word = self.words[self.at];
        self.at += self.stride;
        word
    }

    /// Returns a number made of two words, the lower half first.
    #[inline(always)]
    pub fn u64(&mut self) -> u64 {
        let second = self.at + self.stride;
        if second >= self.end {
            return self.u32() as u64 | (self.u32() as u64) << 32;
        }
        let (low, high) = (self.words[self.at], self.words[second]);
        self.at = second + self.stride;
        low as u64 | (high as u64) << 32
    }

    /// Returns a number uniformly distributed over `0..=last`, with one 64-bit draw.
    #[inline(always)]
    pub fn up_to(&mut self, last: u64) -> u64 {
        scaled(self.u64(), last)
    }

    /// Returns a number uniformly distributed over `min..=max`, with one 64-bit draw.
    #[inline(always)]
    pub fn between(&mut self, min: i64, max: i64) -> i64 {
        within(self.u64(), min, max)
    }

    /// Returns a number uniformly distributed over `0..n`, with one 32-bit draw.
    #[inline(always)]
    pub fn below32(&mut self, n: u32) -> u32 {
        ((self.u32() as u64 * n as u64) >> 32) as u32
    }

    /// Returns a number uniformly distributed over the open interval (0, 1), a multiple of 2^-53 plus 2^-54, with one
    /// 64-bit draw.
    #[inline(always)]
    pub fn unit(&mut self) -> f64 {
        unit(self.u64())
    }
}

/// Scales a 64-bit draw to `0..=last` by multiplication and shift.
#[inline(always)]
pub(super) fn scaled(draw: u64, last: u64) -> u64 {
    // The product of the draw and `last + 1` fits into 128 bits.
    ((draw as u128 * last as u128 + draw as u128) >> 64) as u64
}

/// Scales a 64-bit draw to `min..=max`.
#[inline(always)]
pub(super) fn within(draw: u64, min: i64, max: i64) -> i64 {
    min.wrapping_add(scaled(draw, max.wrapping_sub(min) as u64) as i64)
}

/// Scales a 64-bit draw to the open interval (0, 1), as [`Random::unit`] describes.
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
        // Streams without neighbours, next to the last one, back among the neighbours, and across their end; short and long
        // ones.
        let streams = [0, 1, 7, 1 << 40, 3, u64::MAX, 0, 1, 2, 6, 900, 3, 4, 5, 7, 8, 9, u64::MAX - 1, u64::MAX, 0, 8];
        for (i, stream) in streams.into_iter().enumerate() {
            let mut fresh = ChaCha8Rng::from_seed(key);
            fresh.set_stream(stream);
            random.seek(stream);
            for draw in 0..[0, 10, 100, 1_000][i % 4] {
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
        let all = [Draws, Scenarios, TraceIds, SpanIds, Interval, Poisson, Stable, Load, Sources, Jobs, Malform];
        let keys: std::collections::BTreeSet<_> = (0..3).flat_map(|seed| all.map(|p| key(seed, p))).collect();
        assert_eq!(keys.len(), 33);
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
