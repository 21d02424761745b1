//! The journal's folder: made, locked and listed.

use crate::error::Error;
use crate::index::Index;
use crate::probe;
use crate::scan::scan;
use crate::segment::Name;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long the process before this one may take to end.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

const LOCK: &str = "journal.lock";

/// The folder, locked, and what is in it.
pub(crate) struct Folder {
    pub(crate) index: Index,
    /// No file of ours has this number, or a greater one.
    pub(crate) next_number: u64,
    /// Unlocked when it is dropped.
    pub(crate) lock: File,
}

pub(crate) fn open(folder: &Path) -> Result<Folder, Error> {
    make(folder).map_err(|error| Error::unopenable(folder, &error))?;
    let lock = lock(folder)?;
    let mut index = Index::default();
    let mut next_number = 1;
    for (name, path) in list(folder)? {
        // Of two files with one number, put there by hand, the second counts as the next.
        let number = name.number.max(next_number);
        next_number = number + 1;
        if name.is_segment
            && let Some(segment) = scan(&path, name)?
        {
            index.insert(number, segment);
        }
    }
    probe::remove(folder);
    Ok(Folder {
        index,
        next_number,
        lock,
    })
}

/// For a file that nobody else may read: payloads are nobody else's business.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Puts on the disk which files there are.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// A name that is not taken, for a damaged segment.
pub(crate) fn damaged(segment: &Path) -> PathBuf {
    let mut count = 1_u64;
    loop {
        let mut name = segment.as_os_str().to_owned();
        name.push(".damaged");
        if count > 1 {
            name.push(format!("-{count}"));
        }
        let path = PathBuf::from(name);
        if !path.exists() {
            return path;
        }
        count += 1;
    }
}

fn make(folder: &Path) -> io::Result<()> {
    let missing: Vec<_> = folder
        .ancestors()
        .take_while(|path| !path.exists())
        .collect();
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    for parent in missing.iter().filter_map(|path| path.parent()) {
        // The parent of a relative path's first part is the empty path.
        let is_here = parent.as_os_str().is_empty();
        sync(if is_here { Path::new(".") } else { parent })?;
    }
    Ok(())
}

fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join(LOCK);
    let unopenable = |error: io::Error| Error::unopenable(&path, &error);
    let file = private()
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(unopenable)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(unopenable(error)),
            Err(TryLockError::WouldBlock) if begun.elapsed() < LOCK_PATIENCE => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Error::InUse {
                    folder: folder.to_owned(),
                    lock: path,
                });
            }
        }
    }
}

/// Our files, the oldest first.
fn list(folder: &Path) -> Result<Vec<(Name, PathBuf)>, Error> {
    let unopenable = |error: io::Error| Error::unopenable(folder, &error);
    let mut files = Vec::new();
    for file in fs::read_dir(folder).map_err(unopenable)? {
        let file = file.map_err(unopenable)?;
        let name = file.file_name();
        if let Some(name) = name.to_str().and_then(Name::parse) {
            files.push((name, file.path()));
        }
    }
    files.sort_by_key(|(name, _)| name.number);
    Ok(files)
}
