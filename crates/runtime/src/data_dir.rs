//! The directory a process keeps its files in.

use crate::Error;
use serde_json::{Map, Value};
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

const ADDRESSES: &str = "addresses.json";

/// Serialises the processes that write their addresses.
const ADDRESSES_LOCK: &str = "addresses.lock";
/// The claim of a process that has the directory to itself.
const WHOLE: &str = "tidings";

/// A claimed data directory. The claim ends when this is dropped or the process dies, however it dies.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    names: Vec<String>,
    _locks: Vec<File>,
}

impl DataDir {
    /// Makes the directory where it is missing (mode 0700) and claims all of it, for one process.
    ///
    /// # Errors
    /// [`Error::Held`] when another process has the claim, [`Error::DataDir`] when the directory cannot be used.
    pub fn claim(path: impl Into<PathBuf>) -> Result<Self, Error> {
        Self::claim_parts(path, &[WHOLE])
    }

    /// Makes the directory where it is missing (mode 0700) and claims these parts of it, by locking
    /// `<part>.lock` for each: other processes may have other parts. Removes from `addresses.json` what
    /// an earlier process said of them.
    ///
    /// The lock files stay when the claim ends: removing one would let two processes lock two files of one name.
    ///
    /// # Errors
    /// As [`DataDir::claim`].
    pub fn claim_parts(path: impl Into<PathBuf>, parts: &[&str]) -> Result<Self, Error> {
        let path = path.into();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|source| Error::DataDir {
                path: path.clone(),
                source,
            })?;
        let locks = parts
            .iter()
            .map(|part| lock(&path.join(format!("{part}.lock"))))
            .collect::<Result<_, _>>()?;
        let data_dir = Self {
            path,
            names: parts.iter().map(|part| (*part).to_owned()).collect(),
            _locks: locks,
        };
        data_dir.write_addresses(&[])?;
        Ok(data_dir)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `addresses.json`, `{"ingress":"127.0.0.1:8080",…}`, at once or not at all. What other
    /// processes said of their parts stays. An address belongs to the part that begins its name:
    /// `tracker.admin` to `tracker`.
    ///
    /// # Errors
    /// [`Error::DataDir`] when it cannot be written.
    pub fn write_addresses(&self, addresses: &[(String, SocketAddr)]) -> Result<(), Error> {
        let path = self.path.join(ADDRESSES);
        self.replace_addresses(&path, addresses)
            .map_err(|source| Error::DataDir { path, source })
    }

    fn replace_addresses(&self, path: &Path, addresses: &[(String, SocketAddr)]) -> io::Result<()> {
        let lock = open_lock(&self.path.join(ADDRESSES_LOCK))?;
        lock.lock()?;
        let mut known = read_addresses(path);
        known.retain(|name, _| !self.owns(name));
        for (name, address) in addresses {
            known.insert(name.clone(), Value::String(address.to_string()));
        }
        if known.is_empty() {
            // Whoever waits for the file must not find the addresses of a process that is gone.
            return match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let draft = path.with_extension("json.new");
        fs::write(&draft, format!("{}\n", Value::Object(known)))?;
        fs::rename(&draft, path)
    }

    fn owns(&self, address: &str) -> bool {
        let part = address.split('.').next().unwrap_or(address);
        self.names.iter().any(|name| name == WHOLE || name == part)
    }
}

/// Nothing, where there is no such file or it cannot be read: it is only written, never relied on.
fn read_addresses(path: &Path) -> Map<String, Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

fn open_lock(path: &Path) -> io::Result<File> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
}

fn lock(path: &Path) -> Result<File, Error> {
    let unusable = |source| Error::DataDir {
        path: path.to_owned(),
        source,
    };
    let file = open_lock(path).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Held {
            lock: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_second_claim_is_refused_with_the_lock_files_name_until_the_first_ends() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("deep").join("data");
        let first = DataDir::claim(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o700
        );

        let error = DataDir::claim(&path).unwrap_err();
        assert!(matches!(error, Error::Held { .. }));
        let lock = path.join("tidings.lock");
        assert!(
            error.to_string().contains(lock.to_str().unwrap()),
            "{error}"
        );

        DataDir::claim_parts(&path, &["tracker"]).unwrap();
        drop(first);
        DataDir::claim(&path).unwrap();
    }

    #[test]
    fn addresses_are_replaced_as_a_whole_and_forgotten_at_the_next_claim() {
        let root = tempfile::tempdir().unwrap();
        let data_dir = DataDir::claim(root.path()).unwrap();
        data_dir
            .write_addresses(&[at("ingress", 1), at("admin", 2)])
            .unwrap();
        data_dir.write_addresses(&[at("ingress", 3)]).unwrap();
        let written = fs::read_to_string(root.path().join(ADDRESSES)).unwrap();
        assert_eq!(written, "{\"ingress\":\"127.0.0.1:3\"}\n");
        assert_eq!(
            fs::read_dir(root.path()).unwrap().count(),
            3,
            "only the locks and the addresses"
        );

        drop(data_dir);
        DataDir::claim(root.path()).unwrap();
        assert!(!root.path().join(ADDRESSES).exists());
    }

    #[test]
    fn processes_with_other_parts_share_the_directory_and_tell_their_own_addresses() {
        let root = tempfile::tempdir().unwrap();
        let tracker = DataDir::claim_parts(root.path(), &["tracker"]).unwrap();
        let ingress = DataDir::claim_parts(root.path(), &["ingress"]).unwrap();
        let again = DataDir::claim_parts(root.path(), &["poller", "tracker"]).unwrap_err();
        assert!(again.to_string().contains("tracker.lock"), "{again}");
        tracker.write_addresses(&[at("tracker.admin", 1)]).unwrap();
        let own = [at("ingress", 2), at("ingress.admin", 3)];
        ingress.write_addresses(&own).unwrap();
        drop(tracker);
        let _again = DataDir::claim_parts(root.path(), &["tracker"]).unwrap();
        let written = fs::read_to_string(root.path().join(ADDRESSES)).unwrap();
        assert_eq!(
            written,
            "{\"ingress\":\"127.0.0.1:2\",\"ingress.admin\":\"127.0.0.1:3\"}\n"
        );
    }

    fn at(name: &str, port: u16) -> (String, SocketAddr) {
        (name.to_owned(), SocketAddr::from(([127, 0, 0, 1], port)))
    }

    #[test]
    fn a_path_that_is_no_directory_is_refused_with_its_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = DataDir::claim(file.path()).unwrap_err().to_string();
        assert!(error.contains(file.path().to_str().unwrap()), "{error}");
    }
}
