//! Texts of words, for contents that have a length and no meaning.

use crate::trace::Bytes;

/// Common words of one to eight letters, as many as six bits distinguish.
const WORDS: [&str; 64] = [
    "a", "about", "account", "after", "all", "and", "as", "back", "because", "before", "between", "book", "by", "can",
    "change", "could", "day", "do", "each", "even", "first", "for", "from", "give", "good", "have", "here", "how",
    "if", "into", "it", "just", "know", "last", "like", "look", "make", "many", "most", "new", "no", "now", "of", "on",
    "one", "order", "other", "people", "please", "price", "see", "some", "take", "than", "the", "then", "there",
    "time", "to", "two", "well", "when", "with", "work",
];
/// The number of words from one 64-bit draw.
const A_DRAW: usize = 10;

/// Appends words separated by spaces, cut to `characters` characters, with one draw for every ten words begun.
pub(super) fn put_words(out: &mut Bytes, characters: usize, mut draw: impl FnMut() -> u64) {
    let (mut left, mut bits, mut words) = (characters, 0, 0);
    while left > 0 {
        if words % A_DRAW == 0 {
            bits = draw();
        }
        if words > 0 {
            out.append(b" ");
            left -= 1;
        }
        let word = WORDS[(bits & 63) as usize];
        let whole = word.len().min(left);
        out.append(&word.as_bytes()[..whole]);
        left -= whole;
        bits >>= 6;
        words += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_as_many_characters_as_it_should_and_one_draw_for_ten_words() {
        for characters in [0, 1, 2, 7, 60, 1_000] {
            let (mut out, mut draws) = (Bytes::default(), 0u64);
            put_words(&mut out, characters, || {
                draws += 1;
                0x9e37_79b9_7f4a_7c15u64.wrapping_mul(draws)
            });
            let text = String::from_utf8(out.as_slice().to_vec()).unwrap();
            assert_eq!(text.len(), characters, "{text}");
            assert_eq!(draws, text.split(' ').filter(|_| characters > 0).count().div_ceil(A_DRAW) as u64, "{text}");
        }
    }

    #[test]
    fn words_are_different_and_of_letters() {
        assert!(WORDS.is_sorted_by(|a, b| a < b));
        assert!(WORDS.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase())));
    }
}
