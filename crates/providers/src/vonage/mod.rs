//! Vonage (SMS API), after its pages "Delivery receipts" and "Inbound SMS"
//! (<https://developer.vonage.com/en/messaging/sms/guides/delivery-receipts>).
//!
//! JSON, a form, or the query of a GET with the same names: a setting of the account. All values are
//! strings, and numbers are taken too. A receipt: `messageId` and `status` (required), `msisdn` (the
//! phone; `to` is the sender's name here), `err-code` (`0` means none), `network-code`,
//! `client-ref`, `message-timestamp`. A long message may have a receipt for each part, which does
//! not say which part it is but has the message id of its part.
//!
//! `message-timestamp` is UTC: when Vonage began to push the receipt. `scts`, the carrier's time, has
//! no zone, and in the page's own example it is an hour ahead of the push: it is no time.
//!
//! `price` has no currency: the page's examples are in euros, an account may be in another, and the
//! receipt does not say. A cost without one would be a guess, so it is none; the Reports API tells both.
//!
//! An inbound message: `messageId`, `msisdn` (the phone), `to`, `text` (the last three required),
//! `message-timestamp`. A binary one has `data` in the place of `text`: unrecognised. A long message
//! comes in parts, in any order, each with a message id of its own, and with `concat-ref`,
//! `concat-total` and `concat-part`. [`Inbound`] has no place for these three, so each part is a
//! message of its own here, and whoever wants the whole cannot put it together from what we hand on.

mod asking;
mod reason;
mod status;

use crate::ask::StatusApi;
use crate::body::{Body, FORM, JSON};
use crate::fields::Fields;
use crate::provider::Provider;
use crate::refusal::Refusal;
use crate::word::Word;
use domain::callback::{Kind, Statement};
use domain::inbound::Inbound;
use domain::report::Report;

/// Vonage.
pub(crate) struct Vonage;

impl Provider for Vonage {
    fn name(&self) -> &'static str {
        "vonage"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Reports, Kind::Inbound]
    }

    fn content_types(&self) -> &'static [&'static str] {
        &[JSON, FORM]
    }

    fn words(&self) -> &'static [Word] {
        status::WORDS
    }

    fn status_api(&self) -> Option<&'static dyn StatusApi> {
        Some(&Vonage)
    }

    fn calls_by_get(&self) -> bool {
        true
    }

    fn parse(&self, kind: Kind, body: Body<'_>) -> Result<Vec<Statement>, Refusal> {
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
}

impl Vonage {
    fn report(&self, fields: &Fields<'_>) -> Result<Report, Refusal> {
        let id = fields.required_id("messageId")?;
        let word = fields.required("status")?;
        let failure_reason = error_code(fields, "err-code");
        let report = Report {
            provider_message_id: Some(id),
            client_reference: fields.id("client-ref")?,
            recipient: fields.phone("msisdn"),
            provider_time: fields.time("message-timestamp"),
            failure_class: failure_reason.as_deref().map(reason::class),
            provider_response: failure_reason.clone(),
            failure_reason,
            network_code: fields.text("network-code"),
            ..self.status(&word).said(word)
        };
        Ok(report.bounded())
    }
}

/// A code of an error, of which zeros mean none.
fn error_code(fields: &Fields<'_>, name: &str) -> Option<String> {
    fields
        .text(name)
        .filter(|code| code.bytes().any(|digit| digit != b'0'))
}

fn inbound(fields: &Fields<'_>) -> Result<Inbound, Refusal> {
    Ok(Inbound {
        provider_message_id: fields.id("messageId")?,
        from: fields.required_phone("msisdn")?,
        to: fields.required_phone("to")?,
        text: fields.written("text")?,
        provider_time: fields.time("message-timestamp"),
        ids_repeat: false,
    })
}
