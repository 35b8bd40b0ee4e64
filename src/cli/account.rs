//! The account of a delivery as text for people.

use crate::export::deliver::Account;
use crate::text::{count, duration, grouped};
use crate::trace::Loss;

/// Returns the lines of the account, in spans and by cause.
pub fn lines(account: &Account) -> Vec<String> {
    let mut lines = vec![];
    let figures = [
        ("delivered", account.delivered.spans),
        ("rejected", account.total_rejected().spans),
        ("undelivered", account.total_undelivered().spans),
    ];
    let width = figures.iter().map(|(_, n)| grouped(*n).len()).max().unwrap_or(0).max(9);
    for (name, n) in figures {
        lines.push(format!("  {name:<12} {:>width$}", grouped(n)));
        let losses = match name {
            "rejected" => &account.rejected,
            "undelivered" => &account.undelivered,
            _ => continue,
        };
        lines.extend(losses.iter().map(|(cause, loss)| cause_line(cause, loss, width)));
    }
    if !account.retries.is_empty() {
        let causes: Vec<&str> = account.retries.keys().map(String::as_str).collect();
        lines.push(format!(
            "  {:<12} {} ({}), longest wait {}",
            "retried",
            count(account.retries.values().sum(), "request"),
            causes.join(", "),
            duration(account.longest_wait_ms * 1_000_000),
        ));
    }
    if account.resent_unknown.spans > 0 {
        lines.push(format!(
            "  {:<12} {:>width$} sent again after an unknown outcome, may be there twice",
            "resent",
            grouped(account.resent_unknown.spans)
        ));
    }
    lines
}

fn cause_line(cause: &str, loss: &Loss, width: usize) -> String {
    let message = if loss.message.is_empty() { String::new() } else { format!(": {}", loss.message) };
    format!("  {:<12} {:>width$} {cause}{message}", "", grouped(loss.amount.spans))
}
