//! Values that depend on nothing but a text and the seed: they are the same in every trace and with every plan.

use super::random::{Purpose, key};
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

/// The kind of value, so that for example a text's UUID and its address have nothing in common.
#[derive(Clone, Copy, Debug)]
pub(super) enum Use {
    Uuid,
    Hex,
    Ipv4,
    Pick,
}

/// The source of stable values: the SHA-256 of the seed's key, the use, a counter and the text.
#[derive(Clone)]
pub(super) struct Stable {
    key: [u8; 32],
}

/// The number of bytes before the text: those of the key, the use and the counter.
const HEAD: usize = 32 + 1 + 4;
/// The maximum length of a text that fits in one block of SHA-256 together with the head, a one bit, and eight bytes for
/// the length.
const SHORT: usize = 64 - 8 - 1 - HEAD;
/// The initial state of SHA-256 (FIPS 180-4, section 5.3.3).
const BEGINNING: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

impl Stable {
    pub fn new(seed: u64) -> Self {
        Stable { key: key(seed, Purpose::Stable) }
    }

    /// Returns the 256 bits with number `block` for `text`.
    pub fn words(&self, r#use: Use, block: u32, text: &[u8]) -> [u64; 4] {
        let mut message = [0; 64];
        message[..32].copy_from_slice(&self.key);
        message[32] = r#use as u8;
        message[33..HEAD].copy_from_slice(&block.to_le_bytes());
        if text.len() > SHORT {
            let digest = Sha256::new().chain_update(&message[..HEAD]).chain_update(text).finalize();
            return std::array::from_fn(|i| u64::from_le_bytes(std::array::from_fn(|j| digest[i * 8 + j])));
        }
        // Hashing a message that is assembled here costs half as much.
        let end = HEAD + text.len();
        message[HEAD..end].copy_from_slice(text);
        message[end] = 0x80;
        message[56..].copy_from_slice(&(8 * end as u64).to_be_bytes());
        let mut state = BEGINNING;
        compress256(&mut state, &[message]);
        std::array::from_fn(|i| {
            let (first, second) = (state[2 * i].swap_bytes(), state[2 * i + 1].swap_bytes());
            first as u64 | (second as u64) << 32
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_hash_of_key_use_block_and_text() {
        let (stable, text) = (Stable::new(42), "a text of more than one block, and all that it begins with");
        for len in 0..text.len() {
            let digest = Sha256::new().chain_update(key(42, Purpose::Stable)).chain_update([Use::Ipv4 as u8]);
            let digest = digest.chain_update(7u32.to_le_bytes()).chain_update(&text[..len]).finalize();
            let words = stable.words(Use::Ipv4, 7, &text.as_bytes()[..len]).map(u64::to_le_bytes);
            assert_eq!(words.as_flattened(), &digest[..], "{len} bytes");
        }
    }
}
