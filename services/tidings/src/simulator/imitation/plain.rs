//! The plain delivery report of airtel, zamtel and the stub, and the stub's own status API:
//! `GET /status?ids=a,b` with the key as a bearer, answered with the reports.

use super::super::sign;
use super::{Asking, Call, Callback, Imitation, Shown, Signing, Told, What};
use domain::State;
use serde_json::{Value, json};

pub(super) struct Plain {
    name: &'static str,
    can_be_asked: bool,
}

pub(super) const AIRTEL: Plain = Plain {
    name: "airtel",
    can_be_asked: false,
};
pub(super) const ZAMTEL: Plain = Plain {
    name: "zamtel",
    can_be_asked: false,
};
pub(super) const STUB: Plain = Plain {
    name: "stub",
    can_be_asked: true,
};

impl Plain {
    fn report(&self, told: &Told) -> Value {
        let (word, error) = match told.state {
            State::Delivered => ("DELIVRD", "000"),
            State::Failed => ("UNDELIV", "011"),
            State::Rejected => ("REJECTD", "008"),
            State::Expired => ("EXPIRED", "003"),
            State::Unknown => ("UNKNOWN", "000"),
            State::Sent | State::Pending => ("ENROUTE", "000"),
        };
        let mut report = json!({
            "provider": self.name,
            "messageId": told.message.id,
            "to": told.message.to,
            "from": told.message.from,
            "status": word,
            "errorCode": error,
            "parts": told.message.parts,
            "part": told.part,
            "submittedAt": told.message.sent_at,
        });
        if let Some(reference) = &told.message.client_reference {
            report["clientRef"] = json!(reference);
        }
        if told.state != State::Sent {
            report["doneAt"] = json!(told.at);
        }
        report
    }
}

impl Imitation for Plain {
    fn name(&self) -> &'static str {
        self.name
    }

    fn message_id(&self, _client_reference: Option<&str>, random: u128) -> String {
        format!("{}-{:016x}", self.name, random >> 64)
    }

    fn outcomes(&self) -> &'static [State] {
        &super::super::share::OUTCOMES
    }

    fn tells_parts(&self) -> bool {
        true
    }

    fn callback(&self, told: &[Told]) -> Callback {
        Callback::json(told.first().map_or(Value::Null, |told| self.report(told)))
    }

    fn signs(&self) -> bool {
        true
    }

    fn sign(&self, callback: &mut Callback, by: &Signing<'_>) {
        let time = by.now.as_seconds().to_string();
        let content = format!("{time}.{}", callback.body());
        let mac = sign::sha256_hex(by.secret, &content);
        callback
            .headers
            .push(("x-dlr-signature", format!("sha256={mac}")));
        callback.headers.push(("x-dlr-timestamp", time));
    }

    fn recognise(&self, asking: &Asking) -> Option<Call> {
        let is_ours = self.can_be_asked && asking.is_get() && asking.path() == ["status"];
        is_ours.then(|| Call {
            what: What::Status(asking.ids("ids")),
            shown: match asking.shown() {
                Shown::Token(key) => Shown::Pair(String::new(), key),
                other => other,
            },
        })
    }

    fn answer(&self, found: &[Told], _missing: &[String], _asking: &Asking) -> Option<Value> {
        let messages: Vec<_> = found.iter().map(|told| self.report(told)).collect();
        Some(json!({ "messages": messages }))
    }

    fn add_page(&self, answer: &mut Value) {
        answer["next"] = json!("another");
    }

    fn error(&self) -> Value {
        json!({ "error": "simulated" })
    }

    fn api_path(&self) -> Option<&'static str> {
        self.can_be_asked.then_some("")
    }
}
