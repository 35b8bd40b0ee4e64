//! Everything that tracegen prints: results to stdout, messages to stderr.
//!
//! If stderr can't be written (a full disk, `2>/dev/full`), the message is lost but the run goes on; `eprintln!` would
//! panic. A result that can't be printed is a failure of the command.

use super::Failure;
use crate::text::foreign::foreign;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// Prints a line on stderr, behind the name of the program. Foreign text in it is made safe for the terminal.
pub fn say(line: impl Display) {
    tell(format_args!("tracegen: {}\n", foreign(&line.to_string())));
}

/// Prints text on stderr unchanged, without colours if they are not wanted.
pub fn tell(text: impl Display) {
    // The text is written in one piece, so that lines of several threads do not mix. A failure is ignored, because there is
    // nowhere to report it.
    let _ = anstream::stderr().lock().write_all(text.to_string().as_bytes());
}

/// Prints a result to stdout unchanged.
///
/// # Errors
/// Stdout can't be written. It is not an error if the reader has seen enough (`| head`).
pub fn print(text: &str) -> Result<(), Failure> {
    write_result(io::stdout().lock(), |stdout| stdout.write_all(text.as_bytes()))
}

/// Prints a result to stdout, without colours if they are not wanted.
///
/// # Errors
/// The same as for [`print`].
pub fn print_styled(text: &str) -> Result<(), Failure> {
    write_result(anstream::stdout().lock(), |stdout| stdout.write_all(text.as_bytes()))
}

/// Prints to stdout what `write` writes.
///
/// # Errors
/// The same as for [`print`].
pub fn print_with(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    write_result(io::stdout().lock(), write)
}

fn write_result<W: Write>(mut stdout: W, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    // Bytes that are still buffered at the end of the process would be lost silently.
    match write(&mut stdout).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Failure::impossible(format!("stdout: {e}"))),
        _ => Ok(()),
    }
}
