//! Requests and answers as they come in.

use std::io::{self, ErrorKind};
use std::ops::Range;

/// Longer heads are nobody's.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// A complete request or answer at the beginning of a buffer.
#[derive(Debug)]
pub struct Message<'a> {
    head: &'a [u8],
    body: Range<usize>,
}

impl<'a> Message<'a> {
    /// Reads it, or nothing while it is not all there. Fails where its end cannot be told: only bodies
    /// with a `content-length` are read.
    pub fn read(buffer: &'a [u8]) -> io::Result<Option<Self>> {
        let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
            return match buffer.len() {
                0..=MAX_HEAD_BYTES => Ok(None),
                _ => Err(invalid("the head does not end")),
            };
        };
        let head = &buffer[..end + 2];
        let body_at = end + 4;
        let length = match header(head, b"content-length") {
            Some(length) => {
                number(length).ok_or_else(|| invalid("a content-length is no number"))?
            }
            None if header(head, b"transfer-encoding").is_some() => {
                return Err(invalid("the body has no content-length"));
            }
            None => 0,
        };
        let body = body_at..body_at + length;
        Ok((buffer.len() >= body.end).then_some(Self { head, body }))
    }

    /// The value of a header; its name in lower case.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        header(self.head, name.as_bytes())
    }

    /// The status of an answer.
    pub fn status(&self) -> Option<u16> {
        let status = self.head.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
        number(status).and_then(|status| u16::try_from(status).ok())
    }

    /// Where the body is in the buffer. What follows its end is the next message's.
    pub fn body(&self) -> Range<usize> {
        self.body.clone()
    }
}

fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|&byte| byte == b'\n').skip(1).find_map(|line| {
        let (found, rest) = line.split_at_checked(name.len())?;
        let value = rest.strip_prefix(b":")?;
        found.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
    })
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nx-a:  b \r\n\r\nhi";

    #[test]
    fn an_answer_is_read_once_it_is_all_there() {
        let answer = Message::read(ANSWER).unwrap().unwrap();
        assert_eq!(answer.status(), Some(202));
        assert_eq!(answer.header("x-a"), Some(b"b".as_slice()));
        assert_eq!(&ANSWER[answer.body()], b"hi");
        for length in 0..ANSWER.len() {
            assert!(Message::read(&ANSWER[..length]).unwrap().is_none());
        }
    }

    #[test]
    fn the_next_message_begins_where_the_body_ends() {
        let two = [ANSWER, ANSWER].concat();
        let first = Message::read(&two).unwrap().unwrap();
        assert_eq!(&two[first.body().end..], ANSWER);
    }

    #[test]
    fn a_body_whose_end_cannot_be_told_is_an_error() {
        Message::read(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").unwrap_err();
        Message::read(b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n").unwrap_err();
    }
}
