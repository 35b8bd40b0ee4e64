//! The supervision of a run: progress, signals, and messages about the collector.

use super::Run;
use super::outlet::{Opened, Sink, Watch};
use super::progress::Display;
use crate::cli::clock_watch::ClockWatch;
use crate::cli::output::say;
use crate::cli::recent::Recent;
use crate::cli::timing::Timing;
use crate::cli::{Failure, metrics, signal};
use crate::clock;
use crate::engine::{self, Ended, Figures, Job, Progress, Stop};
use crate::export::deliver::{Account, DeliveryEvent, Observer};
use crate::journal::Ending;
use crate::telemetry::{self, Metric, RunState};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// The time allowed for delivering what was generated before an interruption.
const DRAIN: Duration = Duration::from_secs(10);
const REDRAW: Duration = Duration::from_millis(100);

/// The outcome of a run.
pub struct Outcome {
    pub account: Account,
    pub figures: Figures,
    /// The time from the first trace to the last acknowledgement.
    pub took: Duration,
    /// A signal ended the run.
    pub interrupted: bool,
    pub ending: Ending,
}

impl Outcome {
    /// Reports whether something is rejected or undelivered. It is no loss if a reader of stdout has seen enough.
    pub fn lost(&self) -> bool {
        let undelivered = self.account.undelivered.iter().any(|(cause, _)| cause != "reader gone");
        undelivered || !self.account.rejected.is_empty()
    }
}

/// A message to the supervising thread.
pub enum Message {
    Event(DeliveryEvent),
    /// Another message for the user.
    Note(String),
    Signal,
    /// Everything is generated, and only delivery goes on.
    Generated,
    Done(Box<Outcome>),
}

/// The channel for messages of a run. The delivery sends from its start on.
pub struct Messages {
    send: Sender<Message>,
    receive: Receiver<Message>,
}

impl Messages {
    pub fn new() -> Messages {
        let (send, receive) = channel();
        Messages { send, receive }
    }

    pub fn observer(&self) -> Observer {
        let send = self.send.clone();
        // The receiver may be gone already.
        Box::new(move |event| drop(send.send(Message::Event(event))))
    }
}

/// Runs the job to its end. `metrics` selects the export of the run's own metrics.
///
/// # Errors
/// The metrics can't be exported, signals can't be received, or generation broke off.
pub fn run(
    run: &Run,
    job: &Job,
    opened: Opened,
    timing: &Timing,
    messages: Messages,
    metrics: Option<metrics::Wanted>,
) -> Result<Outcome, Failure> {
    let Opened { sink, encoder, on_terminal, name, .. } = opened;
    let Messages { send, receive } = messages;
    let (stop, progress) = (Stop::default(), Arc::new(Progress::default()));
    let watch = sink.watch();
    let note = send.clone();
    let tell = move |text| drop(note.send(Message::Note(text)));
    let read = figures(progress.clone(), watch.clone(), timing.target);
    let telemetry = metrics.map(|wanted| wanted.start(tell, read)).transpose()?;
    let mut display = Display::new(run, job, timing, on_terminal);
    listen_for_signals(send.clone())?;
    std::thread::scope(|scope| {
        let (stop, progress) = (&stop, &*progress);
        let work = move || {
            let began = Instant::now();
            let (ended, ending) = engine::generate(job, &*encoder, &sink, progress, stop);
            let _ = send.send(Message::Generated);
            let account = Sink::finish(sink);
            let outcome = Outcome {
                account,
                figures: progress.figures(),
                took: began.elapsed(),
                interrupted: ended == Ended::Stopped,
                ending,
            };
            let _ = send.send(Message::Done(Box::new(outcome)));
        };
        scope.spawn(work);
        let mut signals = 0;
        let mut deadline = None;
        let mut clock = ClockWatch::default();
        loop {
            match receive.recv_timeout(REDRAW) {
                Ok(Message::Event(event)) => display.event(run, &event, &name),
                Ok(Message::Note(note)) => display.say(&note),
                Ok(Message::Generated) => display.generated(),
                Ok(Message::Signal) => {
                    signals += 1;
                    stop.set(&*job.clock);
                    if signals == 1 {
                        display.say("stopping; ended traces are still delivered (signal again to stop at once)");
                        deadline = Some(Instant::now() + DRAIN);
                    } else {
                        deadline = Some(Instant::now());
                    }
                }
                Ok(Message::Done(mut outcome)) => {
                    outcome.interrupted |= signals > 1;
                    if let Some(telemetry) = telemetry {
                        telemetry.finish();
                    }
                    for message in receive.try_iter() {
                        if let Message::Note(note) = message {
                            display.say(&note);
                        }
                    }
                    display.finish();
                    return Ok(*outcome);
                }
                Err(RecvTimeoutError::Timeout) => {}
                // The worker always sends `Done` at its end.
                Err(RecvTimeoutError::Disconnected) => return Err(Failure::impossible("generation broke off")),
            }
            if deadline.is_some_and(|at| at <= Instant::now()) {
                match &watch {
                    Some(watch) => watch.abort(),
                    // The worker is blocked in a write to a reader that does not read, so there is nothing to wait for.
                    None if signals > 1 => {
                        let Figures { traces, spans, .. } = progress.figures();
                        display.finish();
                        say(format_args!("stopped at once after {traces} traces, {spans} spans"));
                        std::process::exit(130);
                    }
                    None => {}
                }
            }
            if let Some(news) = clock.news() {
                display.say(&news);
            }
            display.update(&progress.figures(), watch.as_ref());
        }
    })
}

/// Returns the function that collects the metrics of a run.
fn figures(
    progress: Arc<Progress>,
    watch: Option<Watch>,
    target_rate: Option<f64>,
) -> impl Fn() -> Vec<Metric> + Send + Sync {
    let began = clock::now();
    let recent = Mutex::new(Recent::new(Duration::from_secs(10)));
    move || {
        let figures = progress.figures();
        let achieved_rate = recent.lock().rate(figures.traces);
        let export = watch.as_ref().map(|watch| (watch.account(), watch.standing()));
        telemetry::of_run(&RunState { began, figures, target_rate, achieved_rate, export })
    }
}

/// Forwards Ctrl-C and SIGTERM.
fn listen_for_signals(sender: Sender<Message>) -> Result<(), Failure> {
    signal::on_thread(move |mut signals| async move {
        loop {
            signals.next().await;
            if sender.send(Message::Signal).is_err() {
                return;
            }
        }
    })
}
