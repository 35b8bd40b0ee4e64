//! Plan files, which `compile -o` writes and `run` reads. A plan file is a JSON document with a format mark, a version, the
//! digest for people and tools, and the program. It is not trusted: the program is verified, and the digest must be its
//! own.

use super::{Plan, Program, Violations};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::fmt;
use std::io::{self, Read, Write};

/// The maximum size of a plan file in bytes; a span takes about 1 KiB. Reading an ordinary one takes 4 times as much
/// memory.
const MAX_BYTES: u64 = 32 << 20;
/// The maximum number of values in a plan file, counted by the commas after them. An ordinary plan has one in 13 bytes.
/// They take about 70 bytes each if serde has to buffer them to find a tag, as in a constant list of ints.
const MAX_VALUES: usize = 1 << 22;
const FORMAT: &str = "tracegen plan";
/// The version of the document. The meaning of the program has a version of its own: [`super::SEMANTICS`].
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    format: &'a str,
    version: u32,
    digest: String,
    program: &'a Program,
}

/// The part that is read first and alone, because a document of another version may hold a program that this tracegen can't
/// read.
#[derive(Deserialize)]
struct Header {
    format: Option<String>,
    version: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(rename = "format")]
    _format: String,
    #[serde(rename = "version")]
    _version: u32,
    digest: String,
    program: Program,
}

/// The reason why a plan file can't be read or written.
#[derive(Debug)]
pub enum PlanFileError {
    /// The file can't be read or written.
    Io(io::Error),
    /// The file has more bytes or values than a plan file may have.
    TooLarge,
    /// The file is not JSON, is cut off, or does not have the fields of a plan. The error names the line and the column.
    Json(serde_json::Error),
    /// The file is JSON, but not a plan file.
    NotAPlan,
    /// The file is of another version of the format.
    Version { found: u32 },
    /// The digest in the file is not that of its program.
    Digest { written: String, found: String },
    /// The program breaks invariants.
    Invalid(Violations),
}

impl Plan {
    /// Returns the content of the plan file, to be embedded in another document.
    #[expect(clippy::missing_panics_doc, reason = "a program is plain data, which JSON can hold")]
    pub fn document(&self) -> Box<RawValue> {
        serde_json::value::to_raw_value(&self.as_document()).expect("a program is plain data")
    }

    fn as_document(&self) -> Document<'_> {
        Document { format: FORMAT, version: VERSION, digest: self.digest_hex(), program: &self.program }
    }

    /// Writes the plan file.
    ///
    /// # Errors
    /// The file can't be written, or the plan is too large for a plan file.
    pub fn write_file(&self, to: impl Write) -> Result<(), PlanFileError> {
        let document = self.as_document();
        let mut to = Limited { to: io::BufWriter::new(to), bytes: MAX_BYTES, values: MAX_VALUES };
        let written = serde_json::to_writer(&mut to, &document).map_err(io::Error::from);
        match written.and_then(|()| to.write_all(b"\n")).and_then(|()| to.flush()) {
            // The system reports the same error if the file may not grow as far (`ulimit -f`).
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge && error.raw_os_error().is_none() => {
                Err(PlanFileError::TooLarge)
            }
            result => result.map_err(PlanFileError::Io),
        }
    }

    /// Reads a plan file and verifies it. Not more is read than a plan file may have, even from an endless source.
    ///
    /// # Errors
    /// The file can't be read, is not a plan file of this version, was changed or cut off, or holds a program that breaks
    /// an invariant.
    pub fn read_file(from: impl Read) -> Result<Plan, PlanFileError> {
        let mut bytes = vec![];
        from.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(PlanFileError::Io)?;
        if bytes.len() as u64 > MAX_BYTES || values(&bytes) > MAX_VALUES {
            return Err(PlanFileError::TooLarge);
        }
        // The JSON reader limits nesting to a depth of 128.
        let header: Header = serde_json::from_slice(&bytes).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => PlanFileError::NotAPlan,
            _ => PlanFileError::Json(error),
        })?;
        if header.format.as_deref() != Some(FORMAT) {
            return Err(PlanFileError::NotAPlan);
        }
        match header.version {
            Some(VERSION) => {}
            Some(found) => return Err(PlanFileError::Version { found }),
            None => return Err(PlanFileError::NotAPlan),
        }
        let body: Body = serde_json::from_slice(&bytes).map_err(PlanFileError::Json)?;
        drop(bytes);
        let plan = Plan::verify(body.program).map_err(PlanFileError::Invalid)?;
        let found = plan.digest_hex();
        if body.digest != found {
            return Err(PlanFileError::Digest { written: body.digest.chars().take(64).collect(), found });
        }
        Ok(plan)
    }
}

impl std::error::Error for PlanFileError {}

