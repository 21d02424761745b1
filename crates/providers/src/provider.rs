//! What every provider can do.

use crate::answer::Answer;
use crate::ask::{InboxApi, StatusApi};
use crate::body::{Body, MediaType};
use crate::refusal::Refusal;
use crate::word::{Meaning, Word};
use domain::callback::{Kind, Statement};

/// A provider of SMS: how to read what it sends, what its words mean, and what it wants to hear.
pub trait Provider: Sync {
    /// Its name in the API, in metrics and as a reserved slug.
    fn name(&self) -> &'static str;

    /// Which callbacks it has.
    fn kinds(&self) -> &'static [Kind];

    /// The media types it sends, its own first. No parameters.
    fn content_types(&self) -> &'static [&'static str];

    /// Its status table: every word it is known to use.
    fn words(&self) -> &'static [Word];

    /// Reads a callback. The body's media type must be one of [`Provider::content_types`] and the
    /// kind one of [`Provider::kinds`]: whoever calls has seen to that, and what is read otherwise
    /// means nothing.
    fn parse(&self, kind: Kind, body: Body<'_>) -> Result<Vec<Statement>, Refusal>;

    /// What it must be told when a callback of this kind was accepted.
    fn answer(&self, _kind: Kind) -> Answer {
        Answer::Standard
    }

    /// How it can be asked what became of messages; none where it cannot.
    fn status_api(&self) -> Option<&'static dyn StatusApi> {
        None
    }

    /// How it can be asked which messages phones sent; none where it cannot.
    fn inbox_api(&self) -> Option<&'static dyn InboxApi> {
        None
    }

    /// Whether a GET is a callback too, with what it says in its query.
    fn calls_by_get(&self) -> bool {
        false
    }

    /// The form in which message ids of this provider are compared: the id as it is, unless the
    /// provider's own systems disagree about how to write it. The ids of its statements have this
    /// form already; an id from elsewhere, like that of a registration, must be given it first.
    fn message_id<'a>(&self, id: &'a str) -> &'a str {
        id
    }

    /// What a word means, compared exactly. A word outside the table means nothing.
    fn status(&self, word: &str) -> Meaning {
        crate::word::meaning(self.words(), word)
    }

    /// How a body with this `Content-Type` is to be read; without one, as the provider's own. None
    /// for a type that the provider does not use, or a charset other than UTF-8.
    fn media_type(&self, content_type: Option<&str>) -> Option<MediaType> {
        crate::body::media_type(self.content_types(), content_type)
    }
}
