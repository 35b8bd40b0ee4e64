//! The exporter `clickhouse`, which writes traces as rows of the table of the collector's exporter.

use crate::cli::Failure;
use crate::engine::Closed;
use crate::export::deliver::{Account, DeliveryEvent, Observer};
use crate::export::{BATCH_SPANS, Batch, Encode};
use crate::store::{Connection, Patience, Rows, Writer, WriterFault, WriterOptions, Written};
use crate::trace::{SpanView, View};
use std::time::Duration;

/// The time until a server that never answered is given up, the same as for a collector.
const WAIT: Duration = Duration::from_secs(10);
/// The time until a server that had answered is given up.
const LOST: Duration = Duration::from_secs(300);

/// Starts a writer of rows.
///
/// # Errors
/// The system has no trusted certificates where https is used, or gives no threads.
pub fn start(connection: Connection, wait: Option<Duration>, observer: Observer) -> Result<Writer, Failure> {
    let url = connection.to_string();
    let tell = move |fault: WriterFault| {
        let (url, cause) = (url.clone(), fault.cause.to_string());
        let trying_for = fault.trying_for.unwrap_or(LOST);
        observer(match fault.answered {
            false => DeliveryEvent::Unreachable { url, cause, trying_for },
            true => DeliveryEvent::Lost { url, cause, trying_for },
        });
    };
    let patience = Patience { first: wait.unwrap_or(WAIT), lost: LOST };
    let options = WriterOptions { patience: Some(patience), full: None, observer: Box::new(tell) };
    Writer::start(connection, options).map_err(|e| Failure::impossible(e.to_string()))
}

/// Hands a batch of rows to the writer, and returns its memory.
///
/// # Errors
/// The writer takes nothing more.
pub fn send(writer: &Writer, batch: Batch) -> Result<Option<Vec<u8>>, Closed> {
    let mut rows = Rows { body: batch.body, spans: batch.spans, traces: batch.traces };
    if writer.send(&mut rows) || !writer.is_over() { Ok(Some(rows.body)) } else { Err(Closed) }
}

/// Converts the account of the writer to that of a delivery.
pub fn account(written: Written) -> Account {
    let mut account = Account {
        generated: written.waiting,
        delivered: written.written,
        in_flight: written.waiting,
        resent_unknown: written.again,
        longest_wait_ms: written.longest_wait.as_millis() as u64,
        requests: written.inserts,
        ..Account::default()
    };
    account.generated += account.delivered;
    account.generated += written.total_lost();
    account.undelivered = written.lost;
    if written.retries > 0 {
        account.retries.insert("insert".into(), written.retries);
    }
    account
}

/// An encoder from traces to rows.
#[derive(Default)]
pub struct Encoder {
    rows: Rows,
    spare: Vec<Vec<u8>>,
}

impl Encode for Encoder {
    fn add(&mut self, view: View<'_>, emit: &mut dyn FnMut(Batch)) {
        self.rows.add(view);
        if self.rows.spans >= BATCH_SPANS as u64 {
            self.flush(emit);
        }
    }

    fn add_span(&mut self, span: SpanView<'_>, last: bool, emit: &mut dyn FnMut(Batch)) {
        self.rows.add_span(span, last);
        if self.rows.spans >= BATCH_SPANS as u64 {
            self.flush(emit);
        }
    }

    fn flush(&mut self, emit: &mut dyn FnMut(Batch)) {
        if self.rows.spans > 0 {
            let next = Rows { body: self.spare.pop().unwrap_or_default(), ..Rows::default() };
            let Rows { body, spans, traces } = std::mem::replace(&mut self.rows, next);
            emit(Batch { body, spans, traces });
        }
    }

    fn recycle(&mut self, mut body: Vec<u8>) {
        body.clear();
        self.spare.push(body);
    }
}
