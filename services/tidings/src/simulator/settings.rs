//! How the provider behaves. All of it can be changed while it runs.

use super::share::{Delay, Outcomes, Share};
use serde_json::{Value, json};
use std::str::FromStr;

/// The most parts of a message.
pub(super) const MAX_PARTS: u32 = 20;

/// The faults of a provider, and what becomes of its messages.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Settings {
    /// Where callbacks go: the URL of the provider account for reports. Without it none are sent.
    #[arg(long, value_name = "URL")]
    pub callback_url: Option<String>,
    /// The secret that signs callbacks: of twilio its auth token, of vonage its signature secret (method
    /// sha256), of airtel, zamtel and stub the key of X-DLR-Signature. The others sign nothing.
    #[arg(long, value_name = "SECRET")]
    pub callback_secret: Option<String>,
    /// What becomes of messages: sent (never ends), delivered, failed, rejected, expired, unknown.
    #[arg(long, value_name = "NAME=WEIGHT,…", default_value = "delivered=1")]
    pub outcomes: Outcomes,
    /// How many seconds after it is sent a message comes to its end.
    #[arg(long, value_name = "SECONDS", default_value = "0..2")]
    pub delay: Delay,
    /// How many parts a message has. airtel, zamtel and stub report each of them.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_PARTS)))]
    pub parts: u32,
    /// How many callbacks are lost.
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub loss: Share,
    /// How many callbacks come twice.
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub duplicate: Share,
    /// Of how many messages "sent" is told after the end.
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub disorder: Share,
    /// How many requests are answered 429.
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub rate_limited: Share,
    /// How many requests are answered 503.
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub errors: Share,
    /// How many requests are answered 200 with a page of HTML.
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub html: Share,
    /// How many questions are answered 200 with an error in the body.
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub error_body: Share,
    /// How many questions are answered about another message or recipient.
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub wrong_message: Share,
    /// Every page says that there is another (stub, and the inbox of africastalking).
    #[arg(long)]
    pub endless_pages: bool,
    /// All credentials and tokens are refused.
    #[arg(long)]
    pub refuse_credentials: bool,
    /// How many seconds a token holds.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub token_lifetime: u32,
}

impl Settings {
    /// Changes what an object names, and nothing if any of it is wrong: the name and why.
    pub(super) fn change(&mut self, changes: &Value) -> Result<(), (String, String)> {
        let Some(changes) = changes.as_object() else {
            return Err((String::new(), "write an object of settings".to_owned()));
        };
        let mut next = self.clone();
        for (name, value) in changes {
            next.set(name, value).map_err(|why| (name.clone(), why))?;
        }
        *self = next;
        Ok(())
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), String> {
        match name {
            "callback_url" => self.callback_url = text_or_none(value)?,
            "callback_secret" => self.callback_secret = text_or_none(value)?,
            "outcomes" => self.outcomes = parsed(value)?,
            "delay" => self.delay = parsed(value)?,
            "parts" => self.parts = parts(value)?,
            "loss" => self.loss = parsed(value)?,
            "duplicate" => self.duplicate = parsed(value)?,
            "disorder" => self.disorder = parsed(value)?,
            "rate_limited" => self.rate_limited = parsed(value)?,
            "errors" => self.errors = parsed(value)?,
            "html" => self.html = parsed(value)?,
            "error_body" => self.error_body = parsed(value)?,
            "wrong_message" => self.wrong_message = parsed(value)?,
            "endless_pages" => self.endless_pages = flag(value)?,
            "refuse_credentials" => self.refuse_credentials = flag(value)?,
            "token_lifetime" => self.token_lifetime = whole(value)?,
            _ => return Err("there is no such setting".to_owned()),
        }
        Ok(())
    }

    /// As they are; whether there is a secret, and not which.
    pub(super) fn view(&self) -> Value {
        json!({
            "callback_url": self.callback_url,
            "callback_secret": self.callback_secret.as_ref().map(|_| "set"),
            "outcomes": self.outcomes.to_string(),
            "delay": self.delay.to_string(),
            "parts": self.parts,
            "loss": self.loss.to_string(),
            "duplicate": self.duplicate.to_string(),
            "disorder": self.disorder.to_string(),
            "rate_limited": self.rate_limited.to_string(),
            "errors": self.errors.to_string(),
            "html": self.html.to_string(),
            "error_body": self.error_body.to_string(),
            "wrong_message": self.wrong_message.to_string(),
            "endless_pages": self.endless_pages,
            "refuse_credentials": self.refuse_credentials,
            "token_lifetime": self.token_lifetime,
        })
    }
}

/// How many parts a value means.
pub(super) fn parts(value: &Value) -> Result<u32, String> {
    match whole(value) {
        Ok(parts) if (1..=MAX_PARTS).contains(&parts) => Ok(parts),
        _ => Err(format!("write a whole number from 1 to {MAX_PARTS}")),
    }
}

fn whole(value: &Value) -> Result<u32, String> {
    let number = value.as_u64().and_then(|number| number.try_into().ok());
    number.ok_or_else(|| "write a whole number".to_owned())
}

fn flag(value: &Value) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| "write true or false".to_owned())
}

/// A number or a text, as on the command line.
fn parsed<T: FromStr<Err = String>>(value: &Value) -> Result<T, String> {
    match value {
        Value::String(text) => text.parse(),
        other => other.to_string().parse(),
    }
}

fn text_or_none(value: &Value) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err("write a text, or null".to_owned()),
    }
}
