//! The command line, with one file for each subcommand.
//!
//! Results go to stdout, messages about the work to stderr. The exit status is 0 when done, 1 if the work found something
//! wrong, 2 for wrong usage or a bad variable, 3 if it could not be done, and 130 if it was interrupted before the end that
//! was asked for.

mod account;
mod clock_watch;
mod compile;
mod completions;
mod database;
mod doctor;
mod environment;
mod explain;
mod fetch;
mod health;
mod identify;
mod init;
mod load;
mod man;
mod memory;
mod merge;
mod metrics;
mod output;
mod pace;
mod parse;
mod rates;
mod recent;
mod replay;
mod run;
mod scenarios;
mod screen;
mod sending;
mod serve;
mod signal;
mod sink;
mod source;
mod table;
mod timing;
mod verdict;
mod verify;
mod words;

use clap::{Parser, Subcommand};
use output::say;
use std::process::ExitCode;

/// The outcome of a command, which becomes the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Done,
    /// Scenarios have errors, or spans were rejected or undelivered.
    Wrong,
    /// The usage was wrong, or a variable has a bad value.
    Usage,
    /// Something that is needed is out of reach or damaged.
    Impossible,
    /// A signal came before the count or the duration was reached.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Wrong => 1,
            Exit::Usage => 2,
            Exit::Impossible => 3,
            Exit::Interrupted => 130,
        })
    }
}

/// The reason why a command could not go on, which is printed in one line behind `tracegen:`.
struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    fn usage(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::Usage, message: message.into() }
    }

    fn impossible(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::Impossible, message: message.into() }
    }
}

/// Draws a seed that is short enough to be read out and typed again.
fn draw_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(crate::clock::now()) >> 32
}

/// Compile YAML scenarios of a distributed system into a verified span plan, and replay it as OpenTelemetry traces: the same
/// seed and start give the same traces, byte for byte.
#[derive(Parser)]
#[command(name = "tracegen", version = env!("TRACEGEN_VERSION"), max_term_width = 110, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(init::Init),
    Compile(compile::Compile),
    Run(Box<run::Run>),
    Serve(Box<serve::Serve>),
    Explain(explain::Explain),
    Replay(Box<replay::Replay>),
    Identify(Box<identify::Identify>),
    Verify(Box<verify::Verify>),
    Merge(merge::Merge),
    Health(health::Health),
    Doctor(doctor::Doctor),
    Sink(Box<sink::Sink>),
    Completions(completions::Completions),
    Man(man::Man),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    signal::outlive_file_limits();
    match Cli::try_parse() {
        Ok(Cli { command }) => ended(command.execute()),
        Err(error) if error.use_stderr() => {
            output::tell(error.render().ansi());
            Exit::Usage.into()
        }
        // Clap reports help and version as errors, too.
        Err(asked) => ended(output::print_styled(&asked.render().ansi().to_string()).map(|()| Exit::Done)),
    }
}

fn ended(result: Result<Exit, Failure>) -> ExitCode {
    result
        .unwrap_or_else(|Failure { exit, message }| {
            say(message);
            exit
        })
        .into()
}

impl Command {
    fn execute(self) -> Result<Exit, Failure> {
        match self {
            Command::Init(command) => command.execute(),
            Command::Compile(command) => command.execute(),
            Command::Run(command) => command.execute(),
            Command::Serve(command) => command.execute(),
            Command::Explain(command) => command.execute(),
            Command::Replay(command) => command.execute(),
            Command::Identify(command) => command.execute(),
            Command::Verify(command) => command.execute(),
            Command::Merge(command) => command.execute(),
            Command::Health(command) => command.execute(),
            Command::Doctor(command) => command.execute(),
            Command::Sink(command) => command.execute(),
            Command::Completions(command) => command.execute(),
            Command::Man(command) => command.execute(),
        }
    }
}
