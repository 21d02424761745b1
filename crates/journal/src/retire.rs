//! Removing segments of which nothing is needed any more.

use crate::folder;
use crate::index::Retired;
use crate::shared::Shared;
use std::{fs, io};

/// Removes what is done, and sets aside what is damaged. When it fails, what is left is for the next
/// time.
pub(crate) fn retire(shared: &Shared) -> io::Result<()> {
    let retired = shared.index().retired();
    if retired.is_empty() {
        return Ok(());
    }
    // One that cannot be removed keeps no other.
    let removals: Vec<_> = retired.iter().map(|one| remove(shared, one)).collect();
    removals.into_iter().collect::<io::Result<()>>()?;
    folder::sync(&shared.folder)
}

fn remove(shared: &Shared, retired: &Retired) -> io::Result<()> {
    let removed = if retired.is_damaged {
        fs::rename(&retired.path, folder::damaged(&retired.path))
    } else {
        fs::remove_file(&retired.path)
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => {
            shared.index().remove(retired.number);
            Ok(())
        }
    }
}
