//! OTLP files, and standard input. What is damaged is said with its place, and the rest is read.

use super::SourceError;
use super::frames::{Body, Frame, Frames, begins_again};
use super::inflate::inflated;
use crate::verify::Verifier;
use std::fs::File;
use std::io::{self, Read};
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
    let mut frames = match inflated(from) {
        Ok(stream) => Frames::new(stream),
        Err(error) => return verifier.damaged(format!("{name}: {error}")),
    };
    let mut looked = Instant::now();
    loop {
        match frames.next() {
            Ok(None) => return,
            Ok(Some(Frame { at, body: Body::Json(body) })) => line(name, at, &body, verifier),
            Ok(Some(Frame { at, body: Body::Protobuf(body) })) => {
                if let Err(error) = verifier.request(&body, None) {
                    verifier.damaged(format!("{name}: byte {at}: {error}"));
                }
            }
            Err(broken) => {
                verifier.damaged(format!("{name}: byte {}: {}; nothing after it is read", broken.at, broken.why));
                return;
            }
        }
        if looked.elapsed() >= EVERY {
            looked = Instant::now();
            watch(verifier);
        }
    }
}

/// A line of JSON; behind damage, from where the next request begins in it.
fn line(name: &str, mut at: u64, mut line: &[u8], verifier: &mut Verifier) {
    while !line.trim_ascii().is_empty() {
        let Err(error) = verifier.json_request(line, None) else { return };
        verifier.damaged(format!("{name}: byte {at}: {error}"));
        let Some(next) = begins_again(line) else { return };
        (at, line) = (at + next as u64, &line[next..]);
    }
}
