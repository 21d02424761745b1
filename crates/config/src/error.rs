use std::io;
use std::path::PathBuf;

/// Why there is no configuration. The messages are for the operator; none shows a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration file could not be read.
    #[error("the configuration file {path:?} cannot be read: {source}")]
    UnreadableFile {
        /// The file as it was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The configuration file is not TOML. The line itself is not quoted: it may hold a secret.
    #[error("{file} is not valid TOML: line {line}: {message}")]
    Syntax {
        /// Which file.
        file: String,
        /// Counted from 1.
        line: usize,
        /// What the parser expected.
        message: String,
    },
    /// A key of the file that does not exist.
    #[error("unknown key `{name}` in {file}{hint}")]
    UnknownKey {
        /// Its dotted name.
        name: String,
        /// Which file.
        file: String,
        /// What was probably meant.
        hint: String,
    },
    /// A variable that is named as configuration is, and is none.
    #[error("unknown variable {name} in the environment{hint}")]
    UnknownVariable {
        /// Its name.
        name: String,
        /// What was probably meant.
        hint: String,
    },
    /// A value and the file to read it from were both given in one place.
    #[error("`{key}` is set both {first} and {second}: keep one of them")]
    SetTwice {
        /// The dotted name of the key.
        key: &'static str,
        /// Where the one came from.
        first: String,
        /// Where the other came from.
        second: String,
    },
    /// The file that holds a value could not be read.
    #[error("`{key}` cannot be read from the file {path:?}, named {origin}: {source}")]
    UnreadableValue {
        /// The dotted name of the key.
        key: &'static str,
        /// Where the file was named.
        origin: String,
        /// The file as it was named.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A value that the key does not take.
    #[error("`{key}`, set {origin}, {problem}; it must be {allowed}")]
    Invalid {
        /// The dotted name of the key.
        key: &'static str,
        /// Where the value came from.
        origin: String,
        /// What is wrong with it.
        problem: String,
        /// What the key takes.
        allowed: &'static str,
    },
    /// A key that needs a value has none.
    #[error("`{key}` has no value")]
    Unset {
        /// The dotted name of the key.
        key: &'static str,
    },
    /// A database file cannot be shared by the processes that an AMQP broker connects.
    #[error(
        "`broker.url` is an amqp broker, which several processes share, but `store.url` is a sqlite file, \
         which they cannot: set `store.url` to postgres://…, or `broker.url` to embedded: to run everything \
         in one process"
    )]
    SqliteBesideAmqp,
    /// Processes around one database must be able to read each other's secrets.
    #[error(
        "`broker.url` is an amqp broker, so `store.encryption_key` must be set, the same in every process: \
         set TIDINGS_STORE__ENCRYPTION_KEY, or TIDINGS_STORE__ENCRYPTION_KEY_FILE, to 32 bytes in base64 \
         (openssl rand -base64 32)"
    )]
    NoEncryptionKey,
    /// There is no change of a key without the key it is changed to.
    #[error(
        "`store.previous_encryption_key` is set and `store.encryption_key` is not: set that to the key that \
         secrets are to be sealed with, or leave out both for the key that is kept in data_dir"
    )]
    PreviousKeyAlone,
    /// A key is not changed to itself.
    #[error(
        "`store.previous_encryption_key` is the same key as `store.encryption_key`: set \
         `store.encryption_key` to a new one (openssl rand -base64 32), or leave out the previous one"
    )]
    SameKeyTwice,
    /// An embedded broker is not seen by other processes.
    #[error(
        "`broker.url` is embedded:, whose jobs no other process sees, so this process must run all roles: \
         leave out --roles, or set `broker.url` to amqp://… and `store.url` to postgres://…"
    )]
    PartialRoles,
    /// The layers could not be put on top of each other.
    #[error("the configuration cannot be merged: {0}")]
    Merge(#[source] Box<dyn std::error::Error + Send + Sync>),
}
