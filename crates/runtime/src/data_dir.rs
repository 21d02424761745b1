//! The directory a process keeps its files in.

use crate::Error;
use serde_json::{Map, Value};
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

const ADDRESSES: &str = "addresses.json";

/// A claimed data directory. The claim ends when this is dropped or the process dies, however it dies.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    lock_name: String,
    _lock: File,
}

impl DataDir {
    /// Makes the directory where it is missing (mode 0700), claims it by locking `<lock_name>.lock` in it, and
    /// removes the `addresses.json` of an earlier process.
    ///
    /// The lock file stays when the claim ends: removing it would let two processes lock two files of one name.
    ///
    /// # Errors
    /// [`Error::Held`] when another process has the claim, [`Error::DataDir`] when the directory cannot be used.
    pub fn claim(path: impl Into<PathBuf>, lock_name: &str) -> Result<Self, Error> {
        let path = path.into();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|source| Error::DataDir {
                path: path.clone(),
                source,
            })?;
        let lock = lock(&path.join(format!("{lock_name}.lock")))?;
        let data_dir = Self {
            path,
            lock_name: lock_name.to_owned(),
            _lock: lock,
        };
        data_dir.forget_addresses()?;
        Ok(data_dir)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `addresses.json`, `{"ingress":"127.0.0.1:8080",…}`, at once or not at all.
    ///
    /// # Errors
    /// [`Error::DataDir`] when it cannot be written.
    pub fn write_addresses(&self, addresses: &[(&str, SocketAddr)]) -> Result<(), Error> {
        let addresses: Map<String, Value> = addresses
            .iter()
            .map(|(name, address)| ((*name).to_owned(), Value::String(address.to_string())))
            .collect();
        let path = self.path.join(ADDRESSES);
        let draft = self.path.join(format!("{ADDRESSES}.{}", self.lock_name));
        fs::write(&draft, format!("{}\n", Value::Object(addresses)))
            .and_then(|()| fs::rename(&draft, &path))
            .map_err(|source| Error::DataDir { path, source })
    }

    /// Whoever waits for the file must not find the addresses of a process that is gone.
    fn forget_addresses(&self) -> Result<(), Error> {
        let path = self.path.join(ADDRESSES);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(Error::DataDir { path, source })
            }
            _ => Ok(()),
        }
    }
}

fn lock(path: &Path) -> Result<File, Error> {
    let unusable = |source| Error::DataDir {
        path: path.to_owned(),
        source,
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(unusable)?;
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
        let first = DataDir::claim(&path, "tidings").unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o700
        );

        let error = DataDir::claim(&path, "tidings").unwrap_err();
        assert!(matches!(error, Error::Held { .. }));
        let lock = path.join("tidings.lock");
        assert!(
            error.to_string().contains(lock.to_str().unwrap()),
            "{error}"
        );

        DataDir::claim(&path, "tracker").unwrap();
        drop(first);
        DataDir::claim(&path, "tidings").unwrap();
    }

    #[test]
    fn addresses_are_replaced_as_a_whole_and_forgotten_at_the_next_claim() {
        let root = tempfile::tempdir().unwrap();
        let data_dir = DataDir::claim(root.path(), "tidings").unwrap();
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        data_dir
            .write_addresses(&[("ingress", address(1)), ("admin", address(2))])
            .unwrap();
        data_dir
            .write_addresses(&[("ingress", address(3))])
            .unwrap();
        let written = fs::read_to_string(root.path().join(ADDRESSES)).unwrap();
        assert_eq!(written, "{\"ingress\":\"127.0.0.1:3\"}\n");
        assert_eq!(
            fs::read_dir(root.path()).unwrap().count(),
            2,
            "only the lock and the addresses"
        );

        drop(data_dir);
        DataDir::claim(root.path(), "tidings").unwrap();
        assert!(!root.path().join(ADDRESSES).exists());
    }

    #[test]
    fn a_path_that_is_no_directory_is_refused_with_its_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = DataDir::claim(file.path(), "tidings")
            .unwrap_err()
            .to_string();
        assert!(error.contains(file.path().to_str().unwrap()), "{error}");
    }
}
