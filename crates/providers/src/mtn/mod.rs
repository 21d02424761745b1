//! MTN, after the specifications "Short Message Service (SMS) API" v2 and v3 of its developer portal
//! (<https://developers.mtn.com>), and what was seen of its traffic.
//!
//! JSON, with names in any case: the specification writes `transactionId`, the wire `TransactionID`.
//! Reports and messages from phones may come to either URL: a `message` with a text is from a phone,
//! anything else has to be a report. There are three shapes of reports:
//!
//! * v3, flat: `clientCorrelatorId`, `deliveryStatus`, `receiverAddress`, `submittedDate`,
//!   `completedDate`, `details`, `error`. Its `id` is not told when sending: not used.
//! * v2 as seen, flat: `TransactionID`, `clientCorrelator`, `deliveryStatus`.
//! * v2 as specified: `deliveryInfo` with `requestId`, `clientCorrelator` and, in an array
//!   `deliveryStatus`, a `receiverAddress` and a `status` each; alone, or in
//!   `deliveryInfoNotification`, whose own `transactionId` only traces the request: not used.
//!
//! See [`ids`] for how they name a message. A date without a zone is taken as UTC.

mod asking;
mod ids;
mod inbound;
mod status;

use crate::ask::StatusApi;
use crate::batch::each;
use crate::body::{Body, JSON, MediaType};
use crate::fields::Fields;
use crate::object::{MAX_STATEMENTS, Object};
use crate::provider::Provider;
use crate::refusal::Refusal;
use crate::response::joined;
use crate::word::{Meaning, Word};
use domain::callback::{Kind, Statement};
use domain::report::{FailureClass, Report};
use domain::{State, Timestamp};
use ids::Ids;

/// MTN.
pub(crate) struct Mtn;

const NOTIFICATION: &str = "deliveryInfoNotification";
const INFO: &str = "deliveryInfo";
const STATUS: &str = "deliveryStatus";

impl Provider for Mtn {
    fn name(&self) -> &'static str {
        "mtn"
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
        Some(&Mtn)
    }

    fn parse(&self, _kind: Kind, body: Body<'_>) -> Result<Vec<Statement>, Refusal> {
        body.expect(MediaType::Json)?;
        let object = Object::read(body.bytes)?.ignoring_case()?;
        if inbound::is_inbound(&object) {
            let inbound = inbound::read(&Fields::Json(object))?;
            return Ok(vec![Statement::Inbound(inbound)]);
        }
        match object.object(NOTIFICATION)? {
            Some(notification) => self.reports(notification),
            None => self.reports(object),
        }
    }
}

impl Mtn {
    fn reports(&self, object: Object<'_>) -> Result<Vec<Statement>, Refusal> {
        if object.has(INFO) {
            return self.batches(object.objects(INFO)?);
        }
        if object.has(STATUS) {
            return self.batch(object);
        }
        Err(Refusal::unrecognised(format!(
            "the fields \"message\", \"{STATUS}\" and \"{INFO}\" are all missing or empty"
        )))
    }

    fn batches(&self, infos: Vec<Object<'_>>) -> Result<Vec<Statement>, Refusal> {
        let mut statements = Vec::new();
        for (index, info) in infos.into_iter().enumerate() {
            let batch = self.batch(info);
            statements.extend(batch.map_err(|it| it.within(&format!("{INFO}[{index}]")))?);
            if statements.len() > MAX_STATEMENTS {
                let detail = format!("\"{INFO}\" has more than {MAX_STATEMENTS} entries in all");
                return Err(Refusal::unrecognised(detail));
            }
        }
        Ok(statements)
    }

    /// One report, whose word is the status, or one for each entry of the status.
    fn batch(&self, info: Object<'_>) -> Result<Vec<Statement>, Refusal> {
        if info.text(STATUS).is_some() {
            let fields = Fields::Json(info);
            let report = self.report(&Ids::read(&fields)?, &fields, STATUS)?;
            return Ok(vec![Statement::Report(report)]);
        }
        let entries = info.objects(STATUS)?;
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let ids = Ids::read(&Fields::Json(info))?;
        each(STATUS, entries, |entry| {
            self.report(&ids, &Fields::Json(entry), "status")
                .map(Statement::Report)
        })
    }

    fn report(&self, ids: &Ids, fields: &Fields<'_>, word: &str) -> Result<Report, Refusal> {
        let word = fields.required(word)?;
        let meaning = self.status(&word);
        let failure_reason = failure_reason(fields, meaning);
        Ok(Report {
            provider_message_id: Some(ids.provider.clone()),
            client_reference: ids.client.clone(),
            recipient: fields.phone("receiverAddress"),
            provider_time: provider_time(fields, meaning),
            failure_class: failure_reason.is_some().then_some(FailureClass::Unknown),
            failure_reason,
            provider_response: joined([error_code(fields), fields.text("details")]),
            ..meaning.said(word)
        }
        .bounded())
    }
}

/// Its text, else its code, of which zeros mean none. What went well has no reason to fail, whatever
/// its details say.
fn failure_reason(fields: &Fields<'_>, meaning: Meaning) -> Option<String> {
    if matches!(meaning.state, Some(State::Sent | State::Delivered)) {
        return None;
    }
    fields.text("details").or_else(|| error_code(fields))
}

fn error_code(fields: &Fields<'_>) -> Option<String> {
    fields
        .text("error")
        .filter(|code| code.bytes().any(|digit| digit != b'0'))
}

/// Only while a message is on its way the time of its submission is that of the report.
fn provider_time(fields: &Fields<'_>, meaning: Meaning) -> Option<Timestamp> {
    let completed = time(fields, "completedDate");
    match meaning.state {
        Some(State::Sent) => completed.or_else(|| time(fields, "submittedDate")),
        _ => completed,
    }
}

/// A date, or milliseconds since the Unix epoch: the specification gives no format.
fn time(fields: &Fields<'_>, name: &str) -> Option<Timestamp> {
    fields.epoch_ms(name).or_else(|| fields.time(name))
}
