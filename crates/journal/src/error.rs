use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the journal could not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder, or a file in it, could not be opened or made.
    #[error(
        "the journal cannot be opened: {path:?}: {reason}; it needs to be readable and writable"
    )]
    Unopenable {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Another process, or another journal of this one, has the folder.
    #[error("the journal {folder:?} is in use: stop the process that holds {lock:?}")]
    InUse {
        /// The journal's folder.
        folder: PathBuf,
        /// The lock file in it.
        lock: PathBuf,
    },
    /// A file was written by a newer Tidings.
    #[error(
        "the journal file {path:?} has format version {found} and this program knows up to {known}: \
         run the newer version that wrote it until the journal is empty"
    )]
    TooNew {
        /// The segment's file.
        path: PathBuf,
        /// The version in the file.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// The payload is over the limit.
    #[error("a record of {size} bytes is too large: at most {max} are taken")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The journal has as many bytes as it may.
    #[error(
        "the journal {folder:?} is full: it may have {max_bytes} bytes; records must be forwarded \
         first, or it be allowed more"
    )]
    Full {
        /// The journal's folder.
        folder: PathBuf,
        /// What it may have, in bytes.
        max_bytes: u64,
    },
    /// The disk under the journal is full.
    #[error(
        "the disk of the journal {folder:?} is full: free some space, and it goes on by itself"
    )]
    DiskFull {
        /// The journal's folder.
        folder: PathBuf,
    },
    /// A file did not take a write, or could not be read.
    #[error("the journal {path:?} cannot be used: {reason}; it is tried again until it can")]
    Unusable {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The journal did not get to it in time.
    #[error("the journal is busy: nothing came of it within {waited:?}")]
    Busy {
        /// How long was waited.
        waited: Duration,
    },
    /// The journal was closed, or its writer has ended.
    #[error("the journal is closed")]
    Closed,
}

impl Error {
    /// Whether the same may succeed later, without anybody changing the program or its files.
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Full { .. } | Self::DiskFull { .. } | Self::Unusable { .. } | Self::Busy { .. }
        )
    }

    pub(crate) fn unopenable(path: &Path, error: &io::Error) -> Self {
        Self::Unopenable {
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }

    /// What it means that a write or a sync failed.
    pub(crate) fn unwritable(folder: &Path, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull {
                folder: folder.to_owned(),
            },
            _ => Self::unusable(folder, error),
        }
    }

    pub(crate) fn unusable(path: &Path, error: &io::Error) -> Self {
        Self::Unusable {
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }
}
