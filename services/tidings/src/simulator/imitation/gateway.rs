//! Kannel and Jasmin, which stand before SMPP.

use super::{Callback, Imitation, Told, orange};
use domain::State;
use serde_json::{Value, json};

pub(super) struct Kannel;
pub(super) struct Jasmin;

impl Imitation for Kannel {
    fn name(&self) -> &'static str {
        "kannel"
    }

    fn message_id(&self, client_reference: Option<&str>, random: u128) -> String {
        // Kannel has whatever was put into its `dlr-url`.
        client_reference.map_or_else(|| orange::uuid(random), str::to_owned)
    }

    fn outcomes(&self) -> &'static [State] {
        &[State::Delivered, State::Failed, State::Rejected]
    }

    fn callback(&self, told: &[Told]) -> Callback {
        let Some(told) = told.first() else {
            return Callback::get(Vec::new());
        };
        let status = match told.state {
            State::Delivered => "1",
            State::Sent => "8",
            State::Rejected => "16",
            _ => "2",
        };
        Callback::get(vec![
            ("id", told.message.id.clone()),
            ("status", status.to_owned()),
            ("to", told.message.to.clone()),
            ("ts", told.at.as_seconds().to_string()),
        ])
    }

    fn error(&self) -> Value {
        Value::Null
    }
}

impl Imitation for Jasmin {
    fn name(&self) -> &'static str {
        "jasmin"
    }

    fn message_id(&self, _client_reference: Option<&str>, random: u128) -> String {
        orange::uuid(random)
    }

    fn outcomes(&self) -> &'static [State] {
        &super::super::share::OUTCOMES
    }

    fn callback(&self, told: &[Told]) -> Callback {
        let Some(told) = told.first() else {
            return Callback::form(Vec::new());
        };
        let (word, delivered, error) = match told.state {
            State::Delivered => ("DELIVRD", "001", "000"),
            State::Failed => ("UNDELIV", "000", "011"),
            State::Rejected => ("REJECTD", "000", "008"),
            State::Expired => ("EXPIRED", "000", "003"),
            State::Unknown => ("UNKNOWN", "000", "000"),
            State::Sent | State::Pending => ("ACCEPTD", "000", "000"),
        };
        Callback::form(vec![
            ("id", told.message.id.clone()),
            ("message_status", word.to_owned()),
            ("dlvrd", delivered.to_owned()),
            ("err", error.to_owned()),
            ("level", "2".to_owned()),
        ])
    }

    fn error(&self) -> Value {
        json!(null)
    }
}
