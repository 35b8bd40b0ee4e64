//! `tracegen merge`: the manifests of a run's shards as that of the run.

use super::{Exit, Failure, source};
use crate::engine::{Archive, Manifest, Merged};
use crate::text::count;
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};

/// Merge the manifests of a run's shards into that of the run
#[derive(Args)]
#[command(after_help = "Examples:
  tracegen merge shard-0.json shard-1.json shard-2.json -o run.json
  tracegen merge shards/ -o run.json              all *.json of a directory
  tracegen merge http://one:8080/0.json http://two:8080/1.json -o run.json

The merged manifest stands for the whole run in `replay`, `identify` and `verify`; of shards that were stopped it knows when
each was. Exit status: 1 shards are missing, or one has not ended: what is there is merged all the same; 3 the manifests are
not different shards of one run.")]
pub struct Merge {
    /// Manifests of shards, in any order; a directory stands for its *.json
    #[arg(value_name = "FILE|DIRECTORY|URL", required = true)]
    manifests: Vec<String>,
    /// Where the merged one is written [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Merge {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        let mut parts = vec![];
        for name in self.names()? {
            let read = source::manifest(&name).and_then(|manifest| match Archive::open(&manifest) {
                Ok(_) => Ok(manifest),
                Err(error) => Err(error.to_string()),
            });
            let manifest = read.map_err(|e| Failure::impossible(format!("{name}: {e}")))?;
            parts.push((name, manifest));
        }
        let open: Vec<String> =
            parts.iter().filter(|(_, part)| part.ended.is_none()).map(|(name, _)| name.clone()).collect();
        let merged = Manifest::merge(parts).map_err(|e| Failure::impossible(e.to_string()))?;
        self.write(&merged.manifest)?;
        anstream::eprintln!("tracegen: {}", self.summary(&merged));
        for name in &open {
            anstream::eprintln!(
                "tracegen: {name} has no end: its run goes on, or was killed; what it sent is not known"
            );
        }
        Ok(if merged.missing.is_empty() && open.is_empty() { Exit::Done } else { Exit::Wrong })
    }

    /// Of the manifests, directories listed.
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
                if path.extension().is_some_and(|e| e == "json") {
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
        let (written, to) = match &self.output {
            Some(path) => (manifest.save(path), path.display().to_string()),
            None => (manifest.write(std::io::stdout()), "stdout".into()),
        };
        written.map_err(|e| Failure::impossible(format!("can't write {to}: {e}")))
    }

    fn summary(&self, merged: &Merged) -> String {
        let Merged { manifest, of, missing } = merged;
        let there = of - missing.len() as u64;
        let amount = manifest.ended.as_ref().map_or(String::new(), |totals| {
            format!(", {}, {}", count(totals.traces, "trace"), count(totals.spans, "span"))
        });
        let to = self.output.as_ref().map_or(String::new(), |path| format!(" -> {}", path.display()));
        let missing = if missing.is_empty() { String::new() } else { format!("; missing: {}", listed(missing, *of)) };
        format!("{there} of {}{amount}{to}{missing}", count(*of, "shard"))
    }
}

/// `0/8, 3/8, 5/8 and 2 more`
fn listed(missing: &[u64], of: u64) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<String> = missing.iter().take(SHOWN).map(|k| format!("{k}/{of}")).collect();
    let more = match missing.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_missing_shards_are_cut_short() {
        assert_eq!(listed(&[1, 3], 4), "1/4, 3/4");
        let all: Vec<u64> = (0..12).collect();
        assert!(listed(&all, 20).ends_with("8/20, 9/20 and 2 more"));
    }
}
