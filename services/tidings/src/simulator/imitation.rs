//! How each provider looks from outside: its callbacks, and the API that is asked.

mod africastalking;
mod gateway;
mod infobip;
mod mtn;
mod orange;
mod plain;
mod twilio;
mod vonage;

use super::world::{FromPhone, Message};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::{State, Timestamp};
use serde_json::Value;

/// A provider, imitated.
pub(super) trait Imitation: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// The id of a message it takes. 128 random bits make one.
    fn message_id(&self, client_reference: Option<&str>, random: u128) -> String;

    /// The ends of messages that it tells apart.
    fn outcomes(&self) -> &'static [State];

    /// Whether it reports each part of a long message.
    fn tells_parts(&self) -> bool {
        false
    }

    /// How many statements one callback has at most.
    fn batch(&self) -> usize {
        1
    }

    /// The callback that says this, at least one thing.
    fn callback(&self, told: &[Told]) -> Callback;

    /// Whether it signs its callbacks with a secret.
    fn signs(&self) -> bool {
        false
    }

    /// Signs a callback that goes to this URL.
    fn sign(&self, callback: &mut Callback, by: &Signing<'_>) {
        let _ = (callback, by);
    }

    /// What a request wants of its API; none for one that it has not.
    fn recognise(&self, asking: &Asking) -> Option<Call> {
        let _ = asking;
        None
    }

    /// The answer about messages that were asked about, of which `missing` are unknown; none where the
    /// provider says 404.
    fn answer(&self, found: &[Told], missing: &[String], asking: &Asking) -> Option<Value> {
        let _ = (found, missing, asking);
        None
    }

    /// The answer with what phones sent.
    fn inbox(&self, messages: &[FromPhone]) -> Value {
        let _ = messages;
        Value::Null
    }

    /// How an answer says that there is another page, where it can.
    fn add_page(&self, answer: &mut Value) {
        let _ = answer;
    }

    /// What it answers when something is wrong.
    fn error(&self) -> Value;

    /// Where its API is, below the simulator's address: what `status_api.base_url` has to end with.
    fn api_path(&self) -> Option<&'static str> {
        None
    }
}

/// Every provider that can be imitated.
pub(super) const ALL: [&dyn Imitation; 12] = [
    &africastalking::AfricasTalking,
    &orange::Orange,
    &mtn::Mtn,
    &mtn::MtnV3,
    &plain::AIRTEL,
    &plain::ZAMTEL,
    &plain::STUB,
    &gateway::Kannel,
    &gateway::Jasmin,
    &twilio::Twilio,
    &infobip::Infobip,
    &vonage::Vonage,
];

/// What is told of a message.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub message: Message,
    pub state: State,
    pub part: Option<u32>,
    /// When it happened.
    pub at: Timestamp,
}

/// A callback.
#[derive(Debug, Clone)]
pub(super) struct Callback {
    pub method: &'static str,
    /// Fields of a form or of a query.
    pub fields: Vec<(String, String)>,
    /// A body that is no form.
    pub json: Option<Value>,
    pub headers: Vec<(&'static str, String)>,
}

/// What a signature needs.
pub(super) struct Signing<'a> {
    pub secret: &'a str,
    pub url: &'a str,
    pub now: Timestamp,
    pub nonce: String,
}

/// A request to the provider's API.
#[derive(Debug, Clone, Default)]
pub(super) struct Asking {
    pub method: String,
    /// The path's segments, without their escapes.
    pub path: Vec<String>,
    pub query: Vec<(String, String)>,
    pub form: Vec<(String, String)>,
    pub authorization: String,
    pub apikey: String,
}

/// What a request wants, and what it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub what: What,
    pub shown: Shown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Token,
    /// What became of the messages with these ids.
    Status(Vec<String>),
    /// What phones sent after this id.
    Inbox(u64),
}

/// Credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shown {
    Nothing,
    /// A user, empty where there is none, and a secret.
    Pair(String, String),
    Token(String),
}

/// The imitation of this name.
pub(super) fn find(name: &str) -> Option<&'static dyn Imitation> {
    ALL.into_iter().find(|imitation| imitation.name() == name)
}

impl Callback {
    /// A form by POST.
    fn form(fields: Vec<(&str, String)>) -> Self {
        Self {
            method: "POST",
            fields: owned(fields),
            json: None,
            headers: Vec::new(),
        }
    }

    /// The same fields by GET, in the query.
    fn get(fields: Vec<(&str, String)>) -> Self {
        Self {
            method: "GET",
            ..Self::form(fields)
        }
    }

    /// JSON by POST.
    fn json(body: Value) -> Self {
        Self {
            json: Some(body),
            ..Self::form(Vec::new())
        }
    }

    /// The fields as a form or a query writes them.
    pub(super) fn encoded(&self) -> String {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.fields)
            .finish()
    }

    /// Its body.
    pub(super) fn body(&self) -> String {
        match &self.json {
            Some(json) => json.to_string(),
            None if self.method == "GET" => String::new(),
            None => self.encoded(),
        }
    }

    /// Where it goes.
    pub(super) fn url(&self, base: &str) -> String {
        if self.method != "GET" {
            return base.to_owned();
        }
        let mark = if base.contains('?') { '&' } else { '?' };
        format!("{base}{mark}{}", self.encoded())
    }

    pub(super) fn content_type(&self) -> &'static str {
        if self.json.is_some() {
            "application/json"
        } else {
            "application/x-www-form-urlencoded"
        }
    }
}

impl Asking {
    pub(super) fn value(&self, name: &str) -> &str {
        let mut fields = self.query.iter().chain(&self.form);
        let found = fields.find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// Ids with commas between them.
    fn ids(&self, name: &str) -> Vec<String> {
        let ids = self.value(name).split(',').filter(|id| !id.is_empty());
        ids.map(str::to_owned).collect()
    }

    fn is_get(&self) -> bool {
        self.method == "GET"
    }

    fn path(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    /// The credentials of `Authorization`.
    fn shown(&self) -> Shown {
        let (scheme, rest) = self.authorization.split_once(' ').unwrap_or_default();
        match scheme.to_ascii_lowercase().as_str() {
            "bearer" => Shown::Token(rest.to_owned()),
            "app" => Shown::Pair(String::new(), rest.to_owned()),
            "basic" => basic(rest).unwrap_or(Shown::Nothing),
            _ => Shown::Nothing,
        }
    }
}

fn basic(encoded: &str) -> Option<Shown> {
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(Shown::Pair(user.to_owned(), password.to_owned()))
}

fn owned(fields: Vec<(&str, String)>) -> Vec<(String, String)> {
    let owned = |(name, value): (&str, String)| (name.to_owned(), value);
    fields.into_iter().map(owned).collect()
}

/// A number without its `+`.
fn digits(to: &str) -> &str {
    to.trim_start_matches('+')
}

/// `2026-05-01T10:15:30.232Z` in another form: up to the seconds, with this between date and time.
fn seconds(at: Timestamp, between: &str) -> String {
    let text = at.to_string();
    let (date, time) = text.split_once('T').unwrap_or_default();
    format!("{date}{between}{}", time.get(..8).unwrap_or_default())
}

/// `2026-05-01T10:15:30.232+0000`.
fn without_colon(at: Timestamp) -> String {
    at.to_string().replace('Z', "+0000")
}

#[cfg(test)]
mod tests;
