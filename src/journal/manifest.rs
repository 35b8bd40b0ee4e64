//! The manifest: a file with everything that is needed to generate the traces of a run again.
//!
//! A manifest is self-contained. It holds whole plans, so that it can be replayed anywhere. It is untrusted input:
//! [`super::Archive`] checks that its parts fit together.

mod file;
mod merge;
mod plans;

pub use file::ManifestFile;
pub use merge::{MergeError, Merged};
pub use plans::Plans;

use super::{Selection, Sending};
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

/// The maximum number of values in a manifest outside of its plans; a million eras are more than fit in its maximum size.
const MOST_VALUES: usize = 1 << 21;

/// The journal of a run: its seed, its plans, and the eras in which each plan and schedule applies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The format's version, [`Manifest::FORMAT`].
    pub format: u32,
    /// The version of tracegen that wrote the manifest.
    pub tracegen: String,
    pub seed: u64,
    /// The tag of the trace ids, in hexadecimal.
    pub tag: String,
    /// The traces that were generated.
    pub selection: Selection,
    /// How the spans left.
    #[serde(default, skip_serializing_if = "Sending::is_default")]
    pub sending: Sending,
    /// The traces were generated as fast as possible, so epochs were added by what was achieved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub full_speed: bool,
    /// The eras in their order. The first begins with trace 0; later ones may be missing if there were very many. The eras
    /// of merged shards stand side by side, in the order of the shards.
    pub eras: Vec<Era>,
    /// The plan files by their digests.
    pub plans: Plans,
    /// The destination of the traces, so that a stopped run can be resumed to the same place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Destination>,
    /// The totals; `None` if the run goes on, or could not write its end.
    pub ended: Option<Totals>,
}

/// An epoch of the schedule with the plan that applies in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Era {
    pub epoch: Epoch,
    /// The digest of the era's plan.
    pub plan: String,
    /// The weights that replace those of the plan, by scenario name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<String, f64>,
    /// The index after the era's last trace; `None` if it goes on.
    pub end: Option<u64>,
    /// The time when the era was stopped, in ns since 1970. What was not due by then ([`super::Dues`]) was not sent.
    pub stopped: Option<u64>,
    /// The shard of a merged manifest: only traces whose index leaves `shard.0` when divided by `shard.1` belong to the
    /// era.
    #[serde(default = "whole", skip_serializing_if = "is_whole")]
    pub shard: (u64, u64),
}

fn whole() -> (u64, u64) {
    (0, 1)
}

fn is_whole(shard: &(u64, u64)) -> bool {
    *shard == whole()
}

/// A destination of traces. It never contains a header or a password, so it can be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// The exporter, as `tracegen run --exporter` takes it.
    pub exporter: String,
    /// The whole URL of a collector or a database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The protocol of a collector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
}

/// The totals of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// The number of traces handed to the output.
    pub traces: u64,
    /// The number of spans handed to the output.
    pub spans: u64,
    /// The time when the run ended, in ns since 1970.
    #[serde(rename = "at")]
    pub time: u64,
    /// The account of the delivery; `None` if the traces went into a store only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
}

impl Totals {
    /// Returns the sum of the totals of two parts of one run, or `None` if it exceeds 64 bits.
    pub fn checked_add(&self, other: &Totals) -> Option<Totals> {
        let account = match (&self.account, &other.account) {
            (Some(one), Some(other)) => Some(one.checked_add(other)?),
            _ => None,
        };
        Some(Totals {
            traces: self.traces.checked_add(other.traces)?,
            spans: self.spans.checked_add(other.spans)?,
            time: self.time.max(other.time),
            account,
        })
    }

    /// Reports whether a run can have such totals. The limit is half of what 64 bits can count, so that another part can be
    /// added.
    fn is_plausible(&self) -> bool {
        self.checked_add(self).is_some()
    }
}

impl Era {
    /// Reports whether trace `index` belongs to the era.
    pub fn contains(&self, index: u64) -> bool {
        let (k, n) = self.shard;
        self.epoch.first <= index && self.end.is_none_or(|end| index < end) && index % n == k
    }
}

/// The fields that are read first, on their own, because the rest of a manifest in another format may be unreadable.
#[derive(Deserialize)]
struct Header<'a> {
    format: Option<u32>,
    tracegen: Option<String>,
    #[serde(borrow)]
    eras: Option<&'a RawValue>,
    #[serde(borrow)]
    ended: Option<&'a RawValue>,
}

