//! The opened destination of a run's traces.

use super::exporter::{Exporter, ExporterFlags};
use super::rows;
use super::terminal::Tree;
use crate::cli::{Failure, database};
use crate::engine::{Closed, Output};
use crate::export::deliver::{Account, Delivery, Monitor, Observer, Options, Standing};
use crate::export::file::{Existing, FileError, FileFormat, FileSink};
use crate::export::target::Protocol;
use crate::export::{Batch, Encode, Json, Protobuf};
use crate::interpreter;
use crate::journal::Destination;
use crate::store::Writer;
use crate::trace::{Amount, Loss};
use parking_lot::Mutex;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// An exporter that is ready to take batches.
pub struct Opened {
    /// The name of the destination for people.
    pub name: String,
    pub destination: Destination,
    pub sink: Sink,
    pub encoder: Box<dyn Fn() -> Box<dyn Encode> + Sync + Send>,
    /// Traces must come in the order of their indices, and batches must not be closed by time.
    pub ordered: bool,
    pub one_thread: bool,
    /// Traces are shown on the terminal on which progress would be drawn.
    pub on_terminal: bool,
}

/// The sink of an exporter.
pub enum Sink {
    Network(Delivery),
    File(Box<Mutex<Written>>),
    ClickHouse(Arc<Writer>),
    None(Box<Mutex<Amount>>),
}

/// A handle for watching and stopping a delivery over a network from other threads.
#[derive(Clone)]
pub enum Watch {
    Collector(Monitor),
    ClickHouse(Arc<Writer>),
}

impl Watch {
    pub fn account(&self) -> Account {
        match self {
            Watch::Collector(monitor) => monitor.account(),
            Watch::ClickHouse(writer) => rows::account(writer.account()),
        }
    }

    /// Returns what is known of a collector.
    pub fn standing(&self) -> Option<Standing> {
        match self {
            Watch::Collector(monitor) => Some(monitor.standing()),
            Watch::ClickHouse(_) => None,
        }
    }

    /// Stops at once.
    pub fn abort(&self) {
        match self {
            Watch::Collector(monitor) => monitor.abort(),
            Watch::ClickHouse(writer) => writer.abort(),
        }
    }
}

/// A file, with the account of what is in it.
pub struct Written {
    sink: Option<FileSink>,
    account: Account,
    /// Each batch is shown as soon as it comes.
    eager: bool,
}

/// Opens the destination that `--exporter` names, or else `default`. `observer` gets messages about a collector.
///
/// # Errors
/// The destination can't be opened.
pub fn open(
    flags: &ExporterFlags,
    default: Exporter,
    interpreter_run: &Arc<interpreter::Run>,
    observer: Observer,
) -> Result<Opened, Failure> {
    let (first, second) = (interpreter_run.clone(), interpreter_run.clone());
    let protobuf = move || Box::new(Protobuf::new(first.plan(), first.resources())) as Box<dyn Encode>;
    let json = move || Box::new(Json::new(second.plan(), second.resources())) as Box<dyn Encode>;
    let opened = |name: String, destination, sink, encoder| Opened {
        name,
        destination,
        sink,
        encoder,
        ordered: false,
        one_thread: false,
        on_terminal: false,
    };
    Ok(match flags.exporter.as_ref().unwrap_or(&default) {
        Exporter::Otlp => {
            let target = flags.target()?;
            let encoder: Box<dyn Fn() -> Box<dyn Encode> + Sync + Send> = match target.protocol {
                Protocol::HttpJson => Box::new(json),
                Protocol::Grpc | Protocol::HttpProtobuf => Box::new(protobuf),
            };
            let (name, destination) = (target.to_string(), Destination::collector(&target));
            let mut options = Options { observer, ..Options::default() };
            options.wait = flags.wait.map_or(options.wait, Duration::from_nanos);
            let delivery = Delivery::start(target, options).map_err(|e| Failure::usage(e.to_string()))?;
            opened(name, destination, Sink::Network(delivery), encoder)
        }
        Exporter::Stdout if std::io::stdout().is_terminal() => {
            let tree = || Box::new(Tree::for_stdout()) as Box<dyn Encode>;
            let sink = Sink::file(FileSink::terminal(), true);
            let opened = opened("stdout".into(), Destination::plain("stdout"), sink, Box::new(tree));
            Opened { one_thread: true, on_terminal: true, ..opened }
        }
        Exporter::Stdout => {
            let sink = Sink::file(open_file(Path::new("-"), Existing::Kept)?, true);
            Opened { ordered: true, ..opened("stdout".into(), Destination::plain("stdout"), sink, Box::new(json)) }
        }
        Exporter::File(path) => {
            let existing = match (flags.append, flags.force) {
                (true, _) => Existing::Continued,
                (false, true) => Existing::Overwritten,
                (false, false) => Existing::Kept,
            };
            let encoder: Box<dyn Fn() -> Box<dyn Encode> + Sync + Send> = match FileFormat::of(path) {
                FileFormat::Protobuf => Box::new(protobuf),
                _ => Box::new(json),
            };
            let to_stdout = path == Path::new("-");
            let name = if to_stdout { "stdout".into() } else { path.display().to_string() };
            let sink = Sink::file(open_file(path, existing)?, to_stdout);
            Opened { ordered: true, ..opened(name, Destination::file(path), sink, encoder) }
        }
        Exporter::ClickHouse => {
            let connection = match &flags.endpoint {
                Some(url) => database::connection_at("--endpoint", url)?,
                None => database::connection()?,
            };
            let (name, destination) = (connection.to_string(), Destination::clickhouse(&connection));
            let writer = rows::start(connection, flags.wait.map(Duration::from_nanos), observer)?;
            let encoder = || Box::new(rows::Encoder::default()) as Box<dyn Encode>;
            opened(name, destination, Sink::ClickHouse(Arc::new(writer)), Box::new(encoder))
        }
        Exporter::None => {
            opened("nowhere".into(), Destination::plain("none"), Sink::None(Box::default()), Box::new(protobuf))
        }
    })
}

