//! Events that a person wants to know of while a delivery runs.

use std::{fmt, time::Duration};

/// The maximum time to wait for a target, so that sums of times do not overflow.
pub(super) const LONGEST_PATIENCE: Duration = Duration::from_secs(365 * 86_400);

/// An event of a delivery. Each kind is reported once an outage or once a cause, never once a request.
#[derive(Clone, Debug, PartialEq)]
pub enum DeliveryEvent {
    /// The first requests failed, and nothing has answered yet.
    Unreachable { url: String, cause: String, trying_for: Duration },
    /// The target had answered, and now accepts nothing.
    Lost { url: String, cause: String, trying_for: Duration },
    /// The target answers again after `Unreachable` or `Lost`.
    Recovered { url: String, after: Duration },
    /// The target was given up: everything from now on is undelivered.
    GaveUp { url: String, cause: String },
    /// The target rejected spans; reported for the first rejection with its cause.
    Rejected { url: String, cause: String },
    /// The target accepted everything, with a message; reported for the first such message.
    Warned { url: String, message: String },
}

/// The receiver of events. It is called on a thread of the delivery, and must not block.
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

/// Returns ` for 10 s`, or nothing if the time has no end.
fn until(trying_for: Duration) -> String {
    if trying_for > LONGEST_PATIENCE / 2 {
        return String::new();
    }
    format!(" for {} s", trying_for.as_secs_f64().ceil())
}
