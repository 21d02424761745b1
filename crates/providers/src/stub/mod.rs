//! The stub: a provider that nobody has to sign up with, for demonstrations, tests and private
//! links. It speaks the plain delivery report, and can be asked for it.

mod status_api;

use crate::ask::StatusApi;
use crate::body::{Body, FORM, JSON};
use crate::plain_dlr;
use crate::provider::Provider;
use crate::refusal::Refusal;
use crate::word::Word;
use domain::callback::{Kind, Statement};
use status_api::StubStatus;

/// The stub.
pub(crate) struct Stub;

impl Provider for Stub {
    fn name(&self) -> &'static str {
        "stub"
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

    fn status_api(&self) -> Option<&'static dyn StatusApi> {
        Some(&StubStatus)
    }

    fn parse(&self, kind: Kind, body: Body<'_>) -> Result<Vec<Statement>, Refusal> {
        plain_dlr::parse(self, kind, body)
    }
}
