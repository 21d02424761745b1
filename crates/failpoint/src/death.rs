//! Where this process is to die, and how it does.

use crate::Point;
use fail_parallel::{FailPointRegistry, cfg_callback, fail_point};
use std::fmt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

/// What dies is the process as a whole, so this is of the process as a whole.
static ARMED: OnceLock<Arc<FailPointRegistry>> = OnceLock::new();

/// What was told is no point with a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unclear(String);

impl fmt::Display for Unclear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = &self.0;
        write!(
            f,
            "`{told}` is no failpoint: name one, as `tracker.between_commits`, or one and which pass of it, as `tracker.between_commits:3`"
        )
    }
}

impl std::error::Error for Unclear {}

/// Has this process die at a point: `told` is its name, or its name and which pass of it counts, from 1
/// (`tracker.between_commits:3`). Where `from` names a file, passes count once it is there. The last thing it
/// does is to write the point's name into `marker`. Being told again changes nothing.
///
/// Fails when there is no such point, or the number is none.
pub fn arm(told: &str, from: Option<PathBuf>, marker: PathBuf) -> Result<(), Unclear> {
    let unclear = || Unclear(told.to_owned());
    let (point, pass) = parse(told).ok_or_else(unclear)?;
    let registry = Arc::new(FailPointRegistry::new());
    let left = AtomicU32::new(pass);
    let reached = move || {
        let counts = from.as_ref().is_none_or(|from| from.exists());
        if counts && left.fetch_sub(1, Ordering::SeqCst) == 1 {
            die(point, &marker);
        }
    };
    cfg_callback(Arc::clone(&registry), point.as_str(), reached).map_err(Unclear)?;
    let _ = ARMED.set(registry);
    Ok(())
}

/// Comes by a point: [`crate::reach!`] says where.
pub fn pass(point: Point) {
    if let Some(registry) = ARMED.get() {
        fail_point!(Arc::clone(registry), point.as_str());
    }
}

fn parse(told: &str) -> Option<(Point, u32)> {
    let (name, pass) = told.split_once(':').unwrap_or((told, "1"));
    let point = Point::ALL
        .into_iter()
        .find(|point| point.as_str() == name)?;
    let pass = pass.parse().ok().filter(|pass| *pass > 0)?;
    Some((point, pass))
}

/// SIGKILL, as from outside: nothing is unwound, flushed or closed. The thread that came by does nothing
/// more; the others are cut off wherever they are.
fn die(point: Point, marker: &std::path::Path) -> ! {
    // Without the marker, its test fails.
    let _ = std::fs::write(marker, point.as_str());
    let own = std::process::id().to_string();
    let _ = Command::new("kill").args(["-KILL", &own]).status();
    // There is no `kill` here.
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_told_by_its_name_and_which_pass() {
        let point = Point::TrackerBetweenCommits;
        assert_eq!(parse("tracker.between_commits"), Some((point, 1)));
        assert_eq!(parse("tracker.between_commits:3"), Some((point, 3)));
        for unclear in [
            "",
            "tracker",
            "tracker.between_commits:0",
            "tracker.between_commits:x",
        ] {
            assert_eq!(parse(unclear), None, "{unclear}");
        }
    }

    #[test]
    fn a_process_that_was_told_nothing_goes_on() {
        pass(Point::TrackerBetweenCommits);
        crate::reach!(TrackerBetweenCommits if true);
    }
}
