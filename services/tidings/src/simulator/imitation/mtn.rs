//! MTN: v2, which can be asked, and v3, which tells times.

use super::{Asking, Call, Callback, Imitation, Shown, Told, What, digits, orange, seconds};
use domain::State;
use serde_json::{Value, json};

pub(super) struct Mtn;
pub(super) struct MtnV3;

/// What both versions have of a message.
fn info(told: &Told) -> Value {
    json!({
        "requestId": told.message.id,
        "clientCorrelator": told.message.client_reference,
        "deliveryStatus": [{
            "receiverAddress": digits(&told.message.to),
            "status": v2_word(told.state),
        }],
    })
}

/// The words of `OneAPI`, and those of SMPP for what they do not say.
const fn v2_word(state: State) -> &'static str {
    match state {
        State::Rejected => "REJECTD",
        State::Expired => "EXPIRED",
        other => orange::word(other),
    }
}

impl Imitation for Mtn {
    fn name(&self) -> &'static str {
        "mtn"
    }

    fn message_id(&self, _client_reference: Option<&str>, random: u128) -> String {
        let hex = format!("{random:032x}");
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        format!("{}@{}", part(0, 16), part(16, 27))
    }

    fn outcomes(&self) -> &'static [State] {
        &super::super::share::OUTCOMES
    }

    fn callback(&self, told: &[Told]) -> Callback {
        Callback::json(json!({ "deliveryInfo": told.first().map(info) }))
    }

    fn recognise(&self, asking: &Asking) -> Option<Call> {
        match (asking.method.as_str(), &asking.path()[..]) {
            ("POST", ["v1", "oauth", "access_token"])
                if asking.value("grant_type") == "client_credentials" =>
            {
                let field = |name| asking.value(name).to_owned();
                Some(Call {
                    what: What::Token,
                    shown: Shown::Pair(field("client_id"), field("client_secret")),
                })
            }
            ("GET", ["v2", "messages", "sms", "outbound", _, id, "deliveryStatus"]) => Some(Call {
                what: What::Status(vec![(*id).to_owned()]),
                shown: asking.shown(),
            }),
            _ => None,
        }
    }

    fn answer(&self, found: &[Told], _missing: &[String], _asking: &Asking) -> Option<Value> {
        let told = found.first()?;
        Some(json!({
            "statusCode": "0000",
            "statusMessage": "Successful",
            "transactionId": format!("sim-{}", told.message.asked),
            "data": info(told),
        }))
    }

    fn error(&self) -> Value {
        json!({ "statusCode": "4000", "statusMessage": "Bad Request", "supportMessage": "simulated" })
    }

    fn api_path(&self) -> Option<&'static str> {
        Some("")
    }
}

impl Imitation for MtnV3 {
    fn name(&self) -> &'static str {
        "mtn-v3"
    }

    /// v3 has no id of its own: it is the client's.
    fn message_id(&self, client_reference: Option<&str>, random: u128) -> String {
        client_reference.map_or_else(|| orange::uuid(random), str::to_owned)
    }

    fn outcomes(&self) -> &'static [State] {
        &super::super::share::OUTCOMES
    }

    fn callback(&self, told: &[Told]) -> Callback {
        let Some(told) = told.first() else {
            return Callback::json(Value::Null);
        };
        let (word, details, error) = match told.state {
            State::Delivered => ("DELIVERED", "", "000"),
            State::Failed => ("UNDELIVERED", "Absent subscriber", "001"),
            State::Rejected => ("REJECTED", "Rejected by the network", "008"),
            State::Expired => ("EXPIRED", "Validity period expired", "003"),
            State::Unknown => ("UNKNOWN", "", ""),
            State::Sent | State::Pending => ("ENROUTE", "", ""),
        };
        let is_end = told.state != State::Sent;
        Callback::json(json!({
            "clientCorrelatorId": told.message.id,
            "deliveryStatus": word,
            "details": details,
            "error": error,
            "senderAddress": told.message.from,
            "receiverAddress": digits(&told.message.to),
            "submittedDate": seconds(told.message.sent_at, "T"),
            "completedDate": is_end.then(|| seconds(told.at, "T")),
        }))
    }

    fn error(&self) -> Value {
        Mtn.error()
    }
}
