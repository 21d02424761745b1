//! Africa's Talking, after its page "SMS Notifications"
//! (<https://developers.africastalking.com/docs/sms/notifications>).
//!
//! Forms, one statement each, one URL per kind. A report has an id, a word, the phone, the network
//! and perhaps a reason, but no time. Nothing is signed. Inbound ids were seen to repeat for
//! different messages, so the text belongs to a message's identity.

mod asking;
mod reason;
mod status;

use crate::ask::InboxApi;
use crate::body::{Body, FORM, MediaType};
use crate::fields::Fields;
use crate::provider::Provider;
use crate::refusal::Refusal;
use crate::word::Word;
use domain::callback::{Kind, Statement};
use domain::inbound::{CarrierSubscription, Inbound, OptOut};
use domain::report::Report;

/// Africa's Talking.
pub(crate) struct AfricasTalking;

impl Provider for AfricasTalking {
    fn name(&self) -> &'static str {
        "africastalking"
    }

    fn kinds(&self) -> &'static [Kind] {
        &Kind::ALL
    }

    fn content_types(&self) -> &'static [&'static str] {
        &[FORM]
    }

    fn words(&self) -> &'static [Word] {
        status::WORDS
    }

    fn inbox_api(&self) -> Option<&'static dyn InboxApi> {
        Some(&AfricasTalking)
    }

    fn parse(&self, kind: Kind, body: Body<'_>) -> Result<Vec<Statement>, Refusal> {
        body.expect(MediaType::Form)?;
        let fields = Fields::read(body)?;
        let statement = match kind {
            Kind::Reports => Statement::Report(self.report(&fields)?),
            Kind::Inbound => Statement::Inbound(inbound(&fields)?),
            Kind::OptOuts => Statement::OptOut(opt_out(&fields)?),
            Kind::Subscriptions => Statement::CarrierSubscription(subscription(&fields)?),
        };
        Ok(vec![statement])
    }
}

impl AfricasTalking {
    fn report(&self, fields: &Fields<'_>) -> Result<Report, Refusal> {
        let id = fields.required_id("id")?;
        let word = fields.required("status")?;
        let meaning = self.status(&word);
        let failure_reason = fields.text("failureReason");
        Ok(Report {
            provider_message_id: Some(id),
            recipient: fields.phone("phoneNumber"),
            failure_class: failure_reason.as_deref().map(reason::class),
            failure_reason,
            network_code: fields.text("networkCode"),
            ..meaning.said(word)
        }
        .bounded())
    }
}

fn inbound(fields: &Fields<'_>) -> Result<Inbound, Refusal> {
    Ok(Inbound {
        provider_message_id: fields.id("id")?,
        from: fields.required_phone("from")?,
        to: fields.required_phone("to")?,
        text: fields.written("text")?,
        provider_time: fields.time("date"),
        ids_repeat: true,
    })
}

fn opt_out(fields: &Fields<'_>) -> Result<OptOut, Refusal> {
    Ok(OptOut {
        phone: fields.required_phone("phoneNumber")?,
        sender: fields.required("senderId")?,
    })
}

fn subscription(fields: &Fields<'_>) -> Result<CarrierSubscription, Refusal> {
    Ok(CarrierSubscription {
        phone: fields.required_phone("phoneNumber")?,
        short_code: fields.required("shortCode")?,
        keyword: fields.required("keyword")?,
        update: fields.required("updateType")?,
    })
}
