//! Messages from phones, as MTN sends them: seen, not specified. They have a null `id` and numbers
//! without `+`.

use super::time;
use crate::fields::Fields;
use crate::object::Object;
use crate::refusal::Refusal;
use domain::inbound::Inbound;

/// Whether this is a message from a phone: only these have a text.
pub(super) fn is_inbound(object: &Object<'_>) -> bool {
    object.text("message").is_some_and(|text| !text.is_empty())
}

pub(super) fn read(fields: &Fields<'_>) -> Result<Inbound, Refusal> {
    Ok(Inbound {
        provider_message_id: fields.id("id")?,
        from: fields.required_phone("senderAddress")?,
        to: fields.required_phone("receiverAddress")?,
        text: fields.written("message")?,
        provider_time: time(fields, "created").or_else(|| time(fields, "submittedDate")),
        ids_repeat: false,
    })
}
