//! Why a process cannot start, or cannot go on.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What can go wrong around a process.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing can listen there.
    #[error(
        "the {name} listener cannot bind {address}: {source}; free the address or configure another"
    )]
    Bind {
        /// Which listener.
        name: &'static str,
        /// Where it should have listened.
        address: SocketAddr,
        /// Why it could not.
        source: io::Error,
    },
    /// A listener ended by itself.
    #[error("the {name} listener failed: {source}")]
    Listener {
        /// Which listener.
        name: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The data directory is in use: a mistake of whoever started the second process.
    #[error(
        "another process holds {}; stop it, or give this one a data_dir of its own",
        lock.display()
    )]
    Held {
        /// The lock file.
        lock: PathBuf,
    },
    /// Something in the data directory cannot be made or written.
    #[error("cannot write {}: {source}; data_dir must be a directory this user may write", path.display())]
    DataDir {
        /// What could not be written.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The process cannot receive signals.
    #[error("cannot listen for SIGTERM and SIGINT: {0}")]
    Signals(#[source] io::Error),
}
