//! Values that depend on a text and the seed alone: the same in every trace, whatever the plan is.

use super::random::{Purpose, key};
use sha2::{Digest, Sha256};

/// What the value is for, so that a text's UUID says nothing about its address.
#[derive(Clone, Copy, Debug)]
pub(super) enum Use {
    Uuid,
    Hex,
    Ipv4,
    Pick,
}

/// SHA-256 of the seed's key, the use, a counter and the text.
#[derive(Clone)]
pub(super) struct Stable {
    keyed: Sha256,
}

impl Stable {
    pub fn new(seed: u64) -> Self {
        Stable { keyed: Sha256::new().chain_update(key(seed, Purpose::Stable)) }
    }

    /// The `block`th 256 bits for `text`.
    pub fn words(&self, r#use: Use, block: u32, text: &[u8]) -> [u64; 4] {
        let digest = self
            .keyed
            .clone()
            .chain_update([r#use as u8])
            .chain_update(block.to_le_bytes())
            .chain_update(text)
            .finalize();
        std::array::from_fn(|i| u64::from_le_bytes(std::array::from_fn(|j| digest[i * 8 + j])))
    }
}
