//! The notice about a store that does not answer.

use crate::store::{DatabaseStatus, StoreError};
use crate::web::format;

/// A notice: which part, why, since when, and what still works.
pub struct Outage {
    pub title: &'static str,
    pub text: String,
    /// Nothing of the page could be read; otherwise the content of the memory is shown.
    pub blank: bool,
}

impl Outage {
    /// Makes a notice, or returns `None` if the selected store answers. `error` is the failure of the page's own question.
    pub fn of(status: &DatabaseStatus, error: Option<&StoreError>, now: u64) -> Option<Outage> {
        let part = status.wanted.as_deref().unwrap_or("Memory");
        match (&status.outage, error) {
            (Some(outage), error) => {
                let since = format::stamp(outage.since, "%H:%M:%S");
                let wait = format::length(outage.next_try.saturating_sub(now).next_multiple_of(1_000_000_000));
                let shown = if error.is_some() {
                    "The engine keeps generating"
                } else {
                    "Shown is what memory keeps meanwhile"
                };
                Some(Outage {
                    title: "ClickHouse is out of reach.",
                    text: format!("{part}: {}, since {since}. {shown}; next try in {wait}.", outage.cause),
                    blank: error.is_some(),
                })
            }
            (None, Some(StoreError::TooLarge(why))) => {
                Some(Outage { title: "That is too much to be shown.", text: format!("{part}: {why}."), blank: true })
            }
            (None, Some(error)) => Some(Outage {
                title: "The store did not answer.",
                text: format!("{part}: {error}. The engine keeps generating; load the page again for another try."),
                blank: true,
            }),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Memory, MemoryLimits, Outage as Cause};

    #[test]
    fn a_notice_names_part_cause_time_and_next_try() {
        let second = 1_000_000_000;
        let mut status = DatabaseStatus {
            wanted: Some("ClickHouse, otel.otel_traces at localhost:8123".into()),
            outage: None,
            memory: Memory::new(MemoryLimits::new(100)).size(),
            written: None,
            counting: None,
        };
        assert!(Outage::of(&status, None, 0).is_none());
        let error = StoreError::Failed("too many parts".into());
        assert!(Outage::of(&status, Some(&error), 0).is_some_and(|o| o.blank && o.text.contains("too many parts")));
        let large = StoreError::TooLarge("more than 64 MiB".into());
        assert!(Outage::of(&status, Some(&large), 0).is_some_and(|o| o.text.ends_with(": more than 64 MiB.")));
        let cause = StoreError::Unreachable("connection refused".into());
        status.outage = Some(Cause { since: 7 * second, cause, tries: 2, next_try: 20 * second });
        let notice = Outage::of(&status, None, 12 * second + 1).unwrap();
        assert_eq!(
            notice.text,
            "ClickHouse, otel.otel_traces at localhost:8123: connection refused, since 00:00:07. Shown is what memory \
             keeps meanwhile; next try in 8 s."
        );
        assert!(!notice.blank);
    }
}
