//! The texts of a plan, in a row that they can be copied from in strides.

use super::Bytes;
use crate::plan::{Plan, TextId};

/// Texts of a plan, each of which is copied in one or two wide stores. Whoever writes many of them has such a row.
pub struct Texts {
    row: Bytes,
    /// By text: where it stands in the row; a text that is not in it has the row's end.
    starts: Box<[u32]>,
}

impl Texts {
    /// The texts of a plan that are no longer than `most` bytes.
    pub fn new(plan: &Plan, most: usize) -> Texts {
        let mut row = Bytes::default();
        let mut start = |text: &String| {
            // The verifier's limits keep all texts together far below 32 bits.
            let start = row.len() as u32;
            row.append(if text.len() <= most { text.as_bytes() } else { &[] });
            start
        };
        let starts = plan.texts.iter().map(&mut start).collect();
        Texts { row, starts }
    }

    /// Appends the text with this id, of `len` bytes, to `out` in strides of `N` bytes; room for it was made before.
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
    fn every_text_that_is_short_enough_is_copied_as_it_is() {
        let plan = fixture::plan();
        for most in [usize::MAX, 10] {
            let texts = Texts::new(&plan, most);
            for (id, text) in plan.texts.iter().enumerate().filter(|(_, text)| text.len() <= most) {
                let mut out = Bytes::default();
                out.room(text.len());
                texts.copy::<64>(&mut out, TextId(id as u32), text.len());
                assert_eq!(out.as_slice(), text.as_bytes());
            }
        }
    }
}
