//! Limits on the size of plans. The compiler reports a violation with a place in a scenario file. The verifier checks the
//! limits of plan files, so that even a hostile one takes limited memory and time to read, and to make a trace from.

/// The maximum number of entries in any table, and in all lists of the table together (instructions of all blocks, operands
/// of all expressions, ...).
pub const TABLE: usize = 1 << 22;
/// The maximum size of a text in bytes.
pub const TEXT_BYTES: usize = 1 << 20;
/// The maximum size of all texts together in bytes.
pub const TEXTS_BYTES: usize = 1 << 26;
/// The maximum number of scenarios in a plan.
pub const SCENARIOS: usize = 1 << 16;
/// The maximum number of slots in a scenario.
pub const SLOTS: usize = 1 << 16;
/// The maximum number of spans in a trace, which is limited by span ids.
pub const SPANS: u32 = 1 << 16;
/// The maximum number of blocks in a scenario.
pub const BLOCKS: usize = 10_000;
/// The maximum number of instructions executed for a trace, including those of groups, each counted as often as it can run.
pub const STEPS: u64 = 1 << 24;
/// The maximum time between two attempts in ns: one hour.
pub const BACKOFF: u64 = 3_600 * 1_000_000_000;
/// The maximum number of attempts of a turn.
pub const ATTEMPTS: u32 = 20;
/// The maximum number of turns of a call.
pub const TURNS: u32 = 10_000;
/// The maximum number of levels of spans; a root counts as 1, its child as 2.
pub const CALL_DEPTH: usize = 64;
/// The maximum number of instructions in a block.
pub const CODE: usize = 1 << 15;
/// The maximum number of levels of expressions.
pub const EXPR_DEPTH: u16 = 256;
/// The maximum number of expressions evaluated for one trace of every scenario and for all resources together. Each counts
/// as often as it is referred to, and so do the elements of constant lists.
pub const EVALUATIONS: u64 = 1 << 24;
/// The maximum size in bytes of the texts made for a trace, if every value is written in the longest possible way. The
/// limit also applies to all resources together.
pub const TRACE_TEXT_BYTES: u64 = 1 << 28;
/// The maximum number of incidents.
pub const INCIDENTS: usize = 1 << 10;
/// The maximum length of an incident's window, and of the time to the next one, in ns: a year.
pub const WINDOW: u64 = 366 * 24 * 3_600 * 1_000_000_000;
/// The maximum delay in ns: 24 h.
pub const DELAY: u64 = 24 * 3_600 * 1_000_000_000;
/// The limit below which the duration of a trace in ns lies, so that the sum of start and duration fits easily into 64
/// bits.
pub const DURATION: u64 = 1 << 62;
/// The maximum number of `link` instructions in a scenario.
pub const LINKS: u32 = 64;
/// The maximum length of a chain of scenarios in which each links to the next one.
pub const LINK_CHAIN: u32 = 3;
/// The maximum number of spans to which one `link` instruction links.
pub const LINKED: u32 = 1_000;
/// The maximum number of candidates that are made again to find links, in addition to one for each link wanted.
pub const REPLAYED: u32 = 64;
/// The maximum number of spans that are made for one trace, including all candidates for its links and for the links of
/// those. They take a second or two.
pub const REPLAYED_SPANS: u64 = 1 << 24;
/// The maximum number of malformations of a plan.
pub const MALFORMATIONS: usize = 1_000;
/// The coarsest resolution of a service's clock in ns: one minute.
pub const RESOLUTION: u64 = 60 * 1_000_000_000;
/// The maximum number of levels of lists and maps.
pub const NESTING: usize = 15;
/// The maximum number of decimals of `random.float` and `round`.
pub const DECIMALS: u8 = 15;
/// The maximum number of characters of `random.hex`, `hex` and `pad`.
pub const WIDTH: u32 = 1_024;
/// The maximum `n` of `random.zipf`.
pub const ZIPF_N: u64 = 10_000_000;
/// The maximum number of `random.zipf` expressions; each has a table of a few KB when it runs.
pub const ZIPFS: usize = 1 << 14;
/// The maximum exponent of `random.zipf`.
pub const ZIPF_S: f64 = 10.0;
/// The longest time in a source of traces in ns: 100 years.
pub const LOAD_TIME: u64 = 100 * 366 * 86_400 * 1_000_000_000;
/// The shortest time between two starts of a scheduled job in ns: 1 ms.
pub const JOB_EVERY: u64 = 1_000_000;
/// The maximum number of traces a second of all sources together, each at its peak.
pub const LOAD_RATE: f64 = 1e8;
/// The maximum number of stretches of time in which the rate of a source changes evenly, until they repeat.
pub const RATE_CHANGES: u128 = 100_000;
