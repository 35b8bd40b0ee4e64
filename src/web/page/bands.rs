//! Bands over charts of time: the incidents that were in force.

use crate::clock;
use crate::web::format;
use crate::web::incidents::Episode;

/// The number of bands whose times are listed beside a chart; the others are drawn alone.
const LISTED: usize = 6;

/// The bands over a chart.
pub struct Bands {
    pub bands: Vec<Band>,
    /// The incidents that are listed, with their times.
    pub listed: Vec<(String, String)>,
    /// The number of those that are not listed.
    pub more: usize,
}

pub struct Band {
    /// The place and the width, in per cent of the chart's.
    pub x: String,
    pub width: String,
    /// The name and the times.
    pub title: String,
}

impl Bands {
    /// Makes the bands of a chart from `from` to `to`, in ns since 1970.
    pub fn new(episodes: &[Episode], from: u64, to: u64) -> Bands {
        let now = clock::now();
        let shown: Vec<&Episode> = episodes.iter().filter(|episode| episode.from < to && episode.to > from).collect();
        let part = |time: u64| time.clamp(from, to).saturating_sub(from) as f64 / to.saturating_sub(from).max(1) as f64;
        let bands = shown.iter().map(|episode| {
            let (x, end) = (part(episode.from), part(episode.to.min(now)));
            Band {
                x: format::percent(x, 1.0),
                // A short one is still seen.
                width: format::percent((end - x).max(0.003), 1.0),
                title: format!("{}, {}", episode.name, times(episode, now)),
            }
        });
        let listed = shown.iter().rev().take(LISTED).map(|episode| (episode.name.clone(), times(episode, now)));
        Bands { bands: bands.collect(), listed: listed.collect(), more: shown.len().saturating_sub(LISTED) }
    }

    /// Returns what is added to the description of a chart.
    pub fn words(&self) -> String {
        match &self.bands[..] {
            [] => String::new(),
            bands => {
                let titles: Vec<&str> = bands.iter().take(LISTED).map(|band| band.title.as_str()).collect();
                format!("; incidents: {}", titles.join("; "))
            }
        }
    }
}

/// Formats the time of an incident: `12:00:00–12:05:00`, or `since 12:00:00`.
pub fn times(episode: &Episode, now: u64) -> String {
    let stamp = |time| format::stamp(time, "%H:%M:%S");
    match episode.to <= now {
        true => format!("{}–{}", stamp(episode.from), stamp(episode.to)),
        false => format!("since {}", stamp(episode.from)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn episode(from: u64, to: u64) -> Episode {
        Episode { name: "slow".into(), from: from * SECOND, to: to * SECOND, services: vec![] }
    }

    #[test]
    fn bands_are_cut_to_the_chart() {
        let all = [episode(0, 5), episode(0, 20), episode(50, 60), episode(90, 200), episode(110, 120)];
        let bands = Bands::new(&all, 10 * SECOND, 110 * SECOND);
        let places: Vec<(&str, &str)> = bands.bands.iter().map(|band| (&band.x[..], &band.width[..])).collect();
        assert_eq!(places, [("0%", "10%"), ("40%", "10%"), ("80%", "20%")]);
        assert_eq!(bands.listed[0], ("slow".into(), "00:01:30–00:03:20".into()));
        assert_eq!(bands.bands[1].title, "slow, 00:00:50–00:01:00");
        assert!(Bands::new(&[], 0, SECOND).words().is_empty());
    }

    #[test]
    fn what_goes_on_has_no_end_yet() {
        let now = clock::now();
        let open = Episode { from: now - 5 * SECOND, to: now + 3_600 * SECOND, ..episode(0, 0) };
        let bands = Bands::new(&[open], now - 10 * SECOND, now);
        assert!(bands.listed[0].1.starts_with("since "));
        assert_eq!((&bands.bands[0].x[..], &bands.bands[0].width[..]), ("50%", "50%"));
    }

    #[test]
    fn of_many_only_some_are_listed() {
        let all: Vec<Episode> = (0..9).map(|at| episode(at * 10, at * 10 + 1)).collect();
        let bands = Bands::new(&all, 0, 100 * SECOND);
        assert_eq!((bands.bands.len(), bands.listed.len(), bands.more), (9, LISTED, 3));
    }
}
