//! The subcommand `tracegen merge`, which merges the manifests of a run's shards.

use super::fetch::shown;
use super::output::{print_with, say};
use super::{Exit, Failure, source};
use crate::journal::{Archive, Manifest, Merged};
use crate::text::{self, count, quantity};
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The interval in which manifests that are waited for are read.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Merge the manifests of a run's shards into one manifest of the run
#[derive(Args)]
#[command(after_help = "Examples:
  tracegen merge shard-0.json shard-1.json shard-2.json -o run.json
  tracegen merge shards/ -o run.json              all *.json of a directory
  tracegen merge shards/ -o run.json --wait 2h    as soon as the last shard has ended
  tracegen merge http://one:8080/0.json http://two:8080/1.json -o run.json

The merged manifest stands for the whole run in `replay`, `identify` and `verify`. It also holds when each
shard was stopped.

Exit status: 0 the manifest is that of the whole run; 1 shards are missing or have not ended, but the others are merged;
3 the manifests are not different shards of one run.")]
pub struct Merge {
    /// Manifests of shards, in any order; a directory stands for its *.json files, except the merged manifest
    #[arg(value_name = "FILE|DIRECTORY|URL", required = true)]
    manifests: Vec<String>,
    /// Where to write the merged manifest [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How long to wait for shards that are missing or have not ended [default: not at all]
    #[arg(long, value_name = "D", value_parser = quantity::duration)]
    wait: Option<u64>,
}

type Part = (String, Manifest);

impl Merge {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        let until = Instant::now() + Duration::from_nanos(self.wait.unwrap_or(0));
        let mut said = String::new();
        loop {
            let parts = self.read();
            let open: Vec<String> =
                parts.iter().flatten().filter(|part| part.1.ended.is_none()).map(|part| part.0.clone()).collect();
            let merged = match parts {
                Ok(parts) => Ok(Manifest::merge(parts).map_err(|e| Failure::impossible(e.to_string()))?),
                Err(failure) => Err(failure),
            };
            let is_whole = open.is_empty() && merged.as_ref().is_ok_and(|merged| merged.missing.is_empty());
            if is_whole || Instant::now() >= until {
                return self.end(merged?, &open);
            }
            let waits = match &merged {
                Ok(merged) => format!("{}, {} not ended", summary(merged), open.len()),
                Err(failure) => failure.message.clone(),
            };
            if waits != said {
                say(format_args!("waiting: {waits}"));
                said = waits;
            }
            sleep(LOOK_EVERY.min(until.saturating_duration_since(Instant::now())));
        }
    }

    /// Writes the merged manifest. `open` names the manifests without an end.
    fn end(&self, merged: Merged, open: &[String]) -> Result<Exit, Failure> {
        self.write(&merged.manifest)?;
        let to = self.output.as_ref().map_or(String::new(), |path| format!(" -> {}", path.display()));
        say(format_args!("{}{to}", summary(&merged)));
        for name in open {
            say(format_args!("{name} has no end: its run goes on, or was killed; which traces it sent is not known"));
        }
        Ok(if merged.missing.is_empty() && open.is_empty() { Exit::Done } else { Exit::Wrong })
    }

    fn read(&self) -> Result<Vec<Part>, Failure> {
        let read = |name: String| {
            let manifest = source::manifest(&name).and_then(|manifest| match Archive::open(&manifest) {
                Ok(_) => Ok(manifest),
                Err(error) => Err(error.to_string()),
            });
            manifest.map_err(|e| Failure::impossible(format!("{}: {e}", shown(&name)))).map(|manifest| (name, manifest))
        };
        self.names()?.into_iter().map(read).collect()
    }

    /// Returns the names of the manifests, with the files of directories.
    fn names(&self) -> Result<Vec<String>, Failure> {
        let mut names = vec![];
        for name in &self.manifests {
            let directory = Path::new(name);
            if !directory.is_dir() {
                names.push(name.clone());
                continue;
            }
            let failed = |e| Failure::impossible(format!("{name}: {e}"));
            let mut found = vec![];
            for entry in fs::read_dir(directory).map_err(failed)? {
                let path = entry.map_err(failed)?.path();
                // Opening a pipe of that name would block.
                if path.is_file()
                    && path.extension().is_some_and(|e| e == "json")
                    && self.output.as_ref() != Some(&path)
                {
                    found.push(path.display().to_string());
                }
            }
            if found.is_empty() {
                return Err(Failure::impossible(format!("{name}: there is no *.json in this directory")));
            }
            found.sort();
            names.extend(found);
        }
        Ok(names)
    }

    fn write(&self, manifest: &Manifest) -> Result<(), Failure> {
        let Some(path) = &self.output else { return print_with(|stdout| manifest.write(stdout)) };
        manifest.save(path).map_err(|e| Failure::impossible(format!("can't write {}: {e}", path.display())))
    }
}

fn summary(merged: &Merged) -> String {
    let Merged { manifest, shard_count, missing } = merged;
    let there = shard_count - missing.len() as u64;
    let amount = manifest.ended.as_ref().map_or(String::new(), |totals| {
        format!(", {}, {}", count(totals.traces, "trace"), count(totals.spans, "span"))
    });
    let missing =
        if missing.is_empty() { String::new() } else { format!(", missing: {}", listed(missing, *shard_count)) };
    format!("{there} of {}{amount}{missing}", count(*shard_count, "shard"))
}

/// Returns a list such as `0/8, 3/8, 5/8 and 2 more`.
fn listed(missing: &[u64], shard_count: u64) -> String {
    const SHOWN: usize = 10;
    let mut shown: Vec<String> = missing.iter().take(SHOWN).map(|k| format!("{k}/{shard_count}")).collect();
    if missing.len() > SHOWN {
        shown.push(format!("{} more", missing.len() - SHOWN));
    }
    text::listed(&shown, "and")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_missing_shards_are_cut_short() {
        assert_eq!(listed(&[1, 3], 4), "1/4 and 3/4");
        let all: Vec<u64> = (0..12).collect();
        assert!(listed(&all, 20).ends_with("8/20, 9/20 and 2 more"));
    }
}
