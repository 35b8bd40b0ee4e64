//! How large a plan may be. The compiler says so with a place in a file; the verifier holds the line for plan files, so that
//! a hostile one costs bounded memory and time to read, and every trace of it to make.

/// The most entries of any one table, and of all its rows together (instructions of all blocks, operands of all expressions, ...).
pub const TABLE: usize = 1 << 22;
/// The most bytes of one text.
pub const TEXT_BYTES: usize = 1 << 20;
/// The most bytes of all texts together.
pub const TEXTS_BYTES: usize = 1 << 26;
/// The most scenarios of a plan.
pub const SCENARIOS: usize = 1 << 16;
/// The most slots of one scenario.
pub const SLOTS: usize = 1 << 16;
/// The most spans of one trace: as many as a span id counts.
pub const SPANS: u32 = 1 << 16;
/// The most blocks of one scenario.
pub const BLOCKS: usize = 10_000;
/// The most instructions run for one trace, those of groups too, each as often as it can be.
pub const STEPS: u64 = 1 << 24;
/// The longest time between two attempts, ns: an hour.
pub const BACKOFF: u64 = 3_600 * 1_000_000_000;
/// The most attempts of one turn.
pub const ATTEMPTS: u32 = 20;
/// The most turns of one call.
pub const TURNS: u32 = 10_000;
/// The most spans above one another: a root counts 1, its child 2.
pub const CALL_DEPTH: usize = 64;
/// The most instructions of one block.
pub const CODE: usize = 1 << 15;
/// The most expressions above one another.
pub const EXPR_DEPTH: u16 = 256;
/// The most expressions evaluated for one trace of every scenario and for all resources together, each as often as it is referred
/// to; the elements of a constant list count too.
pub const EVALUATIONS: u64 = 1 << 24;
/// The most bytes of text made for one trace, by the longest way each value can be written. The limit also holds for all resources
/// together.
pub const TRACE_TEXT_BYTES: u64 = 1 << 28;
/// The longest delay, ns: 24 h.
pub const DELAY: u64 = 24 * 3_600 * 1_000_000_000;
/// No trace lasts as long as this, ns; start and duration together stay far from the end of 64 bits.
pub const DURATION: u64 = 1 << 62;
/// The most `link` instructions of one scenario.
pub const LINKS: u32 = 64;
/// The most links one after another: a scenario links to one that links to one ...
pub const LINK_CHAIN: u32 = 3;
/// The most spans that one `link` instruction links to.
pub const LINKED: u32 = 1_000;
/// The most candidates that are made again to find links, besides one for each link wanted.
pub const REPLAYED: u32 = 64;
/// The most spans that are made for one trace, with all candidates for its links, and for the links of those: they take a second
/// or two.
pub const REPLAYED_SPANS: u64 = 1 << 24;
/// The most lists and maps in each other.
pub const NESTING: usize = 15;
/// The most digits behind the point of `random.float` and `round`.
pub const DECIMALS: u8 = 15;
/// The most characters of `random.hex`, `hex` and `pad`.
pub const WIDTH: u32 = 1_024;
/// The largest `n` of `random.zipf`.
pub const ZIPF_N: u64 = 10_000_000;
/// The most `random.zipf` expressions: each has a table of a few KB when it runs.
pub const ZIPFS: usize = 1 << 14;
/// The largest exponent of `random.zipf`.
pub const ZIPF_S: f64 = 10.0;
