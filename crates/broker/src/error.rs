use std::path::PathBuf;
use std::time::Duration;

/// What the broker could not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The queue file could not be opened or made.
    #[error("the queue file {path:?} cannot be opened: {reason}")]
    Unopenable {
        /// The queue file.
        path: PathBuf,
        /// What the system or `SQLite` said.
        reason: String,
    },
    /// Another process, or another broker of this one, has the queue file.
    #[error("the queue file {path:?} is in use: stop the process that holds {lock:?}")]
    InUse {
        /// The queue file.
        path: PathBuf,
        /// The lock file beside it.
        lock: PathBuf,
    },
    /// The file holds what `SQLite` cannot have written.
    #[error(
        "the queue file {path:?} is damaged ({reason}): stop, move it and the -wal file beside it \
         away, and start with a new one; `sqlite3 {path:?} .recover` shows what can be saved"
    )]
    Damaged {
        /// The queue file.
        path: PathBuf,
        /// What `SQLite` said.
        reason: String,
    },
    /// The file was written by a newer Tidings.
    #[error(
        "the queue file {path:?} has schema version {found} and this program knows up to {known}: \
         run the newer version that wrote it"
    )]
    TooNew {
        /// The queue file.
        path: PathBuf,
        /// The version in the file.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// The payload is over the limit.
    #[error("a job of {size} bytes is too large: at most {max} are carried")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The disk under the queue file is full.
    #[error(
        "the disk of the queue file {path:?} is full: free some space, and it goes on by itself"
    )]
    DiskFull {
        /// The queue file.
        path: PathBuf,
    },
    /// The queue file did not take a commit, or could not be read.
    #[error("the queue file {path:?} cannot be used: {reason}")]
    Unusable {
        /// The queue file.
        path: PathBuf,
        /// What `SQLite` said.
        reason: String,
    },
    /// The URL of a broker says nothing that can be used.
    #[error("the broker's URL cannot be used: {reason}")]
    BadUrl {
        /// What is wrong with it, without its password.
        reason: String,
    },
    /// RabbitMQ cannot be reached, or the connection to it was lost.
    #[error("RabbitMQ at {at} is away: {reason}; it is tried again until it answers")]
    Away {
        /// Host and port.
        at: String,
        /// What the system or the server said.
        reason: String,
    },
    /// RabbitMQ takes no more: it is short of memory or disk.
    #[error("RabbitMQ at {at} blocks publishing: it is short of memory or disk")]
    Blocked {
        /// Host and port.
        at: String,
    },
    /// RabbitMQ answered that it did not take the job.
    #[error("RabbitMQ did not take the job: {reason}")]
    Refused {
        /// Why, as far as it says.
        reason: String,
    },
    /// There is a queue of this name that is not as this program makes it.
    #[error(
        "RabbitMQ has a queue {queue} with other arguments ({reason}): delete it once it is empty, \
         or set broker.namespace to another name"
    )]
    OtherArguments {
        /// The queue's whole name.
        queue: String,
        /// What the server said.
        reason: String,
    },
    /// The broker did not get to it in time.
    #[error("the broker is busy: nothing came of it within {waited:?}")]
    Busy {
        /// How long was waited.
        waited: Duration,
    },
    /// The broker was closed, or its writer has ended.
    #[error("the broker is closed")]
    Closed,
    /// The connection over which jobs came is gone: RabbitMQ offers them again.
    #[error("the connection over which the jobs came is gone")]
    Lost,
    /// The queue was not declared when the broker was opened.
    #[error("there is no queue {name}: it is missing from `wire::Queue::ALL`")]
    NoQueue {
        /// The queue's name.
        name: &'static str,
    },
}

impl Error {
    /// Whether the same may succeed later, without anybody changing the program or its files.
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::DiskFull { .. }
                | Self::Unusable { .. }
                | Self::Away { .. }
                | Self::Blocked { .. }
                | Self::Refused { .. }
                | Self::Lost
                | Self::Busy { .. }
        )
    }
}
