//! The key that is kept in the data directory, in a file; while it is being changed, in two. Whenever the
//! process dies, the files that are there open everything in the store.

use super::{Origin, vault};
use crate::exit::Failure;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::Random;
use signing::Vault;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where the embedded mode keeps the key it made, in the data directory.
const FILE: &str = "encryption.key";
/// Where the one before it is, while it is being changed.
const PREVIOUS_FILE: &str = "encryption.key.previous";

/// The files of a key.
#[derive(Debug)]
pub(super) struct KeyFiles {
    data_dir: PathBuf,
    /// The key that seals.
    pub current: PathBuf,
    /// The key before it; there only while it is being changed.
    pub previous: PathBuf,
}

impl KeyFiles {
    pub(super) fn of(data_dir: &Path) -> Self {
        Self {
            data_dir: data_dir.to_owned(),
            current: data_dir.join(FILE),
            previous: data_dir.join(PREVIOUS_FILE),
        }
    }

    /// The kept key, with the one before it where there is one. Makes a key where there is none.
    pub(super) fn open_or_make(&self, random: &Random) -> Result<(Vault, Origin), Failure> {
        let previous = read(&self.previous)?;
        match (read(&self.current)?, previous) {
            (Some(key), previous) => Ok((self.vault(&key, previous.as_deref())?, Origin::Kept)),
            (None, None) => {
                let key = self.make(random)?;
                Ok((self.vault(&key, None)?, Origin::Made))
            }
            // A fresh key would pass for the one that is missing, because the previous one opens much.
            (None, Some(_)) => Err(Failure::Configuration(format!(
                "{} is missing, and {} is there, so the key was being changed: put back the copy of the \
                 key that is missing, or, if secrets were not sealed with it yet, rename the other to it",
                self.current.display(),
                self.previous.display()
            ))),
        }
    }

    /// Whether a change of the key was begun and not ended.
    pub(super) fn has_previous(&self) -> bool {
        self.previous.exists()
    }

    /// Replaces the key by a new one, and keeps the one before it until [`Self::end_change`]. First the
    /// copy of the old key: killed after it, there is the old key twice, and the change begins again.
    pub(super) fn begin_change(&self, random: &Random) -> Result<Vault, Failure> {
        let old = read(&self.current)?;
        let old = old.ok_or_else(|| unusable(&self.current, &ErrorKind::NotFound.into()))?;
        self.keep(&self.previous, &old)?;
        let new = self.make(random)?;
        self.vault(&new, Some(&old))
    }

    /// Forgets the key before this one.
    pub(super) fn end_change(&self) -> Result<(), Failure> {
        let removed = match fs::remove_file(&self.previous) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| self.sync()),
        };
        removed.map_err(|error| unusable(&self.previous, &error))
    }

    /// Takes back the key just made.
    pub(super) fn remove_made(&self) -> Result<(), Failure> {
        fs::remove_file(&self.current).map_err(|error| unusable(&self.current, &error))
    }

    fn make(&self, random: &Random) -> Result<String, Failure> {
        let key = STANDARD.encode(random.bytes::<32>());
        self.keep(&self.current, &key)?;
        Ok(key)
    }

    fn vault(&self, key: &str, previous: Option<&str>) -> Result<Vault, Failure> {
        let failed = |path: &Path, error: &dyn std::fmt::Display| {
            Failure::Configuration(format!("the encryption key {}: {error}", path.display()))
        };
        let current = vault(key, None).map_err(|error| failed(&self.current, &error))?;
        let Some(previous) = previous else {
            return Ok(current);
        };
        match vault(key, Some(previous)) {
            // The change was killed before its second step.
            Err(signing::Error::KeysAlike) => Ok(current),
            both => both.map_err(|error| failed(&self.previous, &error)),
        }
    }

    /// Writes a key at once or not at all: half a key would be refused at every start. It is on the disk
    /// before anything is sealed with it.
    fn keep(&self, path: &Path, text: &str) -> Result<(), Failure> {
        let unfinished = path.with_added_extension("new");
        let write = || {
            let mut options = OpenOptions::new();
            let mut file = options
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&unfinished)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&unfinished, path)?;
            self.sync()
        };
        write().map_err(|error| unusable(path, &error))
    }

    /// Has the names of the files on the disk.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.data_dir)?.sync_all()
    }
}

/// The text of a key; none where there is no file.
fn read(path: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(path, &error)),
    }
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::Configuration(format!("the encryption key {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const NONCE: [u8; 12] = [3; 12];

    #[test]
    fn wherever_a_change_dies_the_files_open_what_either_key_sealed() {
        let root = tempfile::tempdir().unwrap();
        let (files, random) = (KeyFiles::of(root.path()), Random::seeded(5));
        let opens = |sealed: &[u8]| {
            let (vault, origin) = files.open_or_make(&random).unwrap();
            assert_eq!(origin, Origin::Kept);
            vault.open("it", sealed).is_ok()
        };
        let (first, origin) = files.open_or_make(&random).unwrap();
        assert_eq!(origin, Origin::Made);
        let old = first.seal("it", b"secret", NONCE);
        // Killed between the steps: the old key is there twice.
        fs::copy(&files.current, &files.previous).unwrap();
        assert!(opens(&old) && files.has_previous());

        let second = files.begin_change(&random).unwrap();
        let new = second.seal("it", b"secret", NONCE);
        assert!(second.has_previous() && !second.is_current(&old));
        assert!(opens(&old) && opens(&new));
        for path in [&files.current, &files.previous] {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        }
        // Half a file is left by a kill while it was written.
        fs::write(root.path().join("encryption.key.new"), "half").unwrap();
        assert!(opens(&old) && opens(&new));
        files.end_change().unwrap();
        assert!(!opens(&old) && opens(&new) && !files.has_previous());
        files.end_change().unwrap();
    }

    #[test]
    fn a_key_that_is_missing_beside_its_previous_one_is_not_replaced() {
        let root = tempfile::tempdir().unwrap();
        let (files, random) = (KeyFiles::of(root.path()), Random::seeded(5));
        files.open_or_make(&random).unwrap();
        files.begin_change(&random).unwrap();
        fs::remove_file(&files.current).unwrap();
        let refused = files.open_or_make(&random).unwrap_err().to_string();
        assert!(refused.contains("encryption.key is missing"), "{refused}");
        assert!(!files.current.exists());
    }
}
