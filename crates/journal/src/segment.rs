//! Segment files: their names, and the header they begin with.
//!
//! The name is `NUMBER-MARKER.journal`. The header is the magic (8 bytes), the version of the format
//! (4), the marker (8) and a CRC-32 over all of that (4). Every version begins like this.

use crate::frame::Marker;
use std::fmt::Write;

/// What a header takes, in bytes.
pub(crate) const HEADER_BYTES: u64 = HEADER_SIZE as u64;
const HEADER_SIZE: usize = 24;

/// The version that is written, and the newest that is read.
pub(crate) const VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"TIDJRNL\n";
const ENDING: &str = ".journal";

/// What the name of one of our files says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name {
    /// Segments are numbered in the order they were begun.
    pub(crate) number: u64,
    /// Also in the header; here for when that is damaged.
    pub(crate) marker: Option<Marker>,
    /// Otherwise something is after the `.journal`, as `.damaged` is, and the file is not read.
    pub(crate) is_segment: bool,
}

impl Name {
    /// `None` for a file that is not ours.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (stem, rest) = name.split_once(ENDING)?;
        let (number, marker) = match stem.split_once('-') {
            Some((number, marker)) => (number, Some(parse_marker(marker)?)),
            None => (stem, None),
        };
        // No process begins so many segments that 18 digits do not do.
        let is_number =
            (8..=18).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        Some(Self {
            number: number.parse().ok().filter(|_| is_number)?,
            marker,
            is_segment: rest.is_empty(),
        })
    }
}

/// The name of a segment's file.
pub(crate) fn name(number: u64, marker: Marker) -> String {
    let mut name = format!("{number:08}-");
    for byte in marker.0 {
        // Writing into a string does not fail.
        let _ = write!(name, "{byte:02x}");
    }
    name.push_str(ENDING);
    name
}

/// What a file begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Header {
    Good(Marker),
    /// Of a newer version.
    TooNew(u32),
    /// The process or the machine died before the header was on the disk, so no record was.
    Unfinished,
    Wrong,
}

impl Header {
    /// From the first [`HEADER_BYTES`] of a file, or all it has.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let Some(bytes) = bytes.first_chunk::<HEADER_SIZE>() else {
            return Self::Unfinished;
        };
        let (Some((content, checksum)), Some((magic, rest))) = (
            bytes.split_last_chunk::<4>(),
            bytes.split_first_chunk::<8>(),
        ) else {
            return Self::Wrong;
        };
        if bytes.iter().all(|byte| *byte == 0) {
            return Self::Unfinished;
        }
        let is_whole = crc32fast::hash(content) == u32::from_le_bytes(*checksum);
        let (Some((version, rest)), true) =
            (rest.split_first_chunk::<4>(), is_whole && *magic == MAGIC)
        else {
            return Self::Wrong;
        };
        match (u32::from_le_bytes(*version), rest.first_chunk::<8>()) {
            (VERSION, Some(marker)) => Self::Good(Marker(*marker)),
            (version, _) if version > VERSION => Self::TooNew(version),
            _ => Self::Wrong,
        }
    }
}

/// What a new segment begins with.
pub(crate) fn header(marker: Marker) -> Vec<u8> {
    versioned(VERSION, marker)
}

fn versioned(version: u32, marker: Marker) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_SIZE);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&version.to_le_bytes());
    bytes.extend_from_slice(&marker.0);
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

fn parse_marker(hex: &str) -> Option<Marker> {
    if hex.len() != 16 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(hex, 16)
        .ok()
        .map(|number| Marker(number.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKER: Marker = Marker([0, 0x9f, 1, 2, 3, 4, 5, 0xff]);

    #[test]
    fn a_name_says_what_was_put_into_it() {
        let name = name(7, MARKER);
        assert_eq!(name, "00000007-009f0102030405ff.journal");
        let parsed = Name {
            number: 7,
            marker: Some(MARKER),
            is_segment: true,
        };
        assert_eq!(Name::parse(&name), Some(parsed));
        let damaged = Name::parse(&format!("{name}.damaged")).unwrap();
        assert_eq!((damaged.number, damaged.is_segment), (7, false));
        assert_eq!(Name::parse("00000012.journal").unwrap().marker, None);
        assert_eq!(
            Name::parse("123456789012.journal").unwrap().number,
            123_456_789_012
        );
    }

    #[test]
    fn names_of_others_are_not_ours() {
        for name in [
            "lock",
            "notes.journal",
            "0000001.journal",
            "+0000001.journal",
            "00000001-zz9f0102030405ff.journal",
            "00000001-009f.journal",
            "00000001.txt",
            "9999999999999999999.journal",
        ] {
            assert_eq!(Name::parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_header_is_read_and_a_newer_or_changed_one_told_apart() {
        let good = header(MARKER);
        assert_eq!(good.len(), HEADER_SIZE);
        assert_eq!(Header::parse(&good), Header::Good(MARKER));
        assert_eq!(Header::parse(&versioned(2, MARKER)), Header::TooNew(2));
        assert_eq!(Header::parse(&versioned(0, MARKER)), Header::Wrong);
        for cut in 0..good.len() {
            assert_eq!(Header::parse(&good[..cut]), Header::Unfinished);
            let mut changed = good.clone();
            changed[cut] ^= 1;
            assert_eq!(Header::parse(&changed), Header::Wrong);
        }
        assert_eq!(Header::parse(&[0; 30]), Header::Unfinished);
    }
}
