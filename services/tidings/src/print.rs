//! What the commands say to a person.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "commands talk to a person"
)]

/// A line on standard output.
pub fn line(text: &str) {
    println!("{text}");
}

/// Why a command failed, on standard error.
pub fn error(text: &str) {
    eprintln!("tidings: {text}");
}
