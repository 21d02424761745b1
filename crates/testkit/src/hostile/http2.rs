//! Frames of HTTP/2 (RFC 9113 §6), to be put together well or badly.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Kinds of frames.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// What a client begins with (RFC 9113 §3.4).
const PREFACE_BYTES: usize = 24;

/// Any frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .unwrap_or(u32::MAX)
        .to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The settings a server begins with: none.
pub fn settings() -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[])
}

/// Settings that, with what follows them, let the other side send as much as it likes.
pub fn wide_windows() -> Vec<u8> {
    let most = 0x7fff_ffff_u32;
    let mut initial = vec![0, 4];
    initial.extend(most.to_be_bytes());
    let more = (most - 65_535).to_be_bytes();
    [
        frame(SETTINGS, 0, 0, &initial),
        frame(WINDOW_UPDATE, 0, 0, &more),
    ]
    .concat()
}

/// The head of an answer on the first stream.
pub fn head(status: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, 1, &block(status, headers))
}

/// A head that does not end.
pub fn begun_head(status: &str) -> Vec<u8> {
    frame(HEADERS, 0, 1, &block(status, &[]))
}

/// A part of a head that does not end it.
pub fn continuation(name: &str, value: &str) -> Vec<u8> {
    frame(CONTINUATION, 0, 1, &literal(name, value))
}

/// A part of a body.
pub fn data(body: &[u8]) -> Vec<u8> {
    frame(DATA, 0, 1, body)
}

/// The end of an answer.
pub fn end() -> Vec<u8> {
    frame(DATA, END_STREAM, 1, &[])
}

/// The end of the first stream, for this reason (RFC 9113 §7).
pub fn reset(reason: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, 1, &reason.to_be_bytes())
}

/// The end of the connection, for this reason: no stream was looked at.
pub fn goaway(reason: u32) -> Vec<u8> {
    let payload = [0_u32.to_be_bytes(), reason.to_be_bytes()].concat();
    frame(GOAWAY, 0, 0, &payload)
}

/// A ping that wants an answer.
pub fn ping() -> Vec<u8> {
    frame(PING, 0, 0, &[7; 8])
}

/// Reads the beginning of a connection, and frames until a stream has ended.
pub(super) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    stream.read_exact(&mut [0; PREFACE_BYTES]).await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let [a, b, c, kind, flags, ..] = head;
        let length = u32::from_be_bytes([0, a, b, c]);
        let mut payload = vec![0; usize::try_from(length).unwrap_or_default()];
        stream.read_exact(&mut payload).await?;
        if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
            return Ok(());
        }
    }
}

/// Without compression (RFC 7541 §6.2.2); 8 is `:status` in its table.
fn block(status: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut block = vec![8];
    block.extend(string(status));
    for (name, value) in headers {
        block.extend(literal(name, value));
    }
    block
}

fn literal(name: &str, value: &str) -> Vec<u8> {
    [vec![0], string(name), string(value)].concat()
}

/// A length of seven bits, or more (RFC 7541 §5.1), and the text.
fn string(text: &str) -> Vec<u8> {
    let mut coded = Vec::new();
    let mut left = text.len();
    if left < 127 {
        coded.push(u8::try_from(left).unwrap_or_default());
    } else {
        coded.push(127);
        left -= 127;
        while left >= 128 {
            coded.push(u8::try_from(left % 128).unwrap_or_default() | 128);
            left /= 128;
        }
        coded.push(u8::try_from(left).unwrap_or_default());
    }
    coded.extend(text.as_bytes());
    coded
}
