//! All that tracegen prints: results to stdout, what it says about the work to stderr.
//!
//! Where stderr can't be written (a full disk, `2>/dev/full`) a message is lost, and never the run: nothing here panics, as
//! `eprintln!` does. A result that can't be printed is a failure of the command.

use super::Failure;
use crate::text::foreign::foreign;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// Says a line on stderr, behind the name of the program. What others wrote may be in it: nothing of it is obeyed.
pub fn say(line: impl Display) {
    tell(format_args!("tracegen: {}\n", foreign(&line.to_string())));
}

/// Writes text to stderr as it is, without its colours where they are not wanted.
pub fn tell(text: impl Display) {
    // In one piece, so that the lines of several threads don't mix. There is nobody to tell that it could not be said.
    let _ = anstream::stderr().lock().write_all(text.to_string().as_bytes());
}

/// Prints a result to stdout as it is.
///
/// # Errors
/// It can't be written. A reader that has seen enough (`| head`) is no failure.
pub fn print(text: &str) -> Result<(), Failure> {
    write_result(io::stdout().lock(), |stdout| stdout.write_all(text.as_bytes()))
}

/// Prints a result to stdout, without its colours where they are not wanted.
///
/// # Errors
/// As [`print`].
pub fn print_styled(text: &str) -> Result<(), Failure> {
    write_result(anstream::stdout().lock(), |stdout| stdout.write_all(text.as_bytes()))
}

/// Prints a result to stdout as `write` writes it.
///
/// # Errors
/// As [`print`].
pub fn print_with(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    write_result(io::stdout().lock(), write)
}

fn write_result<W: Write>(mut stdout: W, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    // What is still buffered at the end of the process is lost without a word.
    match write(&mut stdout).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Failure::impossible(format!("stdout: {e}"))),
        _ => Ok(()),
    }
}
