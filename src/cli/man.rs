//! The subcommand `tracegen man`.

use super::{Cli, Exit, Failure};
use clap::{Args, CommandFactory};
use std::fs;
use std::path::PathBuf;

/// Write manual pages
#[derive(Args)]
#[command(after_help = "Examples:
  tracegen man ~/.local/share/man/man1            then: man tracegen, man tracegen-run
  tracegen man . && man ./tracegen-verify.1")]
pub struct Man {
    /// Directory for a page about tracegen and one about each of its commands; it is created if it is missing
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl Man {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        fs::create_dir_all(&self.directory)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), &self.directory))
            .map_err(|error| Failure::impossible(format!("{}: {error}", self.directory.display())))?;
        Ok(Exit::Done)
    }
}
