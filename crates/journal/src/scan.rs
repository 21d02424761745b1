//! Reading a segment at the start: what records it has, and where it is damaged. Nothing is changed.

use crate::error::Error;
use crate::frame::{self, Found, Marker};
use crate::index::{Entry, Segment, Standing};
use crate::segment::{self, HEADER_BYTES, Header, Name};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

const BUFFER_BYTES: usize = 65_536;

/// Reads a segment in constant memory, besides its entries. `None` for a file that is not ours.
///
/// Fails when the file cannot be opened, or is of a newer format.
pub(crate) fn scan(path: &Path, name: Name) -> Result<Option<Segment>, Error> {
    let unopenable = |error: io::Error| Error::unopenable(path, &error);
    let file = File::open(path).map_err(unopenable)?;
    let bytes = file.metadata().map_err(unopenable)?.len();
    let mut source = BufReader::with_capacity(BUFFER_BYTES, file);
    // One that cannot be read is as good as a wrong one.
    let header = read_header(&mut source).unwrap_or(Header::Wrong);
    let marker = match header {
        Header::Good(marker) => Some(marker),
        Header::TooNew(found) => {
            return Err(Error::TooNew {
                path: path.to_owned(),
                found,
                known: segment::VERSION,
            });
        }
        Header::Unfinished | Header::Wrong => name.marker,
    };
    let Some(marker) = marker else {
        tracing::error!(file = ?path, "not a file of this journal, or one damaged: it is left alone");
        return Ok(None);
    };
    let mut scan = Scan {
        path,
        source,
        bytes,
        segment: Segment::new(path, marker, bytes),
    };
    scan.segment.is_sealed = true;
    if let Err(error) = scan.run(marker) {
        scan.segment.is_damaged = true;
        tracing::error!(file = ?path, %error, "a journal file cannot be read to its end");
    }
    let is_empty = scan.segment.count() == 0;
    if header == Header::Wrong || (header == Header::Unfinished && !is_empty) {
        scan.damaged(0, HEADER_BYTES);
    }
    Ok(Some(scan.segment))
}

fn read_header(source: &mut impl Read) -> io::Result<Header> {
    let mut bytes = Vec::new();
    source.take(HEADER_BYTES).read_to_end(&mut bytes)?;
    Ok(Header::parse(&bytes))
}

struct Scan<'a> {
    path: &'a Path,
    source: BufReader<File>,
    bytes: u64,
    segment: Segment,
}

impl Scan<'_> {
    fn run(&mut self, marker: Marker) -> io::Result<()> {
        let mut at = HEADER_BYTES;
        while at < self.bytes {
            let found = self.read(at, marker)?;
            if let Found::Good(_) = found {
                at = self.push(at, found);
                continue;
            }
            let Some((next, good)) = self.next_good(at + 1, marker)? else {
                self.tail(at, found);
                return Ok(());
            };
            self.damaged(at, next - at);
            at = self.push(next, good);
        }
        Ok(())
    }

    /// Keeps what was found, and says where the next is.
    fn push(&mut self, at: u64, found: Found) -> u64 {
        let Found::Good(head) = found else {
            return at + 1;
        };
        match u32::try_from(at) {
            Ok(offset) => self.segment.push(Entry {
                offset,
                head,
                standing: Standing::Waiting,
            }),
            // No segment of ours grows so large.
            Err(_) => self.segment.is_damaged = true,
        }
        at + head.size()
    }

    /// Behind the last good record is what was being written as the process or the machine died, and
    /// so was never answered. What does not look like that may be damage, and is kept.
    fn tail(&mut self, at: u64, found: Found) {
        let bytes = self.bytes - at;
        if found == Found::Wrong {
            self.damaged(at, bytes);
        } else {
            tracing::info!(file = ?self.path, offset = at, bytes, "a record that was not finished is left out");
        }
    }

    fn damaged(&mut self, offset: u64, bytes: u64) {
        self.segment.is_damaged = true;
        tracing::error!(
            file = ?self.path,
            offset,
            bytes,
            "a journal file is damaged: its good records are forwarded, then it is kept as .damaged"
        );
    }

    fn read(&mut self, at: u64, marker: Marker) -> io::Result<Found> {
        self.go_to(at)?;
        frame::read(&mut self.source, marker, self.bytes - at, |_| {})
    }

    fn next_good(&mut self, from: u64, marker: Marker) -> io::Result<Option<(u64, Found)>> {
        let mut from = from;
        while let Some(at) = self.next_marker(from, marker)? {
            let found = self.read(at, marker)?;
            if let Found::Good(_) = found {
                return Ok(Some((at, found)));
            }
            from = at + 1;
        }
        Ok(None)
    }

    fn next_marker(&mut self, from: u64, marker: Marker) -> io::Result<Option<u64>> {
        self.go_to(from)?;
        let mut at = from;
        let mut last = [0; 8];
        loop {
            let buffer = self.source.fill_buf()?;
            if buffer.is_empty() {
                return Ok(None);
            }
            let length = buffer.len();
            for (index, byte) in (0..).zip(buffer) {
                last.rotate_left(1);
                last[7] = *byte;
                let end = at + index + 1;
                if last == marker.0 && end - from >= 8 {
                    return Ok(Some(end - 8));
                }
            }
            self.source.consume(length);
            at += length as u64;
        }
    }

    /// Mostly within the buffer.
    fn go_to(&mut self, at: u64) -> io::Result<()> {
        let here = self.source.stream_position()?;
        match (i64::try_from(at), i64::try_from(here)) {
            (Ok(at), Ok(here)) => self.source.seek_relative(at - here),
            _ => self.source.seek(SeekFrom::Start(at)).map(drop),
        }
    }
}
