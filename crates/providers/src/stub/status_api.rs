//! The stub's status API. It is ours, and nobody else's: with it a set-up can be tried, and whoever proposes the
//! plain delivery report to an operator can propose this beside it.
//!
//! `GET {base_url}/status?ids=a,b,c` with `authorization: Bearer KEY` asks about up to 50 messages by their ids.
//! The answer is `{"messages":[…],"next":"…"}`: each of `messages` is a plain delivery report in JSON, and
//! `next`, where there is more, is given back as `&page=…` in the next request about the same ids.

use super::Stub;
use crate::ask::{Access, Answered, Asked, Field, Reply, Request, StatusApi, Token, Unanswered};
use crate::asking::{escaped, listed, slow_down};
use crate::body::{Body, MediaType};
use crate::provider::Provider;
use domain::callback::{Kind, Statement};
use domain::json;
use domain::report::Report;
use serde_json::Value;

/// How many messages a request asks about.
const BATCH: usize = 50;
/// How many statements an answer may have: several of each message.
const MOST_STATEMENTS: usize = 500;
/// The longest page mark that is given back, in bytes.
const MAX_PAGE_BYTES: usize = 512;

pub(super) struct StubStatus;

impl StatusApi for StubStatus {
    fn base_url(&self) -> Option<&'static str> {
        None
    }

    fn fields(&self) -> &'static [Field] {
        const { &[Field::secret("key")] }
    }

    fn batch(&self) -> usize {
        BATCH
    }

    fn can_ask(&self, asked: &Asked) -> bool {
        asked.provider_message_id.is_some()
    }

    fn request(
        &self,
        access: &Access,
        _token: Option<&Token>,
        asked: &[Asked],
        page: Option<&str>,
    ) -> Request {
        let page = page.map_or_else(String::new, |page| format!("&page={}", escaped(page)));
        let (base, ids) = (&access.base_url, listed(asked));
        Request {
            method: "GET",
            url: format!("{base}/status?ids={ids}{page}"),
            headers: vec![("authorization", format!("Bearer {}", access.value("key")))],
            body: String::new(),
        }
    }

    fn read(
        &self,
        _access: &Access,
        asked: &[Asked],
        reply: Reply<'_>,
    ) -> Result<Answered, Unanswered> {
        match reply.status {
            200 => {}
            401 | 403 => {
                return Err(Unanswered::CredentialsRefused(format!(
                    "status {}",
                    reply.status
                )));
            }
            404 => return Err(Unanswered::NotFound),
            429 => return Err(slow_down(reply)),
            500..=599 => return Err(Unanswered::Unavailable(format!("status {}", reply.status))),
            status => return Err(Unanswered::Unreadable(format!("status {status}"))),
        }
        let page = read(reply.body)
            .ok_or_else(|| Unanswered::Unreadable("it is not a list of messages".to_owned()))?;
        let messages = page["messages"].as_array().map_or(&[][..], Vec::as_slice);
        if messages.len() > MOST_STATEMENTS {
            let detail = format!("it has more than {MOST_STATEMENTS} messages");
            return Err(Unanswered::Unreadable(detail));
        }
        let mut answered = Answered {
            next_page: next_page(&page),
            ..Answered::default()
        };
        for message in messages {
            match report(message) {
                Some(report) if asked.iter().any(|it| is_about(&report, it)) => {
                    answered.reports.push(report);
                }
                _ => answered.foreign += 1,
            }
        }
        Ok(answered)
    }
}

/// No name twice, as in a callback.
fn read(body: &[u8]) -> Option<Value> {
    json::check(body, json::MAX_DEPTH).ok()?;
    let page: Value = serde_json::from_slice(body).ok()?;
    page["messages"].is_array().then_some(page)
}

fn next_page(page: &Value) -> Option<String> {
    let next = page["next"].as_str()?;
    (1..=MAX_PAGE_BYTES)
        .contains(&next.len())
        .then(|| next.to_owned())
}

fn report(message: &Value) -> Option<Report> {
    let text = message.to_string();
    let body = Body {
        media_type: MediaType::Json,
        bytes: text.as_bytes(),
    };
    let said = Stub.parse(Kind::Reports, body).ok()?;
    match said.into_iter().next()? {
        Statement::Report(report) => Some(report),
        _ => None,
    }
}

/// The id has to be that which was asked about, and the recipient, where one is named.
fn is_about(report: &Report, asked: &Asked) -> bool {
    let recipient = report.recipient_e164();
    report.provider_message_id == asked.provider_message_id
        && recipient.is_none_or(|recipient| recipient == asked.to)
}
