//! The signals Ctrl-C and SIGTERM, and the signal for a file that may not grow.

use super::{Failure, output};
use std::io;
use std::time::{Duration, Instant};

#[cfg(unix)]
use tokio::signal::unix::Signal as CtrlC;
#[cfg(unix)]
use tokio::signal::unix::Signal as Termination;
#[cfg(windows)]
use tokio::signal::windows::{CtrlC, CtrlClose as Termination};

/// The time within which repeated signals count as one: GNU `timeout` sends its signal to the child, and again to the
/// child's group.
const SAME: Duration = Duration::from_millis(500);

/// Turns the limit of `ulimit -f` into a write error, as with a full disk. By default the signal SIGXFSZ would end the
/// process without an account of the run.
pub fn outlive_file_limits() {
    #[cfg(unix)]
    {
        use signal_hook::{consts::SIGXFSZ, flag};
        use std::sync::{Arc, atomic::AtomicBool};
        // If the signal can't be caught, the default stays.
        let _ = flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
    }
}

/// The signals from the time on when this is made.
pub struct Signals {
    interrupts: CtrlC,
    terminations: Termination,
    /// The time of the last signal that was reported.
    reported: Option<Instant>,
}

impl Signals {
    /// Starts listening. It must be called in a Tokio runtime.
    ///
    /// # Errors
    /// The system reports an error.
    #[cfg(unix)]
    pub fn listen() -> io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        let (interrupts, terminations) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Signals { interrupts, terminations, reported: None })
    }

    #[cfg(windows)]
    pub fn listen() -> io::Result<Signals> {
        use tokio::signal::windows::{ctrl_c, ctrl_close};
        Ok(Signals { interrupts: ctrl_c()?, terminations: ctrl_close()?, reported: None })
    }

    /// Waits for a signal that does not count as one with the previous signal.
    pub async fn next(&mut self) {
        loop {
            tokio::select! {
                _ = self.interrupts.recv() => {}
                _ = self.terminations.recv() => {}
            }
            if self.reported.is_none_or(|reported| reported.elapsed() >= SAME) {
                self.reported = Some(Instant::now());
                return;
            }
        }
    }

    /// Waits for the first signal; the next one ends the process at once.
    pub async fn first(mut self) {
        self.next().await;
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(130);
        });
    }
}

/// Starts a thread that listens for signals.
///
/// # Errors
/// The system gives no thread, or no signals.
pub fn on_thread<F: Future<Output = ()>>(listen: impl FnOnce(Signals) -> F + Send + 'static) -> Result<(), Failure> {
    let failed = |e: io::Error| Failure::impossible(format!("can't listen for signals: {e}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let signals = {
        let _inside = runtime.enter();
        Signals::listen().map_err(failed)?
    };
    let thread = std::thread::Builder::new().name("signals".into());
    thread.spawn(move || runtime.block_on(listen(signals))).map_err(failed)?;
    Ok(())
}

/// Ends the process at the first signal, with a message that says that it was interrupted and what that means.
///
/// # Errors
/// The system gives no thread to listen on.
pub fn end_at_once(means: &'static str) -> Result<(), Failure> {
    on_thread(move |mut signals| async move {
        signals.next().await;
        output::tell(format_args!("\ntracegen: interrupted: {means}\n"));
        std::process::exit(130);
    })
}
