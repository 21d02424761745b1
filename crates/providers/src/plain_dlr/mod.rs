//! The plain delivery report: the format that Tidings proposes to operators without one of their
//! own. JSON, or the same names as a form.
//!
//! A report: `messageId`, `clientRef` (one of them is required), `status` (required, a word of SMPP
//! 3.4), `to`, `errorCode` (zeros mean none), `part` (from 1; without it the report speaks for all
//! parts), `submittedAt`, `doneAt`. An inbound message: `messageId`, `from`, `to`, `text` (the last
//! three required), `receivedAt`. Other names, like `provider`, `from` and `parts` of a report, are
//! not used.

mod status;

pub(crate) use status::WORDS;

use crate::body::Body;
use crate::fields::Fields;
use crate::provider::Provider;
use crate::refusal::Refusal;
use crate::word::Meaning;
use domain::State;
use domain::callback::{Kind, Statement};
use domain::inbound::Inbound;
use domain::report::{FailureClass, Report};

/// Reads a callback of a provider that uses this format.
pub(crate) fn parse(
    provider: &dyn Provider,
    kind: Kind,
    body: Body<'_>,
) -> Result<Vec<Statement>, Refusal> {
    let fields = Fields::read(body)?;
    let statement = match kind {
        Kind::Reports => Statement::Report(report(provider, &fields)?),
        Kind::Inbound => Statement::Inbound(inbound(&fields)?),
        Kind::OptOuts | Kind::Subscriptions => {
            let detail = format!("{} has no callbacks of kind {kind}", provider.name());
            return Err(Refusal::unrecognised(detail));
        }
    };
    Ok(vec![statement])
}

fn report(provider: &dyn Provider, fields: &Fields<'_>) -> Result<Report, Refusal> {
    let provider_message_id = fields.id("messageId")?;
    let client_reference = fields.id("clientRef")?;
    if provider_message_id.is_none() && client_reference.is_none() {
        return Err(Refusal::unrecognised(
            "one of the fields \"messageId\" and \"clientRef\" is required",
        ));
    }
    let word = fields.required("status")?;
    let meaning = provider.status(&word);
    let failure_reason = failure_reason(fields);
    Ok(Report {
        provider_message_id,
        client_reference,
        recipient: fields.phone("to"),
        part: part(fields)?,
        provider_time: provider_time(fields, meaning),
        failure_class: failure_reason.is_some().then_some(FailureClass::Unknown),
        failure_reason,
        ..meaning.said(word)
    }
    .bounded())
}

fn inbound(fields: &Fields<'_>) -> Result<Inbound, Refusal> {
    Ok(Inbound {
        provider_message_id: fields.id("messageId")?,
        from: fields.required_phone("from")?,
        to: fields.required_phone("to")?,
        text: fields.written("text")?,
        provider_time: fields.time("receivedAt"),
        ids_repeat: false,
    })
}

/// A part that is none cannot be taken for "all parts", which would say more than was meant.
fn part(fields: &Fields<'_>) -> Result<Option<u32>, Refusal> {
    let Some(text) = fields.text("part") else {
        return Ok(None);
    };
    match text.parse() {
        Ok(part) if part > 0 => Ok(Some(part)),
        _ => Err(Refusal::unrecognised(
            "the field \"part\" must be a whole number from 1, or be left out",
        )),
    }
}

fn failure_reason(fields: &Fields<'_>) -> Option<String> {
    fields
        .text("errorCode")
        .filter(|code| code.bytes().any(|digit| digit != b'0'))
}

/// Only while a message is on its way the time of its submission is that of the report.
fn provider_time(fields: &Fields<'_>, meaning: Meaning) -> Option<domain::Timestamp> {
    let done = fields.time("doneAt");
    match meaning.state {
        Some(State::Sent) => done.or_else(|| fields.time("submittedAt")),
        _ => done,
    }
}
