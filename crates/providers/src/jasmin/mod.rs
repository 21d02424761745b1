//! Jasmin, after its page "HTTP API", "Receiving DLR" and "Receiving SMS-MO"
//! (<https://docs.jasminsms.com/en/latest/apis/http/index.html>).
//!
//! Forms. A report: `id` (required), `message_status`, `dlvrd`, `err`. The word decides, even where
//! the counters contradict it, and even where the table does not list it (`ESME_ROK` of a report of
//! level 1): SMPP gives the counters a meaning for distribution lists only, and many an SMSC leaves
//! them at zero. Without a word the counters decide. `subdate` and `donedate` have no zone, so they
//! are no times. There is no recipient.
//!
//! An inbound message: `id`, `from`, `to`, `content` (the last three required), `coding`. Jasmin
//! hands the bytes of the short message on as they came, whole when it had several parts; newer
//! versions add them in hexadecimal as `binary`, which is read where `content` is missing or empty.
//!
//! Jasmin sends everything again until it is told exactly `ACK/Jasmin`. Nothing is signed.

mod coding;
mod gsm;
mod status;

use crate::answer::Answer;
use crate::body::{Body, FORM, MediaType};
use crate::fields::Fields;
use crate::form::{Form, hex_byte};
use crate::padding;
use crate::provider::Provider;
use crate::refusal::Refusal;
use crate::word::{Meaning, Word};
use domain::State;
use domain::callback::{Kind, Statement};
use domain::inbound::Inbound;
use domain::report::{FailureClass, Report};
use domain::text::clean;

/// Jasmin.
pub(crate) struct Jasmin;

/// What was in a short message: bytes of any coding. `text` is the beginning of the message that a
/// report is about, which we do not read.
const RAW: &[&str] = &["content", "text"];

impl Provider for Jasmin {
    fn name(&self) -> &'static str {
        "jasmin"
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

    fn parse(&self, kind: Kind, body: Body<'_>) -> Result<Vec<Statement>, Refusal> {
        body.expect(MediaType::Form)?;
        let form = Form::read_with_raw(body.bytes, RAW)?;
        let statement = match kind {
            Kind::Reports => Statement::Report(self.report(&Fields::Form(form))?),
            Kind::Inbound => Statement::Inbound(inbound(form)?),
            Kind::OptOuts | Kind::Subscriptions => {
                return Err(Refusal::lacking(self.name(), kind));
            }
        };
        Ok(vec![statement])
    }

    fn answer(&self, _kind: Kind) -> Answer {
        Answer::Fixed {
            content_type: "text/plain",
            body: "ACK/Jasmin",
        }
    }

    fn message_id<'a>(&self, id: &'a str) -> &'a str {
        padding::without(id)
    }
}

impl Jasmin {
    fn report(&self, fields: &Fields<'_>) -> Result<Report, Refusal> {
        let id = fields.required_id("id")?;
        let (word, state) = self.said(fields)?;
        let failure_reason = fields.text("err").filter(|code| status::is_code(code));
        Ok(Report {
            provider_message_id: Some(padding::without(&id).to_owned()),
            failure_class: failure_reason.is_some().then_some(FailureClass::Unknown),
            failure_reason,
            ..Meaning {
                state,
                is_temporary: false,
            }
            .said(word)
        }
        .bounded())
    }

    /// The word, or the counter that stands for it, and what it means.
    fn said(&self, fields: &Fields<'_>) -> Result<(String, Option<State>), Refusal> {
        if let Some(word) = fields.text("message_status") {
            let state = self.status(&word).state;
            return Ok((word, state));
        }
        let (dlvrd, err) = (fields.text("dlvrd"), fields.text("err"));
        status::counted(dlvrd.as_deref(), err.as_deref()).ok_or_else(|| {
            Refusal::unrecognised(
                "one of the fields \"message_status\", \"dlvrd\" and \"err\" is required",
            )
        })
    }
}

fn inbound(form: Form<'_>) -> Result<Inbound, Refusal> {
    let text = clean(content(&form)?);
    let fields = Fields::Form(form);
    let id = fields.id("id")?;
    Ok(Inbound {
        provider_message_id: id.map(|id| padding::without(&id).to_owned()),
        from: fields.required_phone("from")?,
        to: fields.required_phone("to")?,
        text,
        provider_time: None,
        ids_repeat: false,
    })
}

fn content(form: &Form<'_>) -> Result<String, Refusal> {
    let coding = padding::without(form.text("coding").unwrap_or_default());
    let binary = form.text("binary").filter(|digits| !digits.is_empty());
    match (form.raw("content"), binary) {
        (Some(bytes), None) => Ok(coding::text(coding, bytes)),
        (Some(bytes), Some(_)) if !bytes.is_empty() => Ok(coding::text(coding, bytes)),
        (_, Some(digits)) => hexadecimal(digits.as_bytes())
            .map(|bytes| coding::text(coding, &bytes))
            .ok_or_else(|| Refusal::unrecognised("the field \"binary\" is not hexadecimal")),
        (None, None) => Err(Refusal::missing("content")),
    }
}

fn hexadecimal(digits: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    let mut rest = digits;
    while !rest.is_empty() {
        let (byte, after) = hex_byte(rest)?;
        bytes.push(byte);
        rest = after;
    }
    Some(bytes)
}
