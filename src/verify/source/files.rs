//! OTLP files and standard input. Damage is reported with its place, and reading goes on behind it.

use super::SourceError;
use super::frames::{Content, content};
use super::inflate::{Inflated, inflated};
use crate::otlp::damage::{Damage, Damages};
use crate::otlp::stream::{Found, Groups};
use crate::verify::Verifier;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The time between two calls of `watch`.
const EVERY: Duration = Duration::from_millis(100);

/// Shows every span of the files to the verifier.
///
/// # Errors
/// A file can't be opened.
pub fn read(paths: &[PathBuf], verifier: &mut Verifier, watch: &mut dyn FnMut(&Verifier)) -> Result<(), SourceError> {
    let open = |path: &PathBuf| match File::open(path) {
        Ok(_) if path.is_dir() => Err(SourceError(format!("{}: a directory; name its files", path.display()))),
        Ok(file) => Ok((path.display().to_string(), file)),
        Err(error) => Err(SourceError(format!("{}: {error}", path.display()))),
    };
    // All files are opened first, so that nothing is read in vain when one can't be opened.
    let files: Vec<(String, File)> = paths.iter().map(open).collect::<Result<_, _>>()?;
    files.into_iter().for_each(|(name, file)| stream(&name, file, verifier, watch));
    Ok(())
}

/// Shows every span of standard input to the verifier.
pub fn read_stdin(verifier: &mut Verifier, watch: &mut dyn FnMut(&Verifier)) {
    stream("standard input", io::stdin(), verifier, watch);
}

fn stream(name: &str, from: impl Read, verifier: &mut Verifier, watch: &mut dyn FnMut(&Verifier)) {
    let Inflated { stream, packed } = match inflated(from) {
        Ok(inflated) => inflated,
        Err(error) => return verifier.damaged(format!("{name}: {error}")),
    };
    let mut reader = Reader { verifier, watch, looked: Instant::now(), damages: Damages::default() };
    if let Err(damage) = reader.read(stream) {
        reader.damages.add(Damage { reason: format!("{}; nothing after it is read", damage.reason), ..damage });
    }
    if let Some(damage) = reader.damages.all() {
        let unpacked = if packed { ", unpacked" } else { "" };
        verifier.damaged(format!("{name}{unpacked}: {damage}"));
    }
}

struct Reader<'r> {
    verifier: &'r mut Verifier,
    watch: &'r mut dyn FnMut(&Verifier),
    looked: Instant,
    damages: Damages,
}

impl Reader<'_> {
    /// Reads a stream to its end.
    ///
    /// # Errors
    /// The stream can't be read from some place on.
    fn read(&mut self, stream: impl BufRead) -> Result<(), Damage> {
        let mut frames = match content(stream).map_err(|error| Damage::new(0, error))? {
            Content::Json(begins, stream) => return self.json(stream, &|offset| begins + offset),
            Content::Frames(frames) => frames,
        };
        while let Some(frame) = frames.next()? {
            let place = |offset| if frame.packed { frame.offset } else { frame.offset + offset };
            if frame.is_json() {
                self.json(&*frame.body, &place)?;
            } else {
                let read = self.verifier.request(&frame.body, None);
                self.damages.extend(read.map_err(|damage| Damage { offset: place(damage.offset), ..damage }));
            }
            self.look();
        }
        Ok(())
    }

    /// Reads JSON. `place` converts an offset in the JSON to one in the file.
    ///
    /// # Errors
    /// The stream can't be read from some place on.
    fn json(&mut self, stream: impl Read, place: &dyn Fn(u64) -> u64) -> Result<(), Damage> {
        let mut groups = Groups::new(stream);
        loop {
            let read = match groups.read() {
                Ok(None) => return Ok(()),
                Ok(Some(Found::Group(begins, group))) => {
                    self.verifier.json_group(group, None).map_err(|damage| damage.moved(begins))
                }
                Ok(Some(Found::Damaged(damage))) => Err(damage),
                Err(error) => return Err(Damage::new(place(groups.place()), error)),
            };
            self.damages.extend(read.map_err(|damage| Damage { offset: place(damage.offset), ..damage }));
            self.look();
        }
    }

    fn look(&mut self) {
        if self.looked.elapsed() >= EVERY {
            self.looked = Instant::now();
            (self.watch)(self.verifier);
        }
    }
}
