//! What a person wants to know while a delivery runs.

use std::{fmt, time::Duration};

/// The longest that a target is waited for: with more, a sum of times could overflow.
pub(super) const LONGEST_PATIENCE: Duration = Duration::from_secs(365 * 86_400);

/// Each kind is told once an outage, or once a cause: never once a request.
#[derive(Clone, Debug, PartialEq)]
pub enum DeliveryEvent {
    /// The first requests failed; nothing has answered yet.
    Unreachable { url: String, cause: String, trying_for: Duration },
    /// It had answered, and now takes nothing.
    Lost { url: String, cause: String, trying_for: Duration },
    /// After `Unreachable` or `Lost`.
    Recovered { url: String, after: Duration },
    /// Everything from now on is undelivered.
    GaveUp { url: String, cause: String },
    /// The first of its cause.
    Rejected { url: String, cause: String },
    /// The receiver took everything, and says something all the same. The first only.
    Warned { url: String, message: String },
}

/// Gets the events, on a thread of the delivery's own; must not block.
pub type Observer = Box<dyn Fn(DeliveryEvent) + Send + Sync>;

impl fmt::Display for DeliveryEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeliveryEvent::Unreachable { url, cause, trying_for } => {
                write!(f, "nothing answers at {url} ({cause}), trying again{}", until(*trying_for))
            }
            DeliveryEvent::Lost { url, cause, trying_for } => {
                write!(f, "{url} takes nothing more ({cause}), trying again{}", until(*trying_for))
            }
            DeliveryEvent::Recovered { url, after } => {
                write!(f, "{url} answers again after {:.1} s", after.as_secs_f64())
            }
            DeliveryEvent::GaveUp { url, cause } => write!(f, "gave up on {url} ({cause})"),
            DeliveryEvent::Rejected { url, cause } => write!(f, "{url} rejects spans ({cause})"),
            DeliveryEvent::Warned { url, message } => write!(f, "{url} warns: {message}"),
        }
    }
}

/// ` for 10 s`; nothing where patience has no end.
fn until(trying_for: Duration) -> String {
    if trying_for > LONGEST_PATIENCE / 2 {
        return String::new();
    }
    format!(" for {} s", trying_for.as_secs_f64().ceil())
}
