//! The subcommand `tracegen completions`.

use super::output::print;
use super::{Cli, Exit, Failure};
use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Print a completion script for a shell
#[derive(Args)]
#[command(after_help = "Examples:
  tracegen completions bash > ~/.local/share/bash-completion/completions/tracegen
  tracegen completions zsh > \"${fpath[1]}/_tracegen\"
  tracegen completions fish > ~/.config/fish/completions/tracegen.fish")]
pub struct Completions {
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        let mut script = vec![];
        clap_complete::generate(self.shell, &mut Cli::command(), "tracegen", &mut script);
        print(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Done)
    }
}