impl fmt::Display for PlanFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlanFileError::Io(error) => write!(f, "{error}"),
            PlanFileError::TooLarge => {
                write!(f, "a plan file has at most {} MiB and {MAX_VALUES} values", MAX_BYTES >> 20)
            }
            PlanFileError::Json(error) if error.is_eof() => {
                write!(f, "the plan file is cut off ({error}): write it again with `tracegen compile -o`")
            }
            PlanFileError::Json(error) => write!(f, "no valid plan file: {error}"),
            PlanFileError::NotAPlan => write!(f, "no plan file: `tracegen compile -o FILE` writes one"),
            PlanFileError::Version { found } => {
                write!(f, "the plan file has format version {found}, this tracegen reads {VERSION}: compile again")
            }
            PlanFileError::Digest { written, found } => {
                write!(f, "the plan file was changed: it says digest {written}, its program has {found}: compile again")
            }
            PlanFileError::Invalid(violations) => write!(f, "the plan file holds no valid plan: {violations}"),
        }
    }
}

/// Counts the values in a part of a plan file, by the commas after them.
fn values(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b',', bytes).count()
}

/// A writer that accepts a limited number of bytes and values.
struct Limited<W> {
    to: W,
    bytes: u64,
    values: usize,
}

impl<W: Write> Write for Limited<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes = self.bytes.checked_sub(bytes.len() as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        self.values = self.values.checked_sub(values(bytes)).ok_or(io::ErrorKind::FileTooLarge)?;
        self.to.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Returns the SHA-256 of a program's canonical bytes: JSON without white space, fields in their order, defaults left out,
/// and slots without their names, which are only for people.
pub(super) fn digest(mut program: Program) -> [u8; 32] {
    program.scenarios.iter_mut().flat_map(|scenario| &mut scenario.slots).for_each(String::clear);
    let mut hash = io::BufWriter::new(Hash(Sha256::new()));
    serde_json::to_writer(&mut hash, &program).expect("a program is plain data, and hashing never fails");
    hash.into_inner().unwrap_or_else(|_| unreachable!("hashing never fails")).0.finalize().into()
}

struct Hash(Sha256);

impl Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture;
    use serde_json::Value;

    fn file() -> Vec<u8> {
        let mut bytes = vec![];
        fixture::plan().write_file(&mut bytes).unwrap();
        bytes
    }

    /// Returns the error of reading the fixture's file after a change of its JSON.
    fn edited(edit: impl FnOnce(&mut Value)) -> PlanFileError {
        let mut json: Value = serde_json::from_slice(&file()).unwrap();
        edit(&mut json);
        Plan::read_file(json.to_string().as_bytes()).expect_err("the edit breaks the file")
    }

    #[test]
    fn a_plan_reads_back_as_it_was_written() {
        let plan = Plan::read_file(&file()[..]).unwrap();
        assert_eq!(*plan, fixture::program());
        assert_eq!(plan.digest(), fixture::plan().digest());
        assert_eq!(plan.digest_hex().len(), 64);
        assert!(plan.digest_hex().starts_with(&plan.digest_short()));
    }

    /// The file is in the repository, so this test fails if the format changes and its version does not.
    #[test]
    fn a_file_of_this_version_still_reads() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/plan_file/fixture.plan");
        let plan = Plan::read_file(std::fs::File::open(path).unwrap()).unwrap();
        assert_eq!(plan.digest(), fixture::plan().digest());
    }

    #[test]
    fn a_truncated_file_is_said_to_be_cut_off() {
        let whole = file();
        for len in (0..whole.len() - 2).step_by(7) {
            let error = Plan::read_file(&whole[..len]).unwrap_err();
            assert!(matches!(&error, PlanFileError::Json(e) if e.is_eof()), "{len}: {error}");
            assert!(error.to_string().starts_with("the plan file is cut off"), "{error}");
        }
    }

    #[test]
    fn what_is_no_plan_file_is_named_so() {
        for text in ["{}", "[]", "3", "null", r#"{"format": "another"}"#, r#"{"format": 3}"#] {
            assert!(matches!(Plan::read_file(text.as_bytes()), Err(PlanFileError::NotAPlan)), "{text}");
        }
        for text in ["services: [a]", "{\"format\": \u{0}}", "\u{feff}{}"] {
            assert!(matches!(Plan::read_file(text.as_bytes()), Err(PlanFileError::Json(_))), "{text}");
        }
        assert!(matches!(Plan::read_file(&[0xff, 0xfe][..]), Err(PlanFileError::Json(_))));
        let found = edited(|json| json["format"] = "tracegen manifest".into());
        assert_eq!(found.to_string(), "no plan file: `tracegen compile -o FILE` writes one");
    }

    #[test]
    fn another_version_is_refused_before_its_program_is_read() {
        let found = edited(|json| {
            json["version"] = 2.into();
            json["program"] = "in a form of its own".into();
        });
        assert_eq!(found.to_string(), "the plan file has format version 2, this tracegen reads 1: compile again");
    }

    #[test]
    fn a_changed_program_or_digest_is_refused() {
        assert!(matches!(edited(|json| json["digest"] = "00".into()), PlanFileError::Digest { .. }));
        let weight = edited(|json| json["program"]["scenarios"][0]["weight"] = 16.into());
        assert!(matches!(weight, PlanFileError::Digest { .. }));
        let invalid = edited(|json| json["program"]["scenarios"][0]["root"] = 99.into());
        assert!(matches!(invalid, PlanFileError::Invalid(_)));
        let unknown = edited(|json| json["program"]["blocks"][0]["sleep"] = 1.into());
        assert!(unknown.to_string().starts_with("no valid plan file: unknown field `sleep`"), "{unknown}");
    }

    #[test]
    fn size_and_nesting_are_limited() {
        assert!(matches!(Plan::read_file(io::repeat(b' ')), Err(PlanFileError::TooLarge)));
        let numbers = |n: usize| format!("[{}1]", "1,".repeat(n));
        assert!(matches!(Plan::read_file(numbers(MAX_VALUES).as_bytes()), Err(PlanFileError::NotAPlan)));
        assert!(matches!(Plan::read_file(numbers(MAX_VALUES + 1).as_bytes()), Err(PlanFileError::TooLarge)));
        let mut program = fixture::program();
        program.texts.push("x,".repeat(MAX_VALUES / 8));
        let written = |program: &Program| {
            let mut to = Limited { to: io::sink(), bytes: MAX_BYTES, values: MAX_VALUES };
            serde_json::to_writer(&mut to, program).map_err(io::Error::from)
        };
        assert!(written(&program).is_ok());
        (0..8).for_each(|_| program.texts.push("x,".repeat(MAX_VALUES / 8)));
        assert_eq!(written(&program).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        let deep = "[".repeat(100_000);
        assert!(matches!(Plan::read_file(deep.as_bytes()), Err(PlanFileError::NotAPlan)));
        let ignored = format!("{{\"extra\": {deep}");
        assert!(matches!(Plan::read_file(ignored.as_bytes()), Err(PlanFileError::Json(_))));
        let list = format!("{}{}", "{\"list\":[".repeat(100_000), "]}".repeat(100_000));
        let text = String::from_utf8(file()).unwrap().replacen("{\"text\":0}", &list, 1);
        let error = Plan::read_file(text.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("recursion limit exceeded"), "{error}");
    }

    #[test]
    fn a_failing_writer_is_an_error() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert!(matches!(fixture::plan().write_file(Full), Err(PlanFileError::Io(_))));
    }

    #[test]
    fn the_digest_is_of_the_program_not_of_its_spelling() {
        let json: Value = serde_json::from_slice(&file()).unwrap();
        // A `Value` sorts its keys, unlike the fields of a program.
        assert_ne!(json.to_string().as_bytes(), &file()[..]);
        let pretty = serde_json::to_string_pretty(&json).unwrap();
        assert_eq!(Plan::read_file(pretty.as_bytes()).unwrap().digest(), fixture::plan().digest());
    }

    #[test]
    fn the_digest_covers_every_field_that_executes() {
        let plain = fixture::plan().digest();
        let edits: [fn(&mut Program); 5] = [
            |p| p.scenarios[0].weight = 1.0,
            |p| p.texts[0].push('x'),
            |p| p.scenarios[0].vars.swap(0, 1),
            |p| p.errors[0].message = None,
            |p| p.blocks[0].code[1] = crate::plan::Inst::Delay { min: 0, max: 1 },
        ];
        for edit in edits {
            let mut program = fixture::program();
            edit(&mut program);
            assert_ne!(digest(program), plain);
        }
    }

    #[test]
    fn a_slot_of_another_name_is_the_same_program() {
        let mut program = fixture::program();
        program.scenarios[0].slots[0] = "customer".into();
        assert_eq!(digest(program), fixture::plan().digest());
    }

    /// Constructs that a program does not use take no part in its canonical bytes, so a plan keeps its digest when the
    /// language grows. The digest changes only with [`crate::plan::SEMANTICS`].
    #[test]
    fn what_is_not_used_encodes_to_nothing() {
        let mut program = fixture::program();
        program.scenarios[1].vars.clear();
        let text = serde_json::to_string(&program).unwrap();
        let used = serde_json::to_string(&program.scenarios[0]).unwrap();
        assert!(used.contains("vars") && text.matches("\"vars\"").count() == 1);
        assert_eq!(text.matches("\"constants\"").count(), 1);
        assert_eq!(text.matches("\"message\"").count(), 1);
        assert!(!text.contains("dist"));
        let form = fixture::span(&mut program, 0);
        (form.name, form.attrs) = Default::default();
        let block = serde_json::to_string(&*fixture::span(&mut program, 0)).unwrap();
        assert!(!block.contains("name") && !block.contains("attrs"), "{block}");
        insta::assert_snapshot!(fixture::plan().digest_hex(), @"81ad01c1f3fc121f2bf88263845d47f74c5b756a67729e06813c2fdea47cf08a");
    }
}
