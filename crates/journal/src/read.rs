//! Reading records that were taken.

use crate::error::Error;
use crate::frame::{self, Found};
use crate::hand::Hand;
use crate::index::Pick;
use crate::record::Record;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

/// Reads what is in hand. What is damaged, or was done meanwhile, is left out. Blocks.
///
/// Fails when a file cannot be opened for now; then all are to be offered again.
pub(crate) fn read(hand: &Hand) -> Result<Vec<Record>, Error> {
    let mut files = Files::default();
    let mut records = Vec::with_capacity(hand.picks.len());
    for pick in &hand.picks {
        let payload = match files.open(&pick.path) {
            Ok(file) => payload(file, pick),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(error.to_string()),
            Err(error) => return Err(Error::unusable(&pick.path, &error)),
        };
        // A late confirm has cancelled it; its file may be gone with it.
        if !hand.shared.index().is_taken(pick.id) {
            continue;
        }
        match payload {
            Ok(payload) => records.push(Record {
                id: pick.id,
                payload,
                written_at: pick.head.written_at,
            }),
            Err(reason) => {
                let (file, offset, bytes) = (&pick.path, pick.offset, pick.head.size());
                tracing::error!(
                    ?file,
                    offset,
                    bytes,
                    reason,
                    "a record is lost: it is damaged"
                );
                hand.shared.lose(pick.id);
            }
        }
    }
    Ok(records)
}

/// The file that was read last: the next record mostly is in it too.
#[derive(Default)]
struct Files(Option<(Arc<Path>, File)>);

impl Files {
    fn open(&mut self, path: &Arc<Path>) -> io::Result<&mut File> {
        let opened = match self.0.take() {
            Some((opened, file)) if opened == *path => (opened, file),
            _ => (Arc::clone(path), File::open(path)?),
        };
        Ok(&mut self.0.insert(opened).1)
    }
}

/// Tries twice: a disk may read at the second time what it could not at the first.
fn payload(file: &mut File, pick: &Pick) -> Result<Vec<u8>, String> {
    match try_payload(file, pick) {
        Ok(Some(payload)) => Ok(payload),
        _ => match try_payload(file, pick) {
            Ok(Some(payload)) => Ok(payload),
            Ok(None) => Err("it is not what its checksum says".to_owned()),
            Err(error) => Err(error.to_string()),
        },
    }
}

fn try_payload(mut file: &mut File, pick: &Pick) -> io::Result<Option<Vec<u8>>> {
    file.seek(SeekFrom::Start(pick.offset.into()))?;
    let mut payload = Vec::with_capacity(pick.head.length as usize);
    let found = frame::read(&mut file, pick.marker, pick.head.size(), |piece| {
        payload.extend_from_slice(piece);
    })?;
    Ok((found == Found::Good(pick.head)).then_some(payload))
}
