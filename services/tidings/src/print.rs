//! What the commands say to a person.

use std::io::{self, Write};

/// A line on standard output. Nobody may be reading any more (`| head`): that is no failure.
pub fn line(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// Why a command failed, on standard error.
pub fn error(text: &str) {
    let _ = writeln!(io::stderr(), "tidings: {text}");
}
