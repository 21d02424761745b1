//! What a listener answered.

use serde_json::Value;
use std::fmt;

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body read as JSON; null when it is empty or not JSON.
    pub body: Value,
    /// The body as text.
    pub text: String,
    /// Method and URL.
    pub(crate) request: String,
}

impl Answer {
    /// The first header of this name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(found, _)| found == name)?;
        Some(&header.1)
    }

    /// The member `code` of a problem (RFC 9457); empty when there is none.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The body, of an answer with this status.
    ///
    /// # Panics
    ///
    /// With the whole answer when it has another status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert!(self.status == status, "expected {status}, got {self}");
        self.body.clone()
    }

    /// The body, of a problem (RFC 9457) with this status and code.
    ///
    /// # Panics
    ///
    /// With the whole answer when it is anything else, in its content type too.
    #[track_caller]
    pub fn expect_problem(&self, status: u16, code: &str) -> Value {
        let is_problem = self.header("content-type") == Some("application/problem+json");
        assert!(
            is_problem && self.status == status && self.code() == code,
            "expected the problem {status} {code}, got {self}"
        );
        assert!(
            self.body["status"] == status,
            "the problem tells another status than its answer has: {self}"
        );
        self.body.clone()
    }
}

/// Everything about it, over several lines.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} to {}", self.status, self.request)?;
        for (name, value) in &self.headers {
            writeln!(f, "  {name}: {value}")?;
        }
        write!(f, "\n  {}", self.text)
    }
}
