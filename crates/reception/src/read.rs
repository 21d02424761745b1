//! What an authenticated request says.

use crate::account::Account;
use crate::request::{Method, Request};
use domain::callback::Statement;
use domain::security::Reason;
use providers::{Body, MediaType, Refusal, mend_surrogates};
use std::borrow::Cow;

/// Why what an authenticated request says is not taken. The text tells the sender what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// Its provider does not call by GET.
    #[error("send callbacks of this provider with POST")]
    Method,
    /// Its provider does not use this content type.
    #[error("send {0}")]
    MediaType(String),
    /// Its body is not taken.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Unread {
    /// The type of the security event it is, if it is one.
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Method | Self::MediaType(_) => None,
            Self::Refused(Refusal::Malformed { .. }) => Some(Reason::Malformed),
            Self::Refused(Refusal::Unrecognised { .. }) => Some(Reason::Unrecognised),
        }
    }
}

impl Account {
    /// Reads what an authenticated request says.
    pub fn read(&self, request: &Request<'_>) -> Result<Vec<Statement>, Unread> {
        if request.method == Method::Get && !self.provider.calls_by_get() {
            return Err(Unread::Method);
        }
        let Some(media_type) = request.media_type(self) else {
            let expected = self.provider.content_types().join(" or ");
            return Err(Unread::MediaType(expected));
        };
        let said = request.said(self);
        let mended = match media_type {
            MediaType::Json => mend_surrogates(said),
            MediaType::Form => Cow::Borrowed(said),
        };
        let body = Body {
            media_type,
            bytes: &mended,
        };
        Ok(self.provider.parse(request.kind, body)?)
    }
}
