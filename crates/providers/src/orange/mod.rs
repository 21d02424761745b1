//! Orange (Africa and Middle East API, and the older SDP), in the envelope of GSMA `OneAPI`.
//!
//! JSON. The top key says whether it is a delivery receipt or a message from a phone: both may come
//! to either URL. A receipt has no time and no reason. Its `callbackData` is the resource id of the
//! send at the current API and the client's own value at SDP, so it stands for both; without it
//! nothing but a phone number is left, which names no message: unrecognised.

mod asking;
mod status;

use crate::ask::StatusApi;
use crate::batch::each;
use crate::body::{Body, JSON, MediaType};
use crate::fields::Fields;
use crate::object::Object;
use crate::provider::Provider;
use crate::refusal::Refusal;
use crate::word::Word;
use domain::callback::{Kind, Statement};
use domain::inbound::Inbound;
use domain::report::Report;

/// Orange.
pub(crate) struct Orange;

const RECEIPT: &str = "deliveryInfoNotification";
const INBOUND: &str = "inboundSMSMessageNotification";

impl Provider for Orange {
    fn name(&self) -> &'static str {
        "orange"
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
        Some(&Orange)
    }

    fn parse(&self, _kind: Kind, body: Body<'_>) -> Result<Vec<Statement>, Refusal> {
        body.expect(MediaType::Json)?;
        let envelope = Object::read(body.bytes)?;
        match (envelope.object(RECEIPT)?, envelope.object(INBOUND)?) {
            (Some(receipt), None) => self.reports(receipt),
            (None, Some(notification)) => inbounds(&notification),
            (None, None) => Err(Refusal::unrecognised(format!(
                "neither \"{RECEIPT}\" nor \"{INBOUND}\" is there"
            ))),
            (Some(_), Some(_)) => Err(Refusal::unrecognised(format!(
                "\"{RECEIPT}\" and \"{INBOUND}\" are both there"
            ))),
        }
    }
}

impl Orange {
    fn reports(&self, receipt: Object<'_>) -> Result<Vec<Statement>, Refusal> {
        let entries = receipt.objects("deliveryInfo")?;
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let id = Fields::Json(receipt).required_id("callbackData")?;
        each("deliveryInfo", entries, |entry| {
            self.report(&id, &Fields::Json(entry))
                .map(Statement::Report)
        })
    }

    fn report(&self, id: &str, fields: &Fields<'_>) -> Result<Report, Refusal> {
        let word = fields.required("deliveryStatus")?;
        let meaning = self.status(&word);
        Ok(Report {
            provider_message_id: Some(id.to_owned()),
            client_reference: Some(id.to_owned()),
            recipient: fields.phone("address"),
            ..meaning.said(word)
        }
        .bounded())
    }
}

fn inbounds(notification: &Object<'_>) -> Result<Vec<Statement>, Refusal> {
    each(
        "inboundSMSMessage",
        notification.objects("inboundSMSMessage")?,
        |entry| inbound(&Fields::Json(entry)).map(Statement::Inbound),
    )
}

fn inbound(fields: &Fields<'_>) -> Result<Inbound, Refusal> {
    Ok(Inbound {
        provider_message_id: fields.id("messageId")?,
        from: fields.required_phone("senderAddress")?,
        to: fields.required_phone("destinationAddress")?,
        text: fields.written("message")?,
        provider_time: fields.time("dateTime"),
        ids_repeat: false,
    })
}
