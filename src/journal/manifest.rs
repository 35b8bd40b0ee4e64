//! What it takes to make the traces of a run again, as a file.
//!
//! A manifest is complete: plans stand in it whole, so that it can be replayed anywhere. It is untrusted when it is read:
//! [`super::Archive`] checks that it belongs together.

mod file;
mod merge;
mod plans;

pub use file::ManifestFile;
pub use merge::{MergeError, Merged};
pub use plans::Plans;

use super::Selection;
use crate::disk;
use crate::export::deliver::Account;
use crate::interpreter::{Epoch, ScheduleError};
use crate::plan::PlanFileError;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

/// Values that a manifest lists beside its plans: a million eras are more than its bytes hold.
const MOST_VALUES: usize = 1 << 21;

/// The journal of a run: seed, plans, and from which trace on which of them and which arrivals hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`Manifest::FORMAT`].
    pub format: u32,
    /// Version of tracegen that wrote it.
    pub tracegen: String,
    pub seed: u64,
    /// Of the trace ids, in hexadecimal.
    pub tag: String,
    /// Which traces were made.
    pub selection: Selection,
    /// They were made as fast as they could be: there are epochs by what was achieved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub full_speed: bool,
    /// In order. The first begins with trace 0; others may be missing where there were very many. Those of merged shards
    /// stand side by side, by shard.
    pub eras: Vec<Era>,
    /// Plan files, by digest.
    pub plans: Plans,
    /// Where its traces went, so that the rest of a run that was stopped goes there, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Destination>,
    /// `None`: the run goes on, or did not get to write it.
    pub ended: Option<Totals>,
}

/// An epoch of the schedule, and the plan that holds in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Era {
    pub epoch: Epoch,
    /// Digest of its plan.
    pub plan: String,
    /// Weights that replace those of the plan, by scenario name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<String, f64>,
    /// Index after its last trace; `None`: it goes on.
    pub end: Option<u64>,
    /// When it was stopped, ns since 1970: traces that had not ended by then were not sent.
    pub stopped: Option<u64>,
    /// Only its traces whose index leaves `shard.0` when divided by `shard.1`: it is that of a merged shard.
    #[serde(default = "whole", skip_serializing_if = "is_whole")]
    pub shard: (u64, u64),
}

fn whole() -> (u64, u64) {
    (0, 1)
}

fn is_whole(shard: &(u64, u64)) -> bool {
    *shard == whole()
}

/// Where traces of a run went: never with a header or a password, so it can be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// As `tracegen run --exporter` takes it.
    pub exporter: String,
    /// The whole URL of a collector or a database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Of a collector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Handed to the output.
    pub traces: u64,
    pub spans: u64,
    /// When it ended, ns since 1970.
    pub at: u64,
    /// What became of them on their way; `None`: they went into a store alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
}

impl Totals {
    /// The totals of two parts of one run; `None`: a sum is beyond 64 bits.
    pub fn checked_add(&self, other: &Totals) -> Option<Totals> {
        let account = match (&self.account, &other.account) {
            (Some(one), Some(other)) => Some(one.checked_add(other)?),
            _ => None,
        };
        Some(Totals {
            traces: self.traces.checked_add(other.traces)?,
            spans: self.spans.checked_add(other.spans)?,
            at: self.at.max(other.at),
            account,
        })
    }

    /// Whether a run can have come to as much: half of what 64 bits can count, so that another part can be added.
    fn is_plausible(&self) -> bool {
        self.checked_add(self).is_some()
    }
}

impl Era {
    /// Whether trace `index` is one of it.
    pub fn contains(&self, index: u64) -> bool {
        let (k, n) = self.shard;
        self.epoch.first <= index && self.end.is_none_or(|end| index < end) && index % n == k
    }
}

/// Read first, and on its own: a manifest of another format may hold what this tracegen can't read.
#[derive(Deserialize)]
struct Header<'a> {
    format: Option<u32>,
    tracegen: Option<String>,
    #[serde(borrow)]
    eras: Option<&'a RawValue>,
    #[serde(borrow)]
    ended: Option<&'a RawValue>,
}

/// How many values a text of JSON lists at most: what has a comma behind it.
fn values(text: &[u8]) -> usize {
    memchr::memchr_iter(b',', text).count()
}

impl Manifest {
    /// Of the document.
    pub const FORMAT: u32 = 1;
    /// Largest manifest that is read, bytes.
    pub const MOST_BYTES: u64 = 64 << 20;

    /// Reads no more than a manifest may have, even from an endless source.
    ///
    /// # Errors
    /// It is no manifest, of another format, or cut off. Whether its parts belong together is seen by [`super::Archive`].
    pub fn read(from: impl Read) -> Result<Manifest, ManifestError> {
        let mut bytes = vec![];
        from.take(Manifest::MOST_BYTES + 1).read_to_end(&mut bytes).map_err(ManifestError::Io)?;
        if bytes.len() as u64 > Manifest::MOST_BYTES {
            return Err(ManifestError::TooLarge);
        }
        let mut headers = serde_json::Deserializer::from_slice(&bytes).into_iter::<Header>();
        // Of nothing there is no document, and an error that says so.
        let header = headers.next().unwrap_or_else(|| serde_json::from_slice(&bytes));
        let header = header.map_err(|error| match error.classify() {
            serde_json::error::Category::Data => ManifestError::NotAManifest,
            _ => ManifestError::Json(error),
        })?;
        let (_, journal) = bytes.split_at(headers.byte_offset());
        match header {
            Header { format: Some(Manifest::FORMAT), tracegen: Some(_), .. } => {}
            Header { format: Some(found), tracegen: Some(_), .. } => return Err(ManifestError::Format(found)),
            _ => return Err(ManifestError::NotAManifest),
        }
        let texts = [header.eras, header.ended].into_iter().flatten().map(|raw| raw.get().as_bytes());
        if texts.chain([journal]).map(values).sum::<usize>() > MOST_VALUES {
            return Err(ManifestError::TooManyValues);
        }
        let mut document = serde_json::Deserializer::from_slice(&bytes);
        let mut manifest = Manifest::deserialize(&mut document).map_err(ManifestError::Json)?;
        manifest.add_journal(journal)?;
        if !manifest.ended.as_ref().is_none_or(Totals::is_plausible) {
            return Err(ManifestError::Totals);
        }
        Ok(manifest)
    }

