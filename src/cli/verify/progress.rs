//! How far it is: a line redrawn on a terminal, elsewhere a plain one every ten seconds.

use crate::text::{count, grouped, scaled};
use crate::verify::Verifier;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

const PLAIN_EVERY: Duration = Duration::from_secs(10);

pub struct Display {
    /// `None`: plain lines, or nothing.
    bar: Option<ProgressBar>,
    quiet: bool,
    began: Instant,
    last_plain: Instant,
}

impl Display {
    pub fn new(quiet: bool) -> Display {
        let terminal = std::io::stderr().is_terminal() && std::env::var("TERM").is_ok_and(|term| term != "dumb");
        let bar = (terminal && !quiet).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        let now = Instant::now();
        Display { bar, quiet, began: now, last_plain: now }
    }

    pub fn update(&mut self, verifier: &Verifier) {
        match &self.bar {
            Some(bar) => bar.set_message(self.line(verifier)),
            None if !self.quiet && self.last_plain.elapsed() >= PLAIN_EVERY => {
                self.last_plain = Instant::now();
                anstream::eprintln!("tracegen: {}", self.line(verifier));
            }
            None => {}
        }
    }

    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn line(&self, verifier: &Verifier) -> String {
        let progress = verifier.progress();
        let rate = progress.seen as f64 / self.began.elapsed().as_secs_f64().max(0.001);
        let mut line = format!("{}   {} spans/s", count(progress.seen, "span"), scaled(rate));
        for (n, what) in
            [(progress.duplicated, "duplicated"), (progress.altered, "altered"), (progress.unexpected, "unexpected")]
        {
            if n > 0 {
                line += &format!("   {} {what}", grouped(n));
            }
        }
        line
    }
}
