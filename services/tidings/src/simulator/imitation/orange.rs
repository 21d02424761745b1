//! Orange: JSON in the envelope of `OneAPI`, and the `OneAPI` question that other operators answer.

use super::{Asking, Call, Callback, Imitation, Told, What};
use domain::State;
use serde_json::{Value, json};

pub(super) struct Orange;

/// The words of `OneAPI`.
pub(super) const fn word(state: State) -> &'static str {
    match state {
        State::Delivered => "DeliveredToTerminal",
        State::Unknown => "DeliveryUncertain",
        State::Sent | State::Pending => "DeliveredToNetwork",
        _ => "DeliveryImpossible",
    }
}

fn info(told: &Told) -> Value {
    json!({ "address": format!("tel:{}", told.message.to), "deliveryStatus": word(told.state) })
}

impl Imitation for Orange {
    fn name(&self) -> &'static str {
        "orange"
    }

    fn message_id(&self, _client_reference: Option<&str>, random: u128) -> String {
        uuid(random)
    }

    fn outcomes(&self) -> &'static [State] {
        &[State::Delivered, State::Failed, State::Unknown]
    }

    fn callback(&self, told: &[Told]) -> Callback {
        let id = told.first().map(|told| &told.message.id);
        let info = told.first().map(info);
        Callback::json(json!({
            "deliveryInfoNotification": { "callbackData": id, "deliveryInfo": info },
        }))
    }

    fn recognise(&self, asking: &Asking) -> Option<Call> {
        let shown = asking.shown();
        let what = match (asking.method.as_str(), &asking.path()[..]) {
            ("POST", ["oauth", "v3", "token"]) => What::Token,
            (
                "GET",
                [
                    "smsmessaging",
                    "v1",
                    "outbound",
                    _,
                    "requests",
                    id,
                    "deliveryInfos",
                ],
            ) => What::Status(vec![(*id).to_owned()]),
            _ => return None,
        };
        Some(Call { what, shown })
    }

    fn answer(&self, found: &[Told], _missing: &[String], asking: &Asking) -> Option<Value> {
        let told = found.first()?;
        let sender = asking.path.get(3)?;
        let place = format!(
            "outbound/{sender}/requests/{}/deliveryInfos",
            told.message.id
        );
        Some(json!({
            "deliveryInfoList": {
                "resourceURL": format!("https://api.orange.example/smsmessaging/v1/{place}"),
                "deliveryInfo": [info(told)],
            },
        }))
    }

    fn error(&self) -> Value {
        json!({
            "requestError": {
                "serviceException": { "messageId": "SVC0002", "text": "Invalid Input Value" },
            },
        })
    }

    fn api_path(&self) -> Option<&'static str> {
        Some("/smsmessaging/v1")
    }
}

/// Random bits as a UUID is written.
pub(super) fn uuid(random: u128) -> String {
    let hex = format!("{random:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    [
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ]
    .join("-")
}
