//! Infobip: batches of JSON, and the logs of messages.

use super::{Asking, Call, Callback, Imitation, Told, What, digits, without_colon};
use domain::State;
use serde_json::{Value, json};

pub(super) struct Infobip;

fn result(told: &Told) -> Value {
    let (group_id, group, id, name) = match told.state {
        State::Delivered => (3, "DELIVERED", 5, "DELIVERED_TO_HANDSET"),
        State::Failed => (2, "UNDELIVERABLE", 4, "UNDELIVERABLE_NOT_DELIVERED"),
        State::Expired => (4, "EXPIRED", 15, "EXPIRED_EXPIRED"),
        State::Rejected => (5, "REJECTED", 6, "REJECTED_NETWORK"),
        _ => (1, "PENDING", 7, "PENDING_ENROUTE"),
    };
    let error = if told.state == State::Failed {
        json!({
            "groupId": 1, "groupName": "HANDSET_ERRORS", "id": 27, "name": "EC_ABSENT_SUBSCRIBER",
            "description": "Absent Subscriber", "permanent": false,
        })
    } else {
        json!({
            "groupId": 0, "groupName": "OK", "id": 0, "name": "NO_ERROR", "description": "No Error",
            "permanent": false,
        })
    };
    let message = &told.message;
    json!({
        "bulkId": "simulated",
        "messageId": message.id,
        "to": digits(&message.to),
        "sender": message.from,
        "sentAt": without_colon(message.sent_at),
        "doneAt": without_colon(told.at),
        "messageCount": message.parts,
        "mccMnc": "64501",
        "callbackData": message.client_reference,
        "price": { "pricePerMessage": 0.01, "currency": "EUR" },
        "status": {
            "groupId": group_id, "groupName": group, "id": id, "name": name,
            "description": name.to_lowercase().replace('_', " "),
        },
        "error": error,
    })
}

fn results(told: &[Told]) -> Value {
    let results: Vec<_> = told.iter().map(result).collect();
    json!({ "results": results })
}

impl Imitation for Infobip {
    fn name(&self) -> &'static str {
        "infobip"
    }

    fn message_id(&self, _client_reference: Option<&str>, random: u128) -> String {
        format!("{:020}", random >> 64)
    }

    fn outcomes(&self) -> &'static [State] {
        &[
            State::Delivered,
            State::Failed,
            State::Rejected,
            State::Expired,
        ]
    }

    fn batch(&self) -> usize {
        100
    }

    fn callback(&self, told: &[Told]) -> Callback {
        Callback::json(results(told))
    }

    fn recognise(&self, asking: &Asking) -> Option<Call> {
        let is_logs = asking.is_get() && asking.path() == ["sms", "3", "logs"];
        is_logs.then(|| Call {
            what: What::Status(asking.ids("messageId")),
            shown: asking.shown(),
        })
    }

    fn answer(&self, found: &[Told], _missing: &[String], _asking: &Asking) -> Option<Value> {
        Some(results(found))
    }

    fn error(&self) -> Value {
        json!({
            "requestError": {
                "serviceException": { "messageId": "BAD_REQUEST", "text": "simulated" },
            },
        })
    }

    fn api_path(&self) -> Option<&'static str> {
        Some("")
    }
}
