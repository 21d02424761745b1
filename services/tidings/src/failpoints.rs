//! Where this process is to die, for tests: this module is only in a build with the feature `failpoints`,
//! which nobody ships.
//!
//! The one place outside of `config` that reads the environment. What it reads is no setting of the
//! product: `config` does not know these names, no file can hold them, and without the feature they
//! mean nothing.

use std::path::PathBuf;
use tidings::exit::Failure;

/// The point, and which pass of it: `tracker.between_commits:3`.
const POINT: &str = "TIDINGS_FAILPOINT";
/// The file from whose being there on passes count; from the beginning where none is named.
const FROM: &str = "TIDINGS_FAILPOINT_FROM";
/// The file to write at the point.
const MARKER: &str = "TIDINGS_FAILPOINT_MARKER";

/// Arms the failpoint that the environment names, if it names one.
///
/// Fails when there is no such point, or no marker is named.
pub(crate) fn arm() -> Result<(), Failure> {
    let Some(told) = variable(POINT) else {
        return Ok(());
    };
    let marker = variable(MARKER)
        .ok_or_else(|| Failure::configuration(format!("{POINT} needs {MARKER} beside it")))?;
    failpoint::arm(
        &told,
        variable(FROM).map(PathBuf::from),
        PathBuf::from(marker),
    )
    .map_err(|unclear| Failure::configuration(format!("{POINT}: {unclear}")))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a build for tests is told where to die"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
