//! How large a plan may be. The compiler says so with a place in a file; the verifier holds the line for plan files, so that
//! a hostile one costs bounded memory and time to read, and every trace of it to make.

/// Entries of any one table, and of all its rows together (instructions of all blocks, operands of all expressions, ...).
pub const TABLE: usize = 1 << 22;
/// Bytes of one text.
pub const TEXT_BYTES: usize = 1 << 20;
/// Bytes of all texts together.
pub const TEXTS_BYTES: usize = 1 << 26;
pub const SCENARIOS: usize = 1 << 16;
/// Slots of one scenario.
pub const SLOTS: usize = 1 << 16;
/// Spans of one trace.
pub const SPANS: u32 = 10_000;
/// Spans above one another: root 1, its child 2.
pub const CALL_DEPTH: usize = 64;
/// Instructions of one block.
pub const CODE: usize = 1 << 15;
/// Expressions above one another.
pub const EXPR_DEPTH: u16 = 256;
/// Expressions evaluated for one trace of every scenario and for all resources, each as often as it is referred to; the
/// elements of a constant list count too.
pub const EVALUATIONS: u64 = 1 << 24;
/// Bytes of text made for one trace, by the longest way each value can be written. Also holds for all resources together.
pub const TRACE_TEXT_BYTES: u64 = 1 << 28;
/// Length of one delay, ns: 24 h.
pub const DELAY: u64 = 24 * 3_600 * 1_000_000_000;
/// Longest trace, ns; start and duration together stay far from the end of 64 bits.
pub const DURATION: u64 = 1 << 62;
/// `link` instructions of one scenario.
pub const LINKS: u32 = 64;
/// Links one after another: a scenario links to one that links to one ...
pub const LINK_CHAIN: u32 = 3;
/// Candidates made again to find one link: 64, and one for each link wanted.
pub const REPLAYED: u32 = 64 + 1;
/// Spans made for one trace at worst, with all candidates for its links, and for the links of those: a second or two.
pub const REPLAYED_SPANS: u64 = 1 << 24;
/// Digits behind the point of `random.float` and `round`.
pub const DECIMALS: u8 = 15;
/// Characters of `random.hex`, `hex` and `pad`.
pub const WIDTH: u32 = 1_024;
/// Largest `n` of `random.zipf`.
pub const ZIPF_N: u64 = 10_000_000;
/// `random.zipf` expressions: each has a table of a few KB when it runs.
pub const ZIPFS: usize = 1 << 14;
/// Largest exponent of `random.zipf`.
pub const ZIPF_S: f64 = 10.0;
