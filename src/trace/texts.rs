//! The texts of a plan in one buffer, from which they can be copied in strides.

use super::Bytes;
use crate::plan::{Plan, TextId};

/// The texts of a plan, each of which is copied in one or two wide stores. It pays for code that writes many of them.
pub struct Texts {
    row: Bytes,
    /// The offset of each text in the buffer; a text that is not in it has the buffer's end.
    starts: Box<[u32]>,
}

impl Texts {
    /// Collects the texts of a plan that are no longer than `max_len` bytes.
    pub fn new(plan: &Plan, max_len: usize) -> Texts {
        let mut row = Bytes::default();
        let mut start = |text: &String| {
            // The limits of the verifier keep the length of all texts far below 32 bits.
            let start = row.len() as u32;
            row.append(if text.len() <= max_len { text.as_bytes() } else { &[] });
            start
        };
        let starts = plan.texts.iter().map(&mut start).collect();
        Texts { row, starts }
    }

    /// Appends the text with this id, of `len` bytes, to `out` in strides of `N` bytes. There must be room for it.
    #[inline(always)]
    pub fn copy<const N: usize>(&self, out: &mut Bytes, id: TextId, len: usize) {
        out.copy::<N>(self.row.padded(), self.starts[id.index()] as usize, len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture;

    #[test]
    fn every_text_that_is_short_enough_is_copied_unchanged() {
        let plan = fixture::plan();
        for max_len in [usize::MAX, 10] {
            let texts = Texts::new(&plan, max_len);
            for (id, text) in plan.texts.iter().enumerate().filter(|(_, text)| text.len() <= max_len) {
                let mut out = Bytes::default();
                out.room(text.len());
                texts.copy::<64>(&mut out, TextId(id as u32), text.len());
                assert_eq!(out.as_slice(), text.as_bytes());
            }
        }
    }
}
