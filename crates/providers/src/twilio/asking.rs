//! Asking Twilio: `GET /2010-04-01/Accounts/{AccountSid}/Messages/{Sid}.json`
//! (<https://www.twilio.com/docs/messaging/api/message-resource#fetch-a-message-resource>), one
//! message a request.
//!
//! The resource has the words of the callbacks. Its times, in RFC 2822: `date_sent` is when Twilio
//! handed the message on, and so the time of `sent` and of nothing else; `date_updated` is of the last
//! change of anything, a price that became known for one, and no word's. Its `price` is negative, for
//! all segments together, and null until it is known; `num_segments` is not used.

use super::{Twilio, reason};
use crate::ask::{Access, Answered, Asked, Field, Reply, Request, StatusApi, Token, Unanswered};
use crate::asking::{
    basic, cross_checked, error_body, escaped, get, lacks, object, provider_id, slow_down,
    unreadable,
};
use crate::fields::Fields;
use crate::object::Object;
use crate::provider::Provider;
use crate::refusal::Refusal;
use crate::response::joined;
use domain::Timestamp;
use domain::cost::Cost;
use domain::report::Report;

/// The word whose time is `date_sent`.
const SENT: &str = "sent";
/// The longest message id: it is a segment of the path.
const MAX_SID_BYTES: usize = 64;

impl StatusApi for Twilio {
    fn base_url(&self) -> Option<&'static str> {
        Some("https://api.twilio.com")
    }

    fn fields(&self) -> &'static [Field] {
        const { &[Field::required("account_sid"), Field::secret("auth_token")] }
    }

    fn batch(&self) -> usize {
        1
    }

    fn can_ask(&self, asked: &Asked) -> bool {
        let sid = provider_id(asked);
        (1..=MAX_SID_BYTES).contains(&sid.len()) && sid.bytes().all(|c| c.is_ascii_alphanumeric())
    }

    fn request(
        &self,
        access: &Access,
        _token: Option<&Token>,
        asked: &[Asked],
        _page: Option<&str>,
    ) -> Request {
        let account = access.value("account_sid");
        let sid = asked.first().map(provider_id).unwrap_or_default();
        let url = format!(
            "{}/2010-04-01/Accounts/{}/Messages/{}.json",
            access.base_url,
            escaped(account),
            escaped(sid)
        );
        get(url, vec![basic(account, access.value("auth_token"))])
    }

    fn read(
        &self,
        access: &Access,
        asked: &[Asked],
        reply: Reply<'_>,
    ) -> Result<Answered, Unanswered> {
        let resource = object(reply)?;
        if !resource.has("sid") {
            return Err(error(&resource, reply));
        }
        let is_ours = resource.text("account_sid").as_deref() == Some(access.value("account_sid"));
        let report = self.resource(&Fields::Json(resource)).map_err(unreadable)?;
        if !is_ours {
            return Ok(Answered {
                foreign: 1,
                ..Answered::default()
            });
        }
        Ok(cross_checked(asked, [Ok(report)]))
    }
}

impl Twilio {
    /// The statement that a callback about the same would make, and what it cost.
    fn resource(&self, fields: &Fields<'_>) -> Result<Report, Refusal> {
        let id = fields.required_id("sid")?;
        let word = fields.required("status")?;
        let sent_at = (word == SENT).then(|| fields.text("date_sent")).flatten();
        let failure_reason = fields.text("error_code");
        let report = Report {
            provider_message_id: Some(id),
            provider_time: sent_at.and_then(|text| Timestamp::parse_rfc2822(&text)),
            failure_class: failure_reason.as_deref().map(reason::class),
            provider_response: joined([failure_reason.clone(), fields.text("error_message")]),
            failure_reason,
            recipient: fields.phone("to"),
            cost: cost(fields),
            ..self.status(&word).said(word)
        };
        Ok(report.bounded())
    }
}

/// What Twilio takes is negative there.
fn cost(fields: &Fields<'_>) -> Option<Cost> {
    let price = fields.text("price")?;
    let amount = price.strip_prefix('-').unwrap_or(&price);
    Cost::new(amount, &fields.text("price_unit")?).ok()
}

/// `{"code":…,"message":…,"status":…}`, whatever its status was
/// (<https://www.twilio.com/docs/api/errors>).
fn error(answer: &Object<'_>, reply: Reply<'_>) -> Unanswered {
    let Some(code) = answer.text("code") else {
        return lacks("sid");
    };
    match &*code {
        "20003" => Unanswered::CredentialsRefused("error 20003 was answered".to_owned()),
        "20404" => Unanswered::NotFound,
        "20429" => slow_down(reply),
        "20500" | "20503" => Unanswered::Unavailable(format!("error {code} was answered")),
        other => error_body(other),
    }
}
