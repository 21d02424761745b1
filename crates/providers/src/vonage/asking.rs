//! Asking Vonage: `GET /v2/reports/records?account_id=…&product=SMS&direction=outbound&id=a,b` of its
//! Reports API (<https://developer.vonage.com/en/reports/overview>), with up to 20 ids.
//!
//! A record has the words and codes of the receipts. `to` is the phone here. `date_finalized` is when
//! a message came to its end, and so the time of the words that end one; a receipt has the time it was
//! sent at instead, so the two are two statements. `total_price` is for all parts of a message.

use super::{Vonage, reason};
use crate::ask::{Access, Answered, Asked, Field, Reply, Request, StatusApi, Token, Unanswered};
use crate::asking::{
    basic, cross_checked, error_body, escaped, get, is_listable, lacks, listed, object,
    provider_id, unreadable,
};
use crate::fields::Fields;
use crate::object::Object;
use crate::provider::Provider;
use crate::refusal::Refusal;
use crate::response::joined;
use domain::State;
use domain::cost::Cost;
use domain::report::Report;

const BATCH: usize = 20;
const MAX_ID_BYTES: usize = 100;
const RECORDS: &str = "records";
/// Said of an answer that is whole, and of one with more records than fit: ours have room.
const GOOD: [&str; 2] = ["SUCCESS", "TRUNCATED"];

impl StatusApi for Vonage {
    fn base_url(&self) -> Option<&'static str> {
        Some("https://api.nexmo.com")
    }

    fn fields(&self) -> &'static [Field] {
        const { &[Field::required("api_key"), Field::secret("api_secret")] }
    }

    fn batch(&self) -> usize {
        BATCH
    }

    fn can_ask(&self, asked: &Asked) -> bool {
        is_listable(provider_id(asked), MAX_ID_BYTES)
    }

    fn request(
        &self,
        access: &Access,
        _token: Option<&Token>,
        asked: &[Asked],
        _page: Option<&str>,
    ) -> Request {
        let account = access.value("api_key");
        let url = format!(
            "{}/v2/reports/records?account_id={}&product=SMS&direction=outbound&id={}",
            access.base_url,
            escaped(account),
            listed(asked)
        );
        get(url, vec![basic(account, access.value("api_secret"))])
    }

    fn read(
        &self,
        access: &Access,
        asked: &[Asked],
        reply: Reply<'_>,
    ) -> Result<Answered, Unanswered> {
        let answer = object(reply)?;
        if let Some(status) = answer.text("request_status")
            && !GOOD.contains(&&*status)
        {
            return Err(error_body(&status));
        }
        if !answer.has(RECORDS) {
            return Err(lacks(RECORDS));
        }
        let records = answer.objects(RECORDS).map_err(unreadable)?;
        if records.is_empty() {
            return Err(Unanswered::NotFound);
        }
        let account = access.value("api_key");
        let read = records.into_iter().map(|it| self.record(it, account));
        Ok(cross_checked(asked, read))
    }
}

impl Vonage {
    fn record(&self, record: Object<'_>, account: &str) -> Result<Report, Refusal> {
        if record.text("account_id").as_deref() != Some(account) {
            return Err(Refusal::unrecognised("the record is of another account"));
        }
        let fields = Fields::Json(record);
        let id = fields.required_id("message_id")?;
        let word = fields.required("status")?;
        let code = super::error_code(&fields, "error_code");
        let description = code
            .as_ref()
            .and_then(|_| fields.text("error_code_description"));
        let report = Report {
            provider_message_id: Some(id),
            client_reference: fields.id("client_ref")?,
            recipient: fields.phone("to"),
            network_code: fields.text("network"),
            cost: cost(&fields),
            failure_class: code.as_deref().map(reason::class),
            provider_response: joined([code.clone(), description]),
            failure_reason: code,
            ..self.status(&word).said(word)
        };
        let is_end = report.state.is_some_and(|state| state != State::Sent);
        let report = Report {
            provider_time: is_end.then(|| fields.time("date_finalized")).flatten(),
            ..report
        };
        Ok(report.bounded())
    }
}

fn cost(fields: &Fields<'_>) -> Option<Cost> {
    Cost::new(&fields.text("total_price")?, &fields.text("currency")?).ok()
}
