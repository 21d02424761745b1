//! Vonage: JSON with a signature among its members, and the records of the Reports API.

use super::super::sign;
use super::{
    Asking, Call, Callback, Imitation, Shown, Signing, Told, What, digits, owned, seconds,
    without_colon,
};
use domain::State;
use serde_json::{Map, Value, json};

pub(super) struct Vonage;

const ACCOUNT: &str = "abcd1234";

const fn word(state: State) -> (&'static str, &'static str, &'static str) {
    match state {
        State::Delivered => ("delivered", "0", "Delivered"),
        State::Failed => ("failed", "2", "Absent Subscriber - Temporary"),
        State::Rejected => ("rejected", "6", "Anti-Spam Rejection"),
        State::Expired => ("expired", "1", "Unknown"),
        State::Unknown => ("unknown", "1", "Unknown"),
        State::Sent | State::Pending => ("accepted", "0", "Accepted"),
    }
}

impl Imitation for Vonage {
    fn name(&self) -> &'static str {
        "vonage"
    }

    fn message_id(&self, _client_reference: Option<&str>, random: u128) -> String {
        format!("{:016X}", random >> 64)
    }

    fn outcomes(&self) -> &'static [State] {
        &super::super::share::OUTCOMES
    }

    fn callback(&self, told: &[Told]) -> Callback {
        let Some(told) = told.first() else {
            return Callback::json(Value::Null);
        };
        let message = &told.message;
        let (status, code, _) = word(told.state);
        let at = seconds(told.at, " ");
        let minutes: String = at
            .chars()
            .filter(char::is_ascii_digit)
            .skip(2)
            .take(10)
            .collect();
        let mut fields = vec![
            ("api-key", ACCOUNT.to_owned()),
            ("err-code", code.to_owned()),
            ("message-timestamp", at),
            ("messageId", message.id.clone()),
            ("msisdn", digits(&message.to).to_owned()),
            ("network-code", "64501".to_owned()),
            ("price", "0.03330000".to_owned()),
            ("scts", minutes),
            ("status", status.to_owned()),
            ("to", message.from.clone()),
        ];
        if let Some(reference) = &message.client_reference {
            fields.push(("client-ref", reference.clone()));
        }
        object(owned(fields))
    }

    fn signs(&self) -> bool {
        true
    }

    fn sign(&self, callback: &mut Callback, by: &Signing<'_>) {
        let mut fields = std::mem::take(&mut callback.fields);
        fields.push(("timestamp".to_owned(), by.now.as_seconds().to_string()));
        fields.push(("nonce".to_owned(), by.nonce.clone()));
        let signature = sign::vonage(by.secret, &fields);
        fields.push(("sig".to_owned(), signature));
        *callback = object(fields);
    }

    fn recognise(&self, asking: &Asking) -> Option<Call> {
        let is_records = asking.is_get() && asking.path() == ["v2", "reports", "records"];
        // The account that asks is the one it asks for.
        let shown = match asking.shown() {
            Shown::Pair(user, secret) if user == asking.value("account_id") => {
                Shown::Pair(user, secret)
            }
            _ => Shown::Nothing,
        };
        is_records.then(|| Call {
            what: What::Status(asking.ids("id")),
            shown,
        })
    }

    fn answer(&self, found: &[Told], missing: &[String], asking: &Asking) -> Option<Value> {
        let account = asking.value("account_id");
        let records: Vec<_> = found.iter().map(|told| record(told, account)).collect();
        let mut answer = json!({
            "request_id": "00000000-0000-4000-8000-000000000000",
            "request_status": "SUCCESS",
            "currency": "EUR",
            "account_id": account,
            "product": "SMS",
            "direction": "outbound",
            "items_count": records.len(),
            "records": records,
        });
        if !missing.is_empty() {
            answer["ids_not_found"] = json!(missing.join(","));
        }
        Some(answer)
    }

    fn error(&self) -> Value {
        json!({ "request_status": "FAILED", "title": "simulated" })
    }

    fn api_path(&self) -> Option<&'static str> {
        Some("")
    }
}

/// JSON whose members are these texts; the fields stay, to be signed.
fn object(fields: Vec<(String, String)>) -> Callback {
    let members = fields.iter().cloned();
    let members: Map<_, _> = members
        .map(|(name, text)| (name, Value::from(text)))
        .collect();
    Callback {
        fields,
        ..Callback::json(Value::Object(members))
    }
}

fn record(told: &Told, account: &str) -> Value {
    let message = &told.message;
    let (status, code, description) = word(told.state);
    let has_ended = told.state != State::Sent;
    json!({
        "account_id": account,
        "message_id": message.id,
        "client_ref": message.client_reference,
        "direction": "outbound",
        "from": message.from,
        "to": digits(&message.to),
        "network": "64501",
        "date_received": without_colon(message.sent_at),
        "date_finalized": has_ended.then(|| without_colon(told.at)),
        "status": status,
        "error_code": code,
        "error_code_description": description,
        "currency": "EUR",
        "total_price": "0.03330000",
    })
}
