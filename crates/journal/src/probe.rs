//! Finding out whether the disk takes writes, with a file that is of no other use.

use crate::current::SyncFile;
use crate::folder;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

const NAME: &str = "probe.tmp";

/// Writes so many bytes, and removes them again.
pub(crate) fn write(folder: &Path, bytes: u64, sync: &mut SyncFile) -> io::Result<()> {
    let written = try_write(folder, bytes, sync);
    remove(folder);
    written
}

/// What a process left that died while it probed. It may not be there; should it stay, the next
/// probe or start removes it.
pub(crate) fn remove(folder: &Path) {
    let _ = fs::remove_file(folder.join(NAME));
}

fn try_write(folder: &Path, bytes: u64, sync: &mut SyncFile) -> io::Result<()> {
    let mut options = folder::private();
    let mut file = options
        .create(true)
        .truncate(true)
        .open(folder.join(NAME))?;
    io::copy(&mut io::repeat(0).take(bytes), &mut file)?;
    file.flush()?;
    sync(&file)
}