fn open_file(path: &Path, existing: Existing) -> Result<FileSink, Failure> {
    FileSink::open(path, existing).map_err(|e| match e.is_misuse() {
        true => Failure::usage(e.to_string()),
        false => Failure::impossible(e.to_string()),
    })
}

impl Sink {
    fn file(sink: FileSink, eager: bool) -> Sink {
        Sink::File(Box::new(Mutex::new(Written { sink: Some(sink), account: Account::default(), eager })))
    }

    /// Returns a handle on the delivery to a collector or a database.
    pub fn watch(&self) -> Option<Watch> {
        match self {
            Sink::Network(delivery) => Some(Watch::Collector(delivery.monitor())),
            Sink::ClickHouse(writer) => Some(Watch::ClickHouse(writer.clone())),
            Sink::File(_) | Sink::None(_) => None,
        }
    }

    /// Waits until everything is delivered, written or given up, and returns the final account.
    pub fn finish(self) -> Account {
        match self {
            Sink::Network(delivery) => delivery.finish(),
            Sink::ClickHouse(writer) => rows::account(writer.finish()),
            Sink::File(written) => written.into_inner().finish(),
            Sink::None(taken) => {
                let taken = taken.into_inner();
                Account { generated: taken, delivered: taken, ..Account::default() }
            }
        }
    }
}

impl Output for Sink {
    fn send(&self, batch: Batch) -> Result<Option<Vec<u8>>, Closed> {
        match self {
            Sink::Network(delivery) => {
                let spare = delivery.send(batch);
                if delivery.monitor().is_over() { Err(Closed) } else { Ok(spare) }
            }
            Sink::ClickHouse(writer) => rows::send(writer, batch),
            Sink::File(written) => written.lock().send(batch),
            Sink::None(taken) => {
                *taken.lock() += batch.amount();
                Ok(Some(emptied(batch)))
            }
        }
    }
}

impl Written {
    fn send(&mut self, batch: Batch) -> Result<Option<Vec<u8>>, Closed> {
        let amount = batch.amount();
        self.account.generated += amount;
        let Some(sink) = &mut self.sink else {
            self.lose(amount, "not written", "");
            return Err(Closed);
        };
        let written = sink.write(&batch).and_then(|()| if self.eager { sink.flush() } else { Ok(()) });
        match written {
            Ok(()) => {
                self.account.delivered += amount;
                self.account.requests += 1;
                self.account.bytes += batch.body.len() as u64;
                Ok(Some(emptied(batch)))
            }
            Err(e) => {
                self.close(e, amount);
                Err(Closed)
            }
        }
    }

    fn finish(mut self) -> Account {
        if let Some(Err(e)) = self.sink.take().map(FileSink::finish) {
            // It is unknown how much of the last bytes was still buffered.
            let delivered = std::mem::take(&mut self.account.delivered);
            self.close(e, delivered);
        }
        self.account
    }

    fn close(&mut self, error: FileError, amount: Amount) {
        self.sink = None;
        let cause = if error.is_broken_pipe() { "reader gone" } else { "not written" };
        self.lose(amount, cause, &error.to_string());
    }

    fn lose(&mut self, amount: Amount, cause: &str, message: &str) {
        let loss = self.account.undelivered.entry(cause.into());
        loss.or_insert_with(|| Loss { message: message.into(), ..Loss::default() }).amount += amount;
    }
}

fn emptied(batch: Batch) -> Vec<u8> {
    let mut body = batch.body;
    body.clear();
    body
}