/// Returns an upper bound on the number of values in a JSON text: one for each comma.
fn values(text: &[u8]) -> usize {
    memchr::memchr_iter(b',', text).count()
}

impl Manifest {
    /// The version of the format that this tracegen writes and reads.
    pub const FORMAT: u32 = 1;
    /// The maximum size of a manifest that is read, in bytes.
    pub const MOST_BYTES: u64 = 64 << 20;

    /// Reads a manifest. No more is read than a manifest may have, even from an endless source.
    ///
    /// # Errors
    /// The text is not a manifest, or one of another format, or cut off. [`super::Archive`] checks whether its parts fit
    /// together.
    pub fn read(reader: impl Read) -> Result<Manifest, ManifestError> {
        let mut bytes = vec![];
        reader.take(Manifest::MOST_BYTES + 1).read_to_end(&mut bytes).map_err(ManifestError::Io)?;
        if bytes.len() as u64 > Manifest::MOST_BYTES {
            return Err(ManifestError::TooLarge);
        }
        let mut headers = serde_json::Deserializer::from_slice(&bytes).into_iter::<Header>();
        // An empty text must not be taken for an empty document, so that the error says what is wrong.
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
    /// The system reports an error.
    pub fn write(&self, writer: impl Write) -> io::Result<()> {
        let mut writer = BufWriter::new(writer);
        serde_json::to_writer(&mut writer, self)?;
        writer.write_all(b"\n")?;
        writer.flush()
    }

    /// Writes the manifest to a file. Concurrent readers see either the whole old or the whole new content.
    ///
    /// # Errors
    /// The system reports an error.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        disk::replace(path, |to| self.write(to))
    }
}

/// The reasons why a manifest can't be used.
#[derive(Debug)]
pub enum ManifestError {
    Io(io::Error),
    /// The manifest has more bytes than allowed.
    TooLarge,
    /// There are more values outside of the plans than any run writes.
    TooManyValues,
    /// There are more eras than `eras`, the maximum.
    TooMany {
        eras: usize,
    },
    /// There are more traces or spans than any run can have.
    Totals,
    /// The text is not JSON, is cut off, or lacks fields of a manifest; the error has line and column.
    Json(serde_json::Error),
    /// The text is JSON, but not a manifest.
    NotAManifest,
    /// The manifest has another format.
    Format(u32),
    /// A plan in the manifest can't be used.
    Plan {
        digest: String,
        error: PlanFileError,
    },
    /// A plan's digest is not the one under which it is listed.
    Digest {
        written: String,
        found: String,
    },
    /// The plan of an era is not in the manifest.
    NoPlan {
        first: u64,
        digest: String,
    },
    /// An era has weights that its plan can't have.
    Weights {
        first: u64,
        problem: String,
    },
    /// An era has an impossible schedule.
    Schedule(ScheduleError),
    /// An era begins before the previous one has ended, or the first one does not begin with trace 0.
    Order {
        first: u64,
    },
    /// The tag is not the one that follows from the seed, plan and schedule.
    Tag {
        written: String,
        found: String,
    },
    /// A time by which spans are held back is out of range.
    Sending,
    /// The shard's number is not below the number of shards.
    Shard(u64, u64),
    /// Merged shards do not belong to one run, or are out of order.
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
            ManifestError::Totals => {
                write!(f, "the totals of the manifest's run are more than can be counted; {edited}")
            }
            ManifestError::Json(error) if error.is_eof() => {
                write!(f, "the manifest is cut off ({error}): take it whole from the run that wrote it")
            }
            ManifestError::Json(error) => write!(f, "not a valid manifest: {error}"),
            ManifestError::NotAManifest => {
                write!(
                    f,
                    "not a manifest: `tracegen run --manifest FILE` writes one, a running serve has it at /api/manifest"
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
            ManifestError::Sending => {
                write!(f, "the manifest holds spans back for longer than any run does; {edited}")
            }
            ManifestError::Shard(k, n) => write!(f, "the manifest's shard is {k} of {n}; {edited}"),
            ManifestError::Shards => write!(f, "the manifest's shards don't belong together; {edited}"),
        }
    }
}

/// Returns a digest in the form that is shown to people; any text in its place is cut to that length.
fn shortened(digest: &str) -> String {
    digest.chars().take(8).collect()
}
