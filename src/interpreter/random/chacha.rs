//! ChaCha8 (D. J. Bernstein, "ChaCha, a variant of Salsa20") for eight streams at a time, one in each lane of the
//! processor's vectors. The draws of neighbouring traces cost a third of what they cost one stream after another.

use multiversion::multiversion;

/// The number of blocks computed together.
pub const LANES: usize = 8;
/// The number of words in a block.
pub const BLOCK: usize = 16;

type Lanes = [u32; LANES];

/// The words of "expand 32-byte k", with which every block begins.
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// Computes block `counter` of the streams from `first` on with `key`. Word k of a stream is `out[k * LANES + lane]`.
#[multiversion(targets("x86_64+avx2"))]
pub fn blocks(key: &[u32; 8], counter: u64, first: u64, out: &mut [u32; BLOCK * LANES]) {
    let streams: [u64; LANES] = std::array::from_fn(|lane| first + lane as u64);
    let input: [Lanes; BLOCK] = std::array::from_fn(|word| match word {
        0..4 => [CONSTANTS[word]; LANES],
        4..12 => [key[word - 4]; LANES],
        12 => [counter as u32; LANES],
        13 => [(counter >> 32) as u32; LANES],
        14 => streams.map(|stream| stream as u32),
        _ => streams.map(|stream| (stream >> 32) as u32),
    });
    let mut x = input;
    for _ in 0..4 {
        for column in 0..4 {
            quarter_round(&mut x, [column, 4 + column, 8 + column, 12 + column]);
        }
        for column in 0..4 {
            quarter_round(&mut x, [column, 4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4]);
        }
    }
    for (word, (x, input)) in x.iter().zip(&input).enumerate() {
        for lane in 0..LANES {
            out[word * LANES + lane] = x[lane].wrapping_add(input[lane]);
        }
    }
}

#[inline(always)]
fn quarter_round(x: &mut [Lanes; BLOCK], [a, b, c, d]: [usize; 4]) {
    add_and_turn(x, a, b, d, 16);
    add_and_turn(x, c, d, b, 12);
    add_and_turn(x, a, b, d, 8);
    add_and_turn(x, c, d, b, 7);
}

/// Adds `from` to `to`, combines the sum with `other` by xor, and rotates the bits of `other`.
#[inline(always)]
fn add_and_turn(x: &mut [Lanes; BLOCK], to: usize, from: usize, other: usize, by: u32) {
    x[to] = std::array::from_fn(|lane| x[to][lane].wrapping_add(x[from][lane]));
    x[other] = std::array::from_fn(|lane| (x[other][lane] ^ x[to][lane]).rotate_left(by));
}
