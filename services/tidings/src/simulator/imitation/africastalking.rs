//! Africa's Talking: forms, and an inbox.

use super::{Asking, Call, Callback, Imitation, Shown, Told, What};
use crate::simulator::world::FromPhone;
use domain::State;
use serde_json::{Value, json};

pub(super) struct AfricasTalking;

const NETWORK: &str = "63902";

impl Imitation for AfricasTalking {
    fn name(&self) -> &'static str {
        "africastalking"
    }

    fn message_id(&self, _client_reference: Option<&str>, random: u128) -> String {
        format!("ATXid_{random:032x}")
    }

    fn outcomes(&self) -> &'static [State] {
        &[State::Delivered, State::Failed, State::Rejected]
    }

    fn callback(&self, told: &[Told]) -> Callback {
        let Some(told) = told.first() else {
            return Callback::form(Vec::new());
        };
        let (status, reason) = match told.state {
            State::Delivered => ("Success", None),
            State::Failed => ("Failed", Some("DeliveryFailure")),
            State::Rejected => ("Rejected", Some("UserInBlackList")),
            _ => ("Sent", None),
        };
        let mut fields = vec![
            ("phoneNumber", told.message.to.clone()),
            ("retryCount", "0".to_owned()),
            ("id", told.message.id.clone()),
            ("status", status.to_owned()),
            ("networkCode", NETWORK.to_owned()),
        ];
        if let Some(reason) = reason {
            fields.insert(1, ("failureReason", reason.to_owned()));
        }
        Callback::form(fields)
    }

    fn recognise(&self, asking: &Asking) -> Option<Call> {
        let is_inbox = asking.is_get() && asking.path() == ["version1", "messaging"];
        is_inbox.then(|| Call {
            what: What::Inbox(asking.value("lastReceivedId").parse().unwrap_or(0)),
            shown: Shown::Pair(asking.value("username").to_owned(), asking.apikey.clone()),
        })
    }

    fn inbox(&self, messages: &[FromPhone]) -> Value {
        let messages: Vec<_> = messages
            .iter()
            .map(|it| {
                json!({
                    "linkId": null, "text": it.text, "to": it.to, "id": it.id,
                    "date": it.at, "from": it.from,
                })
            })
            .collect();
        json!({ "SMSMessageData": { "Messages": messages } })
    }

    fn error(&self) -> Value {
        json!("The supplied authentication is invalid")
    }

    fn api_path(&self) -> Option<&'static str> {
        Some("")
    }
}