    /// Writes the manifest as a document.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&self, to: impl Write) -> io::Result<()> {
        let mut to = BufWriter::new(to);
        serde_json::to_writer(&mut to, self)?;
        to.write_all(b"\n")?;
        to.flush()
    }

    /// Writes it to a file: whoever reads it meets the whole old one or the whole new one.
    ///
    /// # Errors
    /// The system's.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        disk::replace(path, |to| self.write(to))
    }
}

/// Why a manifest can't be used.
#[derive(Debug)]
pub enum ManifestError {
    Io(io::Error),
    /// More bytes than a manifest may have.
    TooLarge,
    /// More values beside the plans than any run writes.
    TooManyValues,
    /// More eras than any run keeps; as many as it may have.
    TooMany {
        eras: usize,
    },
    /// More traces or spans than any run comes to.
    Totals,
    /// No JSON, or cut off, or not the fields of a manifest: line and column are in the error.
    Json(serde_json::Error),
    /// JSON, but no manifest.
    NotAManifest,
    /// Of another format.
    Format(u32),
    /// A plan in it can't be used.
    Plan {
        digest: String,
        error: PlanFileError,
    },
    /// A plan stands under a digest that is not its own.
    Digest {
        written: String,
        found: String,
    },
    /// An era's plan is not in the manifest.
    NoPlan {
        first: u64,
        digest: String,
    },
    /// An era has weights that its plan can't have.
    Weights {
        first: u64,
        problem: String,
    },
    /// An era has arrivals that can't be.
    Schedule(ScheduleError),
    /// An era begins before the one before it has ended, or the first not with trace 0.
    Order {
        first: u64,
    },
    /// The ids of seed, plan and schedule have another tag.
    Tag {
        written: String,
        found: String,
    },
    /// The shard is none of so many.
    Shard(u64, u64),
    /// Merged shards are not of one run, or out of order.
    Shards,
}

impl std::error::Error for ManifestError {}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let edited = "it was edited, or is damaged: take the manifest as the run wrote it";
        match self {
            ManifestError::Io(error) => write!(f, "{error}"),
            ManifestError::TooLarge => {
                write!(f, "a manifest has at most {} MiB", Manifest::MOST_BYTES >> 20)
            }
            ManifestError::TooManyValues => {
                write!(f, "a manifest lists at most {MOST_VALUES} values beside its plans; {edited}")
            }
            ManifestError::TooMany { eras } => write!(f, "a manifest has at most {eras} eras; {edited}"),
            ManifestError::Totals => write!(f, "the manifest's run came to more than can be counted; {edited}"),
            ManifestError::Json(error) if error.is_eof() => {
                write!(f, "the manifest is cut off ({error}): take it whole from the run that wrote it")
            }
            ManifestError::Json(error) => write!(f, "no valid manifest: {error}"),
            ManifestError::NotAManifest => {
                write!(
                    f,
                    "no manifest: `tracegen run --manifest FILE` writes one, a running serve has it at /api/manifest"
                )
            }
            ManifestError::Format(found) => write!(
                f,
                "the manifest has format {found}, this tracegen reads {}: use the version that wrote it",
                Manifest::FORMAT
            ),
            ManifestError::Plan { digest, error } => write!(f, "plan {} of the manifest: {error}", shortened(digest)),
            ManifestError::Digest { written, found } => {
                write!(f, "the manifest's plan {} is {}; {edited}", shortened(written), shortened(found))
            }
            ManifestError::NoPlan { first, digest } => write!(
                f,
                "the manifest's era that begins with trace {first} names plan {}, which is not in it; {edited}",
                shortened(digest)
            ),
            ManifestError::Weights { first, problem } => {
                write!(f, "the weights of the manifest's era that begins with trace {first}: {problem}; {edited}")
            }
            ManifestError::Schedule(error) => write!(f, "the manifest's schedule: {error}; {edited}"),
            ManifestError::Order { first } => {
                write!(f, "the manifest's era that begins with trace {first} is out of order; {edited}")
            }
            ManifestError::Tag { written, found } => {
                write!(f, "the manifest's tag is {}, its plan and schedule give {found}; {edited}", shortened(written))
            }
            ManifestError::Shard(k, n) => write!(f, "the manifest's shard is {k} of {n}; {edited}"),
            ManifestError::Shards => write!(f, "the manifest's shards don't belong together; {edited}"),
        }
    }
}

/// As people see a digest, however long what stands in its place is.
fn shortened(digest: &str) -> String {
    digest.chars().take(8).collect()
}
