//! Twilio, after its page "Track the Message Status of Outbound Messages"
//! (<https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks>).
//!
//! Forms, one statement each. A report has `MessageSid` and `MessageStatus` (`SmsSid` and
//! `SmsStatus` are their older names, read where the newer one is missing), `To` and, when it
//! failed, `ErrorCode`. Reports may come in any order. Its `RawDlrDoneDate` is the carrier's time to
//! the minute without a time zone: it could be wrong by a day and would then decide which of two
//! reports counts, so it is no provider time. New fields may come without notice.
//!
//! An inbound message has `MessageSid`, `From`, `To` and `Body`, which is taken as it stands. Others
//! have seen long messages in base64 there; nothing says when, and words such as STOP are base64
//! too, so decoding would be a guess. Whoever needs it finds the body of the callback unchanged.

mod asking;
mod reason;
mod status;

use crate::answer::Answer;
use crate::ask::StatusApi;
use crate::body::{Body, FORM, MediaType};
use crate::fields::Fields;
use crate::provider::Provider;
use crate::refusal::Refusal;
use crate::response::joined;
use crate::word::Word;
use domain::callback::{Kind, Statement};
use domain::inbound::Inbound;
use domain::report::Report;

/// Twilio.
pub(crate) struct Twilio;

/// The answer that sends no message back (`TwiML`).
const NO_REPLY: Answer = Answer::Fixed {
    content_type: "text/xml",
    body: "<Response/>",
};

impl Provider for Twilio {
    fn name(&self) -> &'static str {
        "twilio"
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

    fn status_api(&self) -> Option<&'static dyn StatusApi> {
        Some(&Twilio)
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

    fn answer(&self, kind: Kind) -> Answer {
        match kind {
            Kind::Inbound => NO_REPLY,
            Kind::Reports | Kind::OptOuts | Kind::Subscriptions => Answer::Standard,
        }
    }
}

impl Twilio {
    fn report(&self, fields: &Fields<'_>) -> Result<Report, Refusal> {
        let id = sid(fields)?.ok_or_else(|| Refusal::missing("MessageSid"))?;
        let word = fields
            .text("MessageStatus")
            .or_else(|| fields.text("SmsStatus"))
            .ok_or_else(|| Refusal::missing("MessageStatus"))?;
        let failure_reason = fields.text("ErrorCode");
        let report = Report {
            provider_message_id: Some(id),
            recipient: fields.phone("To"),
            failure_class: failure_reason.as_deref().map(reason::class),
            provider_response: joined([failure_reason.clone(), fields.text("ErrorMessage")]),
            failure_reason,
            ..self.status(&word).said(word)
        };
        Ok(report.bounded())
    }
}

fn inbound(fields: &Fields<'_>) -> Result<Inbound, Refusal> {
    Ok(Inbound {
        provider_message_id: sid(fields)?,
        from: fields.required_phone("From")?,
        to: fields.required_phone("To")?,
        text: fields.written("Body")?,
        provider_time: None,
        ids_repeat: false,
    })
}

/// The id of the message, under either of its names.
fn sid(fields: &Fields<'_>) -> Result<Option<String>, Refusal> {
    match fields.id("MessageSid")? {
        Some(sid) => Ok(Some(sid)),
        None => fields.id("SmsSid"),
    }
}
