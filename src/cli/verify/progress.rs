//! The progress of a verification: a line that is redrawn on a terminal; elsewhere a plain line is printed every ten
//! seconds.

use crate::cli::output::say;
use crate::cli::screen::{Screen, Turn};
use crate::text::foreign::foreign;
use crate::text::{count, grouped, scaled};
use crate::verify::Verifier;
use std::time::Instant;

/// The display of a verification's progress.
pub struct Display {
    screen: Screen,
    /// The name of the run, which is shown if there are several.
    name: Option<String>,
    began: Instant,
}

impl Display {
    pub fn new(quiet: bool, name: Option<String>) -> Display {
        Display { screen: Screen::new(quiet, "{msg}", None), name, began: Instant::now() }
    }

    pub fn update(&mut self, verifier: &Verifier) {
        match self.screen.turn(false) {
            Turn::Redraw(bar) => bar.set_message(self.line(verifier)),
            Turn::Line => say(self.line(verifier)),
            Turn::Nothing => {}
        }
    }

    pub fn finish(&mut self) {
        self.screen.finish();
    }

    fn line(&self, verifier: &Verifier) -> String {
        let progress = verifier.progress();
        let rate = progress.seen as f64 / self.began.elapsed().as_secs_f64().max(0.001);
        let name = self.name.iter().map(|name| format!("{}   ", foreign(name))).collect::<String>();
        let mut line = format!("{name}{}   {} spans/s", count(progress.seen, "span"), scaled(rate));
        for (n, subject) in [
            (progress.duplicated, "duplicated"),
            (progress.altered, "altered"),
            (progress.invented, "invented"),
            (progress.unexpected, "unexpected"),
        ] {
            if n > 0 {
                line += &format!("   {} {subject}", grouped(n));
            }
        }
        line
    }
}
