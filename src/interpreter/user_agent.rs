//! User-Agent texts as current browsers and clients send them.

/// A client: its share, the text before the version, the first version, the number of versions, and the text after the
/// version.
type Agent = (u32, &'static str, u32, u32, &'static str);

/// Browsers freeze their platform, and all of their version except its first part.
const AGENTS: [Agent; 12] = [
    (
        34,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/",
        138,
        8,
        ".0.0.0 Safari/537.36",
    ),
    (
        10,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/",
        138,
        8,
        ".0.0.0 Safari/537.36",
    ),
    (
        3,
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/",
        138,
        8,
        ".0.0.0 Safari/537.36",
    ),
    (
        18,
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/",
        138,
        8,
        ".0.0.0 Mobile Safari/537.36",
    ),
    (
        6,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.",
        3,
        4,
        " Safari/605.1.15",
    ),
    (
        12,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.",
        3,
        4,
        " Mobile/15E148 Safari/604.1",
    ),
    (4, "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/", 140, 1, ".0"),
    (
        5,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/",
        138,
        4,
        ".0.0.0",
    ),
    (3, "okhttp/4.", 9, 4, ".0"),
    (2, "curl/8.", 5, 12, ".0"),
    (2, "python-requests/2.", 28, 5, ".0"),
    (1, "Go-http-client/", 2, 1, ".0"),
];

/// Returns the User-Agent that one draw chooses: the text before the version, the version, and the text after it.
pub(super) fn user_agent(draw: u64) -> (&'static str, u32, &'static str) {
    let total: u32 = AGENTS.iter().map(|a| a.0).sum();
    let mut at = (((draw >> 32) * total as u64) >> 32) as u32;
    for &(share, before, first, versions, behind) in &AGENTS {
        if at < share {
            return (before, first + ((draw as u32 as u64 * versions as u64) >> 32) as u32, behind);
        }
        at -= share;
    }
    let (_, before, first, _, behind) = AGENTS[0];
    (before, first, behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_agent_and_version_is_reached() {
        let mut seen = std::collections::BTreeSet::new();
        for draw in 0..200_000u64 {
            seen.insert(user_agent(draw.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        }
        let all: u32 = AGENTS.iter().map(|a| a.3).sum();
        assert_eq!(seen.len(), all as usize);
    }
}
