//! Infobip, after its SMS API v3 and its page "Message status codes"
//! (<https://www.infobip.com/docs/developer-resources/api-fundamentals/message-status-codes>).
//!
//! JSON, many statements in one body: `{"results":[…]}`, which may be empty. A report has
//! `messageId`, `to`, `status`, perhaps an `error`, `sentAt`, `doneAt` (with an offset like `+0000`),
//! `mccMnc`, `price` (for the message, with its currency), and in `callbackData` what the client gave when it sent. It speaks for all parts of a
//! message; how many they are (`messageCount`, or `smsCount` as it was called) and the sender
//! (`sender`, or `from`) are not used. The word is the name of the status, as the history shows it;
//! the state is that of the status's group, with one exception (see `status.rs`).
//!
//! An inbound message has `messageId`, `from`, `to`, `text` and `receivedAt`. Its `cleanText` lacks
//! the keyword, by which a STOP is known, so it is not used.

mod asking;
mod failure;
mod status;

use crate::ask::StatusApi;
use crate::batch::each;
use crate::body::{Body, JSON, MediaType};
use crate::fields::Fields;
use crate::object::Object;
use crate::provider::Provider;
use crate::refusal::Refusal;
use crate::response::joined;
use crate::word::{Meaning, Word};
use domain::State;
use domain::callback::{Kind, Statement};
use domain::cost::Cost;
use domain::inbound::Inbound;
use domain::report::{MAX_ID_BYTES, Report};

/// Infobip.
pub(crate) struct Infobip;

const RESULTS: &str = "results";

impl Provider for Infobip {
    fn name(&self) -> &'static str {
        "infobip"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Reports, Kind::Inbound]
    }

    fn content_types(&self) -> &'static [&'static str] {
        &[JSON]
    }

    fn words(&self) -> &'static [Word] {
        status::WORDS
    }

    fn status_api(&self) -> Option<&'static dyn StatusApi> {
        Some(&Infobip)
    }

    fn parse(&self, kind: Kind, body: Body<'_>) -> Result<Vec<Statement>, Refusal> {
        body.expect(MediaType::Json)?;
        let entries = Object::read(body.bytes)?.objects(RESULTS)?;
        each(RESULTS, entries, |entry| match kind {
            Kind::Reports => self.report(entry).map(Statement::Report),
            Kind::Inbound => inbound(&Fields::Json(entry)).map(Statement::Inbound),
            Kind::OptOuts | Kind::Subscriptions => Err(Refusal::lacking(self.name(), kind)),
        })
    }
}

impl Infobip {
    fn report(&self, entry: Object<'_>) -> Result<Report, Refusal> {
        let status = entry.object("status")?;
        let status = Fields::Json(status.ok_or_else(|| Refusal::missing("status"))?);
        let meaning = self.status(&status::deciding_word(&status).unwrap_or_default());
        let (failure_reason, failure_class) = failure::read(&entry).unzip();
        let description = failure_reason
            .as_ref()
            .and_then(|_| failure::description(&entry));
        let cost = cost(&entry);
        let fields = Fields::Json(entry);
        Ok(Report {
            provider_message_id: Some(fields.required_id("messageId")?),
            client_reference: client_reference(&fields),
            recipient: fields.phone("to"),
            provider_time: provider_time(&fields, meaning),
            failure_reason,
            failure_class,
            network_code: fields.text("mccMnc"),
            cost,
            provider_response: joined([status.text("description"), description]),
            ..meaning.said(status::word(&status)?)
        }
        .bounded())
    }
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

/// What one message costs; `messageCount` says how many parts that is for.
fn cost(entry: &Object<'_>) -> Option<Cost> {
    let price = Fields::Json(entry.object("price").ok()??);
    Cost::new(&price.text("pricePerMessage")?, &price.text("currency")?).ok()
}

/// The client may have given more than a reference: what is too long to be one is none.
fn client_reference(fields: &Fields<'_>) -> Option<String> {
    let data = fields.written("callbackData").ok()?;
    (1..=MAX_ID_BYTES).contains(&data.len()).then_some(data)
}

/// Only while a message is on its way the time of sending is that of the report.
fn provider_time(fields: &Fields<'_>, meaning: Meaning) -> Option<domain::Timestamp> {
    let done = fields.time("doneAt");
    match meaning.state {
        Some(State::Sent) => done.or_else(|| fields.time("sentAt")),
        _ => done,
    }
}
