//! The progress of long work on stderr: redrawn in place on a terminal; elsewhere a plain line is printed every ten
//! seconds.

use super::output::tell;
use crate::text::foreign::foreign;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// A place for progress.
pub struct Screen {
    /// The bar; `None` if stderr is not a terminal, or nothing is to be shown.
    bar: Option<ProgressBar>,
    quiet: bool,
    last_plain: Instant,
}

/// What to do now.
pub enum Turn {
    /// Set the bar's position and message.
    Redraw(ProgressBar),
    /// Print a line.
    Line,
    Nothing,
}

impl Screen {
    /// Makes a screen. `template` is one of indicatif's, for a bar of `steps` steps. With `quiet`, only printed lines are
    /// shown.
    pub fn new(quiet: bool, template: &str, steps: Option<u64>) -> Screen {
        let terminal = std::io::stderr().is_terminal() && std::env::var("TERM").is_ok_and(|term| term != "dumb");
        let bar = (terminal && !quiet).then(|| {
            let bar = ProgressBar::with_draw_target(steps, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.set_style(style.progress_chars("=> "));
            bar
        });
        Screen { bar, quiet, last_plain: Instant::now() }
    }

    /// Returns what to do now. It is called a few times a second. `news` asks for a plain line without delay.
    pub fn turn(&mut self, news: bool) -> Turn {
        match &self.bar {
            Some(bar) => Turn::Redraw(bar.clone()),
            None if !self.quiet && (news || self.last_plain.elapsed() >= PLAIN_EVERY) => {
                self.last_plain = Instant::now();
                Turn::Line
            }
            None => Turn::Nothing,
        }
    }

    /// Prints a line of its own, beside the bar if there is one.
    pub fn print(&self, line: &str) {
        let line = foreign(line);
        match &self.bar {
            Some(bar) => bar.suspend(|| tell(format_args!("{line}\n"))),
            None => tell(format_args!("{line}\n")),
        }
    }

    /// Removes the bar.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
