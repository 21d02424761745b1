//! The segment that is written.

use crate::folder;
use crate::frame::Marker;
use crate::segment::{self, HEADER_BYTES};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Puts on the disk what was written to a file: `File::sync_data`, except where a test counts them or
/// has a disk that breaks.
pub(crate) type SyncFile = Box<dyn FnMut(&File) -> io::Result<()> + Send>;

pub(crate) struct Current {
    pub(crate) number: u64,
    pub(crate) marker: Marker,
    pub(crate) path: PathBuf,
    /// So far, everything is on the disk.
    pub(crate) synced_bytes: u64,
    /// After a failed sync nobody knows what is on the disk, so nothing may follow it.
    pub(crate) is_usable: bool,
    file: File,
    /// Not even its name is on the disk.
    is_new: bool,
}

impl Current {
    pub(crate) fn begin(folder: &Path, number: u64, marker: Marker) -> io::Result<Self> {
        let path = folder.join(segment::name(number, marker));
        let file = folder::private().create_new(true).open(&path)?;
        Ok(Self {
            number,
            marker,
            path,
            synced_bytes: HEADER_BYTES,
            is_usable: true,
            file,
            is_new: true,
        })
    }

    /// Returns when the records are on the disk. When it fails, none of them counts.
    pub(crate) fn write(&mut self, records: &[u8], sync: &mut SyncFile) -> io::Result<()> {
        if let Err(error) = self.try_write(records) {
            // The next write begins where this one did.
            self.is_usable = self.cut_back().is_ok();
            return Err(error);
        }
        let synced = self.sync(sync);
        if synced.is_err() {
            self.is_usable = false;
            // Only for the room: the segment is left, whatever comes of it.
            let _ = self.cut_back();
            return synced;
        }
        self.is_new = false;
        self.synced_bytes += records.len() as u64;
        Ok(())
    }

    /// What the file takes, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.file
            .metadata()
            .map_or(self.synced_bytes, |file| file.len())
    }

    fn try_write(&mut self, records: &[u8]) -> io::Result<()> {
        if self.is_new {
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(&segment::header(self.marker))?;
        }
        self.file.write_all(records)
    }

    fn sync(&self, sync: &mut SyncFile) -> io::Result<()> {
        sync(&self.file)?;
        match self.path.parent() {
            Some(folder) if self.is_new => folder::sync(folder),
            _ => Ok(()),
        }
    }

    fn cut_back(&mut self) -> io::Result<()> {
        let end = if self.is_new { 0 } else { self.synced_bytes };
        self.file.set_len(end)?;
        self.file.seek(SeekFrom::Start(end)).map(drop)
    }
}
