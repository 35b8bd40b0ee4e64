//! The page of figures, which is redrawn ten times a second on a terminal; elsewhere a plain line is printed every ten
//! seconds.

use super::figures;
use super::judge::Judge;
use super::trial::Trial;
use crate::cli::output::tell;
use crate::cli::recent::Recent;
use crate::cli::screen::{Screen, Turn};
use crate::receive::{Account, Faults};
use crate::text::{self, count, duration, grouped, scaled};
use crate::verify::Progress;
use std::time::Duration;

/// The page of a sink.
pub struct Page {
    screen: Screen,
    quiet: bool,
    /// The faults that were asked for.
    faults: Faults,
    spans: Recent,
    bytes: Recent,
}

impl Page {
    pub fn new(quiet: bool, faults: Faults) -> Page {
        let recent = || Recent::new(Duration::from_secs(1));
        Page { screen: Screen::new(quiet, "{msg}", None), quiet, faults, spans: recent(), bytes: recent() }
    }

    pub fn say(&self, line: &str) {
        if !self.quiet {
            self.screen.print(&format!("tracegen: {line}"));
        }
    }

    pub fn update(&mut self, judge: &Judge, account: &Account) {
        let (spans, bytes) = (self.spans.rate(judge.census.spans), self.bytes.rate(judge.census.bytes));
        match self.screen.turn(false) {
            Turn::Redraw(bar) => {
                let mut lines =
                    vec![figures::row("now", format!("{} spans/s, {}/s", scaled(spans), text::bytes(bytes as u64)))];
                lines.extend(figures::page(judge, account, &self.faults));
                bar.set_message(lines.join("\n"));
            }
            Turn::Line => {
                let census = &judge.census;
                let all = format!("{} in {}", count(census.spans, "span"), count(census.requests, "request"));
                let mut line = format!("  {all}   {} spans/s", scaled(spans));
                let late = census.lateness();
                if late.count > 0 {
                    line += &format!("   late p99 {}", duration(late.p99));
                }
                if let Some(progress) = judge.trial.as_ref().and_then(Trial::progress) {
                    let Progress { duplicated, altered, invented, unexpected, .. } = progress;
                    let [twice, altered, invented, unexpected] =
                        [duplicated, altered, invented, unexpected].map(grouped);
                    line += &format!(
                        "   {twice} duplicated, {altered} altered, {invented} invented, {unexpected} unexpected"
                    );
                }
                if let Some(injected) = figures::injected(account, &self.faults) {
                    line += &format!("   {injected}");
                }
                tell(format_args!("{line}\n"));
            }
            Turn::Nothing => {}
        }
    }

    pub fn finish(&mut self) {
        self.screen.finish();
    }
}
