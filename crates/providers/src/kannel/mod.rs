//! Kannel, after its user guide, "Delivery reports" and "SMS services"
//! (<https://kannel.org/download/1.5.0/userguide-1.5.0/userguide.html>).
//!
//! Queries of a GET, or forms. Kannel itself has no field names: it calls the URL that its
//! configuration or the sender wrote, so these names are the ones that we ask for. A report: `id` or
//! `uuid` (one of them is required), `status` (required, `%d`), `to`, `ts` (`%T`). An inbound
//! message: `sender` or `from` (`%p`), `to` (`%P`), `message` or `text` (`%b`; these three are
//! required), `ts`, `id` (`%I`). `ts` is in seconds since the Unix epoch.
//!
//! What a report has for an id is what the sender put into the URL: an id of the SMSC, or a reference
//! of its own. A single one stands for both; of two, `uuid` is the reference. Nothing is signed.

mod status;

use crate::body::{Body, FORM, MediaType};
use crate::fields::Fields;
use crate::padding;
use crate::provider::Provider;
use crate::refusal::Refusal;
use crate::word::Word;
use domain::Timestamp;
use domain::callback::{Kind, Statement};
use domain::inbound::Inbound;
use domain::report::Report;

/// Kannel.
pub(crate) struct Kannel;

/// The last second that can be written as a time (9999-12-30T22:00:00Z).
const LAST_SECOND: i64 = 253_402_207_200;

impl Provider for Kannel {
    fn name(&self) -> &'static str {
        "kannel"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Reports, Kind::Inbound]
    }

    fn content_types(&self) -> &'static [&'static str] {
        &[FORM]
    }

    fn words(&self) -> &'static [Word] {
        status::WORDS
    }

    fn calls_by_get(&self) -> bool {
        true
    }

    fn parse(&self, kind: Kind, body: Body<'_>) -> Result<Vec<Statement>, Refusal> {
        body.expect(MediaType::Form)?;
        let fields = Fields::read(body)?;
        let statement = match kind {
            Kind::Reports => Statement::Report(self.report(&fields)?),
            Kind::Inbound => Statement::Inbound(inbound(&fields)?),
            Kind::OptOuts | Kind::Subscriptions => {
                return Err(Refusal::lacking(self.name(), kind));
            }
        };
        Ok(vec![statement])
    }

    fn message_id<'a>(&self, id: &'a str) -> &'a str {
        padding::without(id)
    }
}

impl Kannel {
    fn report(&self, fields: &Fields<'_>) -> Result<Report, Refusal> {
        let (id, reference) = names(fields)?;
        let word = fields.required("status")?;
        let meaning = self.status(&word);
        Ok(Report {
            provider_message_id: Some(id),
            client_reference: Some(reference),
            recipient: fields.phone("to"),
            provider_time: time(fields),
            ..meaning.said(word)
        }
        .bounded())
    }
}

/// The message id and the client reference. Digits lose their leading zeros in both, so that one
/// report has one identity.
fn names(fields: &Fields<'_>) -> Result<(String, String), Refusal> {
    let (id, uuid) = (bare_id(fields, "id")?, bare_id(fields, "uuid")?);
    match (id, uuid) {
        (Some(id), Some(uuid)) => Ok((id, uuid)),
        (Some(only), None) | (None, Some(only)) => Ok((only.clone(), only)),
        (None, None) => Err(Refusal::unrecognised(
            "one of the fields \"id\" and \"uuid\" is required",
        )),
    }
}

fn bare_id(fields: &Fields<'_>, name: &str) -> Result<Option<String>, Refusal> {
    let id = fields.id(name)?;
    Ok(id.map(|id| padding::without(&id).to_owned()))
}

fn inbound(fields: &Fields<'_>) -> Result<Inbound, Refusal> {
    let from = fields.phone("sender").or_else(|| fields.phone("from"));
    Ok(Inbound {
        provider_message_id: bare_id(fields, "id")?,
        from: from.ok_or_else(|| Refusal::missing("sender"))?,
        to: fields.required_phone("to")?,
        text: text(fields)?,
        provider_time: time(fields),
        ids_repeat: false,
    })
}

fn text(fields: &Fields<'_>) -> Result<String, Refusal> {
    match fields.written("message") {
        Ok(message) if !message.is_empty() => Ok(message),
        empty_or_missing => fields.written("text").or(empty_or_missing),
    }
}

fn time(fields: &Fields<'_>) -> Option<Timestamp> {
    let text = fields.text("ts")?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = text.parse().ok()?;
    (seconds <= LAST_SECOND).then(|| Timestamp::from_millis(seconds * 1_000))
}
