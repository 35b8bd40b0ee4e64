//! Ctrl-C and SIGTERM, and the signal of a file that may not grow.

use super::{Failure, output};
use std::io;
use std::time::{Duration, Instant};

#[cfg(unix)]
use tokio::signal::unix::Signal as CtrlC;
#[cfg(unix)]
use tokio::signal::unix::Signal as Termination;
#[cfg(windows)]
use tokio::signal::windows::{CtrlC, CtrlClose as Termination};

/// Signals that come so soon after one are the same: GNU `timeout` sends its own to the child and once more to the child's group.
const SAME: Duration = Duration::from_millis(500);

/// Lets a file that has reached the limit of `ulimit -f` be an error of the write, as a full disk is: untouched, the signal
/// that comes with it (SIGXFSZ) ends the process, and no account of the run is left.
pub fn outlive_file_limits() {
    #[cfg(unix)]
    {
        use signal_hook::{consts::SIGXFSZ, flag};
        use std::sync::{Arc, atomic::AtomicBool};
        // Where it can't be caught, it is as it was.
        let _ = flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
    }
}

/// Both, from when this is made on.
pub struct Signals {
    interrupts: CtrlC,
    terminations: Termination,
    /// When the last one came that was told.
    told: Option<Instant>,
}

impl Signals {
    /// Within a runtime of tokio's.
    ///
    /// # Errors
    /// The system's.
    #[cfg(unix)]
    pub fn listen() -> io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        let (interrupts, terminations) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Signals { interrupts, terminations, told: None })
    }

    #[cfg(windows)]
    pub fn listen() -> io::Result<Signals> {
        use tokio::signal::windows::{ctrl_c, ctrl_close};
        Ok(Signals { interrupts: ctrl_c()?, terminations: ctrl_close()?, told: None })
    }

    /// Until one comes that is not the same as the one before.
    pub async fn next(&mut self) {
        loop {
            tokio::select! {
                _ = self.interrupts.recv() => {}
                _ = self.terminations.recv() => {}
            }
            if self.told.is_none_or(|told| told.elapsed() >= SAME) {
                self.told = Some(Instant::now());
                return;
            }
        }
    }

    /// Until the first one; the one after that ends the process at once.
    pub async fn first(mut self) {
        self.next().await;
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(130);
        });
    }
}

/// Let a thread listen to them from now on.
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

/// At the first signal, from now on: say that it was interrupted, with what that means, and end.
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
