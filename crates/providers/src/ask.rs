//! Asking a provider: requests are built and answers are read here, as plain data. Who sends them,
//! how often and to where it is allowed, is the poller's business.

use domain::Timestamp;
use domain::callback::Statement;
use domain::report::Report;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// A field of an account's `status_api` that a provider needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name in the API.
    pub name: &'static str,
    /// Whether it is never shown again.
    pub is_secret: bool,
    /// Whether it must be there.
    pub is_required: bool,
}

impl Field {
    /// Whether its value is a URL, to which a request will go: it is `http` or `https`, and judged
    /// like any address that a tenant chose.
    pub fn is_url(&self) -> bool {
        self.name.ends_with("_url")
    }

    pub(crate) const fn required(name: &'static str) -> Self {
        Self {
            name,
            is_secret: false,
            is_required: true,
        }
    }

    pub(crate) const fn secret(name: &'static str) -> Self {
        Self {
            name,
            is_secret: true,
            is_required: true,
        }
    }

    pub(crate) const fn optional(name: &'static str) -> Self {
        Self {
            name,
            is_secret: false,
            is_required: false,
        }
    }
}

/// With what a provider is asked: the fields of an account's `status_api`.
#[derive(Clone, PartialEq, Eq)]
pub struct Access {
    /// Where the API is, without a slash at the end.
    pub base_url: String,
    /// The values of the provider's [`Field`]s.
    pub values: BTreeMap<String, String>,
}

impl Access {
    /// A field's value; empty where there is none.
    pub fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

/// A request to a provider. Its headers, and perhaps its body and URL, carry secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The whole URL.
    pub url: String,
    /// Names in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for none.
    pub body: String,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// What came back, whole: an answer that was cut is not given here.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The content type, if one was given.
    pub content_type: Option<&'a str>,
    /// The value of `Retry-After`, if one was given.
    pub retry_after: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// A token of OAuth 2.0 (RFC 6749, section 5.1).
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The token itself.
    pub value: String,
    /// How long it holds.
    pub lifetime: Duration,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

/// A message about which a provider is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The provider's id of it.
    pub provider_message_id: Option<String>,
    /// The platform's reference.
    pub client_reference: Option<String>,
    /// The recipient in E.164.
    pub to: String,
    /// The sender.
    pub from: Option<String>,
    /// When it was sent, as far as we know.
    pub since: Timestamp,
}

/// What a provider said of the messages it was asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answered {
    /// What it said, each about a message that was asked about, and naming its id and recipient.
    pub reports: Vec<Report>,
    /// How many statements were dropped because they are about no message that was asked about, or
    /// name another recipient or account.
    pub foreign: usize,
    /// How the answer goes on, where it does: passed to the next [`StatusApi::request`] about the same
    /// messages.
    pub next_page: Option<String>,
}

/// Why an answer says nothing of the messages asked about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// It does not accept our credentials (401, 403, or a body that says so).
    #[error("the provider refuses the credentials: {0}")]
    CredentialsRefused(String),
    /// We ask too much (429, or a body that says so).
    #[error("the provider asks us to slow down")]
    SlowDown {
        /// How long it asks us to wait, if it says so.
        retry_after: Option<Duration>,
    },
    /// It cannot answer now (5xx, or a body that says so).
    #[error("the provider cannot answer now: {0}")]
    Unavailable(String),
    /// The answer is none that we know: HTML, another shape, an error we do not know.
    #[error("the provider's answer cannot be read: {0}")]
    Unreadable(String),
    /// It does not know these messages.
    #[error("the provider does not know the message")]
    NotFound,
}

/// The API of a provider that tells what became of messages.
pub trait StatusApi: Sync {
    /// Where it is, without a slash at the end; none where every account has to say it.
    fn base_url(&self) -> Option<&'static str>;

    /// What an account has to give, besides `base_url`.
    fn fields(&self) -> &'static [Field];

    /// How many messages one request asks about at most.
    fn batch(&self) -> usize;

    /// Whether this message can be asked about: whether it has what the request needs.
    fn can_ask(&self, asked: &Asked) -> bool;

    /// The request for a token; none where every request carries the credentials themselves.
    fn token_request(&self, access: &Access) -> Option<Request> {
        let _ = access;
        None
    }

    /// Reads the answer to [`StatusApi::token_request`].
    fn read_token(&self, reply: Reply<'_>) -> Result<Token, Unanswered> {
        crate::oauth::read_token(reply)
    }

    /// The request about these messages, at most [`StatusApi::batch`] and at least one, all of which
    /// can be asked about. With the token, where [`StatusApi::token_request`] makes one; with the
    /// page, where an answer said that it goes on.
    fn request(
        &self,
        access: &Access,
        token: Option<&Token>,
        asked: &[Asked],
        page: Option<&str>,
    ) -> Request;

    /// Reads the answer to [`StatusApi::request`].
    fn read(
        &self,
        access: &Access,
        asked: &[Asked],
        reply: Reply<'_>,
    ) -> Result<Answered, Unanswered>;
}

/// The API of a provider that tells which messages phones sent to us.
pub trait InboxApi: Sync {
    /// Where it is, without a slash at the end.
    fn base_url(&self) -> Option<&'static str>;

    /// What an account has to give, besides `base_url`.
    fn fields(&self) -> &'static [Field];

    /// The request for what came after this cursor; without one, from the beginning.
    fn request(&self, access: &Access, after: Option<&str>) -> Request;

    /// Reads the answer.
    fn read(&self, access: &Access, reply: Reply<'_>) -> Result<Fetched, Unanswered>;
}

/// What an inbox had.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fetched {
    /// What phones sent.
    pub statements: Vec<Statement>,
    /// From where to go on; none where nothing came.
    pub cursor: Option<String>,
    /// Whether there is more at once.
    pub has_more: bool,
}
