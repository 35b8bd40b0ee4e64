//! OTLP files, and standard input. What is damaged is told with its place, and the rest is read.

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

/// Between two looks.
const EVERY: Duration = Duration::from_millis(100);

/// # Errors
/// A file can't be opened.
pub fn read(paths: &[PathBuf], verifier: &mut Verifier, watch: &mut dyn FnMut(&Verifier)) -> Result<(), SourceError> {
    let open = |path: &PathBuf| match File::open(path) {
        Ok(_) if path.is_dir() => Err(SourceError(format!("{}: a directory; name its files", path.display()))),
        Ok(file) => Ok((path.display().to_string(), file)),
        Err(error) => Err(SourceError(format!("{}: {error}", path.display()))),
    };
    // None is read for nothing where another can't be opened.
    let files: Vec<(String, File)> = paths.iter().map(open).collect::<Result<_, _>>()?;
    files.into_iter().for_each(|(name, file)| stream(&name, file, verifier, watch));
    Ok(())
}

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
        reader.damages.add(Damage { why: format!("{}; nothing after it is read", damage.why), ..damage });
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
    /// # Errors
    /// From some place on it can't be read.
    fn read(&mut self, stream: impl BufRead) -> Result<(), Damage> {
        let mut frames = match content(stream).map_err(|error| Damage::new(0, error))? {
            Content::Json(begins, stream) => return self.json(stream, &|at| begins + at),
            Content::Frames(frames) => frames,
        };
        while let Some(frame) = frames.next()? {
            let place = |at| if frame.packed { frame.at } else { frame.at + at };
            if frame.is_json() {
                self.json(&*frame.body, &place)?;
            } else {
                let read = self.verifier.request(&frame.body, None);
                self.damages.extend(read.map_err(|damage| Damage { at: place(damage.at), ..damage }));
            }
            self.look();
        }
        Ok(())
    }

    /// JSON; `place` tells where in the file a byte of it is.
    ///
    /// # Errors
    /// From some place on it can't be read.
    fn json(&mut self, stream: impl Read, place: &dyn Fn(u64) -> u64) -> Result<(), Damage> {
        let mut groups = Groups::new(stream);
        loop {
            let read = match groups.read() {
                Ok(None) => return Ok(()),
                Ok(Some(Found::Group(begins, text))) => {
                    self.verifier.json_group(text, None).map_err(|damage| damage.moved(begins))
                }
                Ok(Some(Found::Damaged(damage))) => Err(damage),
                Err(error) => return Err(Damage::new(place(groups.place()), error)),
            };
            self.damages.extend(read.map_err(|damage| Damage { at: place(damage.at), ..damage }));
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
