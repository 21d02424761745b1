//! Zamtel. No public page describes its delivery reports, and its sending interface was never seen
//! to tell a message id. A link speaks the plain delivery report by private agreement, whose answer
//! has `"ok": true`.

use crate::answer::Answer;
use crate::body::{Body, FORM, JSON};
use crate::plain_dlr;
use crate::provider::Provider;
use crate::refusal::Refusal;
use crate::word::Word;
use domain::callback::{Kind, Statement};

/// Zamtel.
pub(crate) struct Zamtel;

impl Provider for Zamtel {
    fn name(&self) -> &'static str {
        "zamtel"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Reports, Kind::Inbound]
    }

    fn content_types(&self) -> &'static [&'static str] {
        &[JSON, FORM]
    }

    fn words(&self) -> &'static [Word] {
        plain_dlr::WORDS
    }

    fn parse(&self, kind: Kind, body: Body<'_>) -> Result<Vec<Statement>, Refusal> {
        plain_dlr::parse(self, kind, body)
    }

    fn answer(&self, _kind: Kind) -> Answer {
        Answer::StandardWithOk
    }
}
