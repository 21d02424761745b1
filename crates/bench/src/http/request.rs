//! Requests, written straight into the bytes that are sent.

use std::io::Write as _;

/// A request without its body.
#[derive(Debug, Clone)]
pub struct Request {
    /// `POST`, `GET`.
    pub method: &'static str,
    /// The path with its query.
    pub path: String,
    /// Whole header lines, each with its line end.
    pub headers: String,
}

impl Request {
    /// A POST of JSON.
    pub fn post(path: impl Into<String>) -> Self {
        Self {
            method: "POST",
            path: path.into(),
            headers: "content-type: application/json\r\n".to_owned(),
        }
    }

    /// A GET.
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: "GET",
            path: path.into(),
            headers: String::new(),
        }
    }

    /// The same with one header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(name);
        self.headers.push_str(": ");
        self.headers.push_str(value);
        self.headers.push_str("\r\n");
        self
    }

    /// Appends the bytes of the request with this body to `bytes`.
    pub fn write(&self, body: &[u8], bytes: &mut Vec<u8>) {
        // Writing into memory does not fail.
        let _ = write!(
            bytes,
            "{} {} HTTP/1.1\r\nhost: bench\r\n{}content-length: {}\r\n\r\n",
            self.method,
            self.path,
            self.headers,
            body.len()
        );
        bytes.extend_from_slice(body);
    }
}
