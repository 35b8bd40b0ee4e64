//! The check of the machine or container: its cores and memory.

use super::report::Finding;
use crate::text::{bytes, count};
use std::fs;

/// The memory in bytes below which it is tight, for a queue to a slow receiver and threads for each core.
const TIGHT: u64 = 256_000_000;

pub fn check() -> Finding {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let cores = count(cores as u64, "core");
    match memory() {
        Some((limit, of)) if limit < TIGHT => {
            let finding = format!("{cores}, {} of memory ({of})", bytes(limit));
            let advice = "lend it more, or run with --threads 1 and a small INMEMORY_MAX_TRACES";
            Finding::note("machine", finding).advise(advice)
        }
        Some((limit, of)) => Finding::ok("machine", format!("{cores}, {} of memory ({of})", bytes(limit))),
        None => Finding::ok("machine", cores),
    }
}

/// Returns the smallest memory limit in bytes, and what it belongs to. It works on Linux only.
fn memory() -> Option<(u64, &'static str)> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let number = |path: &str| read(path)?.trim().parse::<u64>().ok();
    // `max`, and a number near 2^63, mean no limit.
    let of_group =
        number("/sys/fs/cgroup/memory.max").or_else(|| number("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
    let available = read("/proc/meminfo").and_then(|text| available(&text));
    let limits = [(of_group, "the limit of its cgroup"), (available, "free of this machine's")];
    limits.into_iter().filter_map(|(limit, of)| Some((limit?, of))).min()
}

/// Returns `MemAvailable:   1234 kB` in bytes.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_memory_is_parsed() {
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:    2048 kB\n"), Some(2_097_152));
        assert_eq!(available("MemTotal: 9 kB\n"), None);
    }
}
