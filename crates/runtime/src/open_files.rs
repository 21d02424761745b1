//! How many files, and so connections, this process may have open.

use rustix::process::{Resource, getrlimit, setrlimit};

/// What is kept for everything but the listeners: deliveries under way, the store, the broker, files.
const RESERVED: u64 = 4_096;

/// Raises the limit of open files to the highest that this process may have (`ulimit -Hn`), and says how many
/// that are.
pub fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let mut raised = limit;
    raised.current = limit.maximum;
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised.current.unwrap_or(u64::MAX),
        Err(error) => {
            tracing::warn!(%error, "the limit of open files stays as it is");
            limit.current.unwrap_or(u64::MAX)
        }
    }
}

/// How many connections a listener may have of these files, if there are two that want as many as they can
/// get. What is left answers the health checks.
pub fn connections_of(open_files: u64) -> usize {
    let reserved = RESERVED.min(open_files / 4);
    usize::try_from((open_files - reserved) / 2).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_listeners_and_what_is_reserved_fit_into_the_limit() {
        assert_eq!(connections_of(1_024), 384);
        assert_eq!(connections_of(20_000), 7_952);
        assert!(connections_of(u64::MAX) > 1_000_000);
        assert!(raise_open_files() > 0);
    }
}
