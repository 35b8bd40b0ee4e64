//! The subcommand `tracegen compile`.

use super::output::{print, say};
use super::scenarios::{self, Compilation};
use super::{Exit, Failure, signal};
use crate::disk;
use crate::language::diagnostic::{Severity, render};
use crate::language::files::Fingerprint;
use crate::plan::{Plan, ScenarioId};
use crate::text::{count, grouped};
use clap::{Args, ValueEnum};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// Compile scenarios: check them, show their plan, or write it to a file that `run` executes
#[derive(Args)]
#[command(after_help = "Examples:
  tracegen compile --check scenarios              silent if nothing is wrong
  tracegen compile --emit plan orders.yaml        the plan's listing
  tracegen compile scenarios -o orders.plan       a plan file for `tracegen run orders.plan`
  tracegen compile --emit dot | dot -Tsvg -o plan.svg
  tracegen compile --check --format github        annotations in a GitHub workflow
  tracegen compile --check --watch                again after each change, until Ctrl-C")]
pub struct Compile {
    /// Scenario files or directories [default: SCENARIOS_DIR, SCENARIOS_PATH or `scenarios`]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print only diagnostics
    #[arg(long, conflicts_with_all = ["emit", "output"])]
    check: bool,
    /// What to print, or with --output to write
    #[arg(long, value_enum, value_name = "WHAT")]
    emit: Option<Emit>,
    /// Write to this file: what --emit names, or else a plan file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How to show diagnostics: `human` on stderr, the others on stdout
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
    /// Fail on warnings too
    #[arg(long, value_enum, value_name = "WHAT")]
    deny: Option<Deny>,
    /// Compile again whenever a file changes, until Ctrl-C
    #[arg(short, long)]
    watch: bool,
}

/// The interval at which files are looked at for a change.
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, ValueEnum)]
enum Emit {
    /// The listing
    Plan,
    /// The listing's content as JSON
    Json,
    /// A graph for Graphviz
    Dot,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Human,
    Json,
    Github,
    Sarif,
}

#[derive(Clone, Copy, ValueEnum)]
enum Deny {
    Warnings,
}

impl Compile {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        if let Some(file) = self.output.as_ref().filter(|file| self.paths.iter().any(|path| disk::is_same(path, file)))
        {
            return Err(Failure::usage(format!("{} is what is to be compiled: name another output", file.display())));
        }
        let paths = scenarios::named(self.paths.clone());
        if !self.watch {
            return self.compile(&paths);
        }
        signal::on_thread(|mut signals| async move {
            signals.next().await;
            std::process::exit(0);
        })?;
        loop {
            // It is taken before the files are read, so that a change in between is noticed.
            let read = Fingerprint::of(&paths);
            let verdict = match self.compile(&paths)? {
                Exit::Done => "it compiles",
                _ => "it does not compile",
            };
            say(format_args!("{verdict}; waiting for a change, or Ctrl-C"));
            while Fingerprint::of(&paths) == read {
                thread::sleep(LOOK_EVERY);
            }
        }
    }

    /// Compiles the files, and prints or writes what is asked for.
    fn compile(&self, paths: &[PathBuf]) -> Result<Exit, Failure> {
        let began = Instant::now();
        let compilation = Compilation::of(paths);
        let Compilation { sources, diagnostics, plan, .. } = &compilation;
        match self.format {
            Format::Human => compilation.print_diagnostics(),
            Format::Json => print(&render::json(sources, diagnostics))?,
            Format::Github => print(&render::github(sources, diagnostics))?,
            Format::Sarif => print(&render::sarif(sources, diagnostics))?,
        }
        let denied = self.deny.is_some() && compilation.count(Severity::Warning) > 0;
        let Some(plan) = plan.as_ref().filter(|_| !denied) else { return Ok(Exit::Wrong) };
        match (self.check, self.output.as_ref(), self.emit) {
            (true, ..) => {}
            (_, Some(file), None) => {
                write(file, |to| plan.write_file(to).map_err(io::Error::other))?;
            }
            (_, Some(file), Some(emit)) => write(file, |to| to.write_all(emit.text(plan).as_bytes()))?,
            (_, None, Some(emit)) => print(&emit.text(plan))?,
            (_, None, None) if self.format == Format::Human => {
                let ms = began.elapsed().as_millis();
                print(&format!("{}   plan {}   {ms} ms\n", overview(&compilation, plan), plan.digest_short()))?;
            }
            (_, None, None) => {}
        }
        Ok(Exit::Done)
    }
}

/// Writes a file as a whole, or leaves the existing one unchanged.
fn write(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    disk::replace(path, write).map_err(|e| Failure::impossible(format!("{}: {e}", path.display())))
}

impl Emit {
    fn text(self, plan: &Plan) -> String {
        match self {
            Emit::Plan => plan.listing().to_string(),
            Emit::Json => {
                let mut json = vec![];
                plan.write_json(&mut json).expect("writing to memory does not fail");
                String::from_utf8(json).expect("JSON is UTF-8")
            }
            Emit::Dot => plan.dot().to_string(),
        }
    }
}

/// Returns a line such as `11 scenarios from 10 files, 14 services, 3 to 17 spans a trace`.
fn overview(compilation: &Compilation, plan: &Plan) -> String {
    let bounds = (0..plan.scenarios.len()).map(|i| plan.bound(ScenarioId(i as u32)));
    let (min, max) = bounds.fold((u32::MAX, 0), |(min, max), b| (min.min(b.min_spans), max.max(b.max_spans)));
    format!(
        "{} from {}, {}, {} to {} spans a trace",
        count(plan.scenarios.len() as u64, "scenario"),
        count(compilation.files as u64, "file"),
        count(plan.services.len() as u64, "service"),
        grouped(min as u64),
        grouped(max as u64),
    )
}
