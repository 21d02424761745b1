//! Airtel. No public page of Airtel Zambia describes delivery reports of SMS, so a link speaks the
//! plain delivery report by private agreement, whose answer has `"ok": true`.

use crate::answer::Answer;
use crate::body::{Body, FORM, JSON};
use crate::plain_dlr;
use crate::provider::Provider;
use crate::refusal::Refusal;
use crate::word::Word;
use domain::callback::{Kind, Statement};

/// Airtel.
pub(crate) struct Airtel;

impl Provider for Airtel {
    fn name(&self) -> &'static str {
        "airtel"
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
