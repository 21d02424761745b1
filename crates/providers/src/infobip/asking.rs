//! Asking Infobip: `GET /sms/3/logs?messageId=a,b` at the account's own host. The logs of the last 48
//! hours can be read again and again; `/sms/3/reports`, which says the same, tells each report only
//! once, and whoever else reads it would miss what we took.
//!
//! `messageId` takes ids with commas between them, 2,048 characters in all. An entry of the answer is
//! one of the callbacks' `results`, so it makes the same statement.

use super::{Infobip, RESULTS};
use crate::ask::{Access, Answered, Asked, Field, Reply, Request, StatusApi, Token, Unanswered};
use crate::asking::{
    cross_checked, get, is_listable, listed, object, provider_id, request_error, unreadable,
};

/// As many of the longest ids, and their commas, as there is room for.
const BATCH: usize = 20;
const MAX_ID_BYTES: usize = 100;

impl StatusApi for Infobip {
    fn base_url(&self) -> Option<&'static str> {
        None
    }

    fn fields(&self) -> &'static [Field] {
        const { &[Field::secret("api_key")] }
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
        let url = format!("{}/sms/3/logs?messageId={}", access.base_url, listed(asked));
        let key = format!("App {}", access.value("api_key"));
        get(url, vec![("authorization", key)])
    }

    fn read(
        &self,
        _access: &Access,
        asked: &[Asked],
        reply: Reply<'_>,
    ) -> Result<Answered, Unanswered> {
        let answer = object(reply)?;
        if let Some(error) = request_error(&answer, reply) {
            return Err(error);
        }
        let entries = answer.objects(RESULTS).map_err(unreadable)?;
        if entries.is_empty() {
            return Err(Unanswered::NotFound);
        }
        let read = entries.into_iter().map(|entry| self.report(entry));
        Ok(cross_checked(asked, read))
    }
}
