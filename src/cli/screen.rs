//! Where long work shows how far it is: redrawn in place on a terminal, elsewhere a plain line every ten seconds, on stderr.

use super::output::tell;
use crate::text::foreign::foreign;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

const PLAIN_EVERY: Duration = Duration::from_secs(10);

pub struct Screen {
    /// `None`: there is no terminal, or nothing is to be shown.
    bar: Option<ProgressBar>,
    quiet: bool,
    last_plain: Instant,
}

/// What is to be done now.
pub enum Turn {
    /// Set its position and message anew.
    Redraw(ProgressBar),
    /// Say a line.
    Line,
    Nothing,
}

impl Screen {
    /// `template` is indicatif's, of a bar with so many `steps`. Nothing but what is printed is shown if `quiet`.
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

    /// To be asked a few times a second; `news`: a plain line should not wait.
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

    /// A line of its own, whatever else is shown.
    pub fn print(&self, line: &str) {
        let line = foreign(line);
        match &self.bar {
            Some(bar) => bar.suspend(|| tell(format_args!("{line}\n"))),
            None => tell(format_args!("{line}\n")),
        }
    }

    /// Take away what was redrawn.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
