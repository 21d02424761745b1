//! A record as it is in a segment: marker (8 bytes), length of the payload (4), `written_at` in
//! milliseconds (8), the payload, and a CRC-32 over all of that (4). Numbers are little-endian.

use crate::record::MAX_PAYLOAD_BYTES;
use domain::Timestamp;
use std::io::{self, Read};

/// What a record has before its payload, in bytes.
const HEAD_BYTES: usize = 20;

/// What a record has besides its payload, in bytes.
pub(crate) const FRAME_BYTES: u64 = 24;

/// How much of a payload is in memory while it is only verified.
const CHUNK_BYTES: usize = 65_536;

/// What the records of one segment begin with. It is random, so that no payload can contain what
/// would be taken for a record when a damaged segment is searched for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marker(pub(crate) [u8; 8]);

/// What is at some place of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// A record, verified.
    Good(Head),
    /// The begin of a record that is not all there, or zeros: what a process or a machine leaves
    /// that dies while it writes.
    Cut,
    /// Anything else.
    Wrong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) length: u32,
    pub(crate) written_at: Timestamp,
}

impl Head {
    /// What the record takes in the file, in bytes.
    pub(crate) const fn size(self) -> u64 {
        FRAME_BYTES + self.length as u64
    }
}

/// Adds a record. Its payload is at most [`MAX_PAYLOAD_BYTES`] large.
pub(crate) fn write(into: &mut Vec<u8>, marker: Marker, head: Head, payload: &[u8]) {
    let begin = into.len();
    into.extend_from_slice(&marker.0);
    into.extend_from_slice(&head.length.to_le_bytes());
    into.extend_from_slice(&head.written_at.as_millis().to_le_bytes());
    into.extend_from_slice(payload);
    let checksum = crc32fast::hash(&into[begin..]);
    into.extend_from_slice(&checksum.to_le_bytes());
}

/// Reads what is here, with `room` bytes to the end of the file. The payload is passed on in pieces
/// before it is known to be good.
pub(crate) fn read(
    source: &mut impl Read,
    marker: Marker,
    room: u64,
    mut piece: impl FnMut(&[u8]),
) -> io::Result<Found> {
    let mut bytes = [0; HEAD_BYTES];
    let there = usize::try_from(room).unwrap_or(HEAD_BYTES).min(HEAD_BYTES);
    source.read_exact(&mut bytes[..there])?;
    let head = match parse(&bytes, marker) {
        Some(head) if head.size() <= room => head,
        Some(_) => return Ok(Found::Cut),
        None if is_begin(&bytes[..there], marker) => return Ok(Found::Cut),
        None => return Ok(Found::Wrong),
    };
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&bytes);
    let mut chunk = vec![0; CHUNK_BYTES.min(head.length as usize)];
    let mut left = head.length as usize;
    while left > 0 {
        let chunk = &mut chunk[..left.min(CHUNK_BYTES)];
        source.read_exact(chunk)?;
        checksum.update(chunk);
        piece(chunk);
        left -= chunk.len();
    }
    let mut expected = [0; 4];
    source.read_exact(&mut expected)?;
    if checksum.finalize() == u32::from_le_bytes(expected) {
        Ok(Found::Good(head))
    } else {
        Ok(Found::Wrong)
    }
}

fn is_begin(bytes: &[u8], marker: Marker) -> bool {
    let is_marker =
        bytes.len() < HEAD_BYTES && bytes.iter().zip(&marker.0).all(|(is, be)| is == be);
    is_marker || bytes.iter().all(|byte| *byte == 0)
}

/// `None` when it is no head, or one of a record larger than any.
fn parse(bytes: &[u8; HEAD_BYTES], marker: Marker) -> Option<Head> {
    let (begin, rest) = bytes.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length);
    let written_at = i64::from_le_bytes(*rest.first_chunk::<8>()?);
    let is_head = *begin == marker.0 && length as usize <= MAX_PAYLOAD_BYTES;
    is_head.then_some(Head {
        length,
        written_at: Timestamp::from_millis(written_at),
    })
}
