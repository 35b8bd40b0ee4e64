//! The subcommand `tracegen init`, which writes scenarios to begin with.

use super::output::print;
use super::words::quoted;
use super::{Exit, Failure};
use crate::text::listed;
use clap::Args;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Write a small directory of scenarios to begin with
#[derive(Args)]
#[command(after_help = "Examples:
  tracegen init                           scenarios/: a shop with a database, a cache, a payment and a queue
  tracegen init demo                      the same in the directory demo
  tracegen init --example grpc_mesh       one of tracegen's examples instead

Nothing is asked, and no file is overwritten. Exit status 3: a file could not be written, or is there already.")]
pub struct Init {
    /// Directory for the files, which is created if it is missing
    #[arg(value_name = "DIR", default_value = "scenarios")]
    directory: PathBuf,
    /// Copy this example
    #[arg(long, value_name = "NAME", value_parser = EXAMPLES.map(|(name, _)| name))]
    example: Option<String>,
}

macro_rules! example {
    ($name:literal) => {
        ($name, include_str!(concat!("../../scenarios/examples/", $name, ".yaml")))
    };
}

/// The examples by their names, with their texts.
const EXAMPLES: [(&str, &str); 11] = [
    example!("alibaba_call_graph"),
    example!("cached_search"),
    example!("database_service"),
    example!("ecommerce_order"),
    example!("edge_cases"),
    example!("grpc_mesh"),
    example!("llm_agent"),
    example!("nightly_batch"),
    example!("order_pipeline"),
    example!("service_foo"),
    example!("shop"),
];

/// The files of the directory that is written without `--example`.
const STARTER: [(&str, &str); 2] =
    [("_base.yaml", include_str!("init/_base.yaml")), ("orders.yaml", include_str!("init/orders.yaml"))];

impl Init {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        let files = match &self.example {
            Some(name) => EXAMPLES
                .iter()
                .filter(|(known, _)| known == name)
                .map(|(_, text)| (format!("{name}.yaml"), *text))
                .collect(),
            None => Vec::from(STARTER.map(|(file, text)| (file.to_string(), text))),
        };
        let files = Vec::from_iter(files.into_iter().map(|(name, text)| (self.directory.join(name), text)));
        if let Some((present, _)) = files.iter().find(|(path, _)| path.symlink_metadata().is_ok()) {
            return Err(Failure::impossible(format!(
                "{} is there already, so nothing was written: name another directory, as `tracegen init demo`",
                present.display()
            )));
        }
        let failed = |path: &Path, error| Failure::impossible(format!("{}: {error}", path.display()));
        fs::create_dir_all(&self.directory).map_err(|error| failed(&self.directory, error))?;
        for (path, text) in &files {
            write_new(path, text).map_err(|error| failed(path, error))?;
        }
        print(&self.next(&files))?;
        Ok(Exit::Done)
    }

    /// Returns what was written, and three commands to go on with.
    fn next(&self, files: &[(PathBuf, &str)]) -> String {
        let names = Vec::from_iter(files.iter().map(|(path, _)| path.display().to_string()));
        let names = Vec::from_iter(names.iter().map(String::as_str));
        // This is the directory that every command takes if none is named.
        let path = match self.directory == Path::new("scenarios") {
            true => String::new(),
            false => format!(" {}", quoted(&self.directory.display().to_string())),
        };
        let commands = [
            (format!("tracegen compile --check{path}"), "does it compile?"),
            (format!("tracegen run --count 1 --exporter stdout{path}"), "one trace, as a tree"),
            (format!("tracegen serve{path}"), "traces on http://localhost:8000, and each change at once"),
        ];
        let width = commands.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
        let lines = commands.map(|(command, note)| format!("  {command:<width$}   {note}\n"));
        format!("wrote {}\n\n{}", listed(&names, "and"), lines.concat())
    }
}

/// Writes a file that does not exist yet. What could not be written whole is removed.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes()).inspect_err(|_| drop(fs::remove_file(path)))
}
