//! Twilio: forms with a signature, and the message resource.

use super::super::sign;
use super::{Asking, Call, Callback, Imitation, Shown, Signing, Told, What};
use actix_web::http::header::HttpDate;
use domain::{State, Timestamp};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

pub(super) struct Twilio;

const ACCOUNT: &str = "AC00000000000000000000000000000000";
const UNREACHABLE: u32 = 30003;

const fn word(state: State) -> &'static str {
    match state {
        State::Delivered => "delivered",
        State::Sent | State::Pending => "sent",
        _ => "undelivered",
    }
}

impl Imitation for Twilio {
    fn name(&self) -> &'static str {
        "twilio"
    }

    fn message_id(&self, _client_reference: Option<&str>, random: u128) -> String {
        format!("SM{random:032x}")
    }

    fn outcomes(&self) -> &'static [State] {
        &[State::Delivered, State::Failed]
    }

    fn callback(&self, told: &[Told]) -> Callback {
        let Some(told) = told.first() else {
            return Callback::form(Vec::new());
        };
        let (sid, word) = (&told.message.id, word(told.state));
        let mut fields = vec![
            ("AccountSid", ACCOUNT.to_owned()),
            ("ApiVersion", "2010-04-01".to_owned()),
            ("From", told.message.from.clone()),
            ("MessageSid", sid.clone()),
            ("MessageStatus", word.to_owned()),
            ("SmsSid", sid.clone()),
            ("SmsStatus", word.to_owned()),
            ("To", told.message.to.clone()),
        ];
        if told.state == State::Failed {
            fields.push(("ErrorCode", UNREACHABLE.to_string()));
        }
        Callback::form(fields)
    }

    fn signs(&self) -> bool {
        true
    }

    fn sign(&self, callback: &mut Callback, by: &Signing<'_>) {
        let signature = sign::twilio(by.secret, by.url, &callback.fields);
        callback.headers.push(("x-twilio-signature", signature));
    }

    fn recognise(&self, asking: &Asking) -> Option<Call> {
        let ["2010-04-01", "Accounts", account, "Messages", file] = &asking.path()[..] else {
            return None;
        };
        let sid = file.strip_suffix(".json")?;
        // The account that asks is the one in the path.
        let shown = match asking.shown() {
            Shown::Pair(user, secret) if user == *account => Shown::Pair(user, secret),
            _ => Shown::Nothing,
        };
        asking.is_get().then(|| Call {
            what: What::Status(vec![sid.to_owned()]),
            shown,
        })
    }

    fn answer(&self, found: &[Told], _missing: &[String], asking: &Asking) -> Option<Value> {
        let told = found.first()?;
        let account = asking.path.get(2)?;
        let (message, has_failed) = (&told.message, told.state == State::Failed);
        let price = format!("-0.{:05}", 2_500 * message.parts);
        Some(json!({
            "account_sid": account,
            "api_version": "2010-04-01",
            "body": "simulated",
            "date_created": date(message.sent_at),
            "date_sent": date(message.sent_at),
            "date_updated": date(told.at),
            "direction": "outbound-api",
            "error_code": has_failed.then_some(UNREACHABLE),
            "error_message": has_failed.then_some("Unreachable destination handset"),
            "from": message.from,
            "num_media": "0",
            "num_segments": message.parts.to_string(),
            "price": (told.state == State::Delivered).then_some(price),
            "price_unit": "USD",
            "sid": message.id,
            "status": word(told.state),
            "to": message.to,
            "uri": format!("/2010-04-01/Accounts/{account}/Messages/{}.json", message.id),
        }))
    }

    fn error(&self) -> Value {
        json!({
            "code": 20500, "message": "simulated", "status": 500,
            "more_info": "https://www.twilio.com/docs/errors/20500",
        })
    }

    fn api_path(&self) -> Option<&'static str> {
        Some("")
    }
}

/// RFC 2822: `Fri, 01 May 2026 10:15:01 +0000`.
fn date(at: Timestamp) -> String {
    let seconds = u64::try_from(at.as_seconds()).unwrap_or_default();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    HttpDate::from(time).to_string().replace("GMT", "+0000")
}
