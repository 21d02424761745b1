//! Asking MTN: `GET /v2/messages/sms/outbound/{senderAddress}/{requestId}/deliveryStatus`, one message
//! a request, with a token of `POST /v1/oauth/access_token`. v3 cannot be asked.
//!
//! The answer is `statusCode` (`0000` when all is well), `statusMessage`, `transactionId` and, in
//! `data`, what a report of v2 has in `deliveryInfo`: so it makes the same statement.

use super::{Mtn, STATUS};
use crate::ask::{Access, Answered, Asked, Field, Reply, Request, StatusApi, Token, Unanswered};
use crate::asking::{
    cross_checked, error_body, escaped, get, is_segment, lacks, object, post_form, provider_id,
    reports, unreadable,
};

const GOOD: &str = "0000";
const DATA: &str = "data";

impl StatusApi for Mtn {
    fn base_url(&self) -> Option<&'static str> {
        Some("https://api.mtn.com")
    }

    fn fields(&self) -> &'static [Field] {
        const { &[Field::required("client_id"), Field::secret("client_secret")] }
    }

    fn batch(&self) -> usize {
        1
    }

    fn can_ask(&self, asked: &Asked) -> bool {
        is_segment(provider_id(asked)) && is_segment(sender(asked))
    }

    fn token_request(&self, access: &Access) -> Option<Request> {
        let url = format!(
            "{}/v1/oauth/access_token?grant_type=client_credentials",
            access.base_url
        );
        let field = |name| escaped(access.value(name));
        let (id, secret) = (field("client_id"), field("client_secret"));
        let form = format!("client_id={id}&client_secret={secret}");
        Some(post_form(url, Vec::new(), form))
    }

    fn request(
        &self,
        access: &Access,
        token: Option<&Token>,
        asked: &[Asked],
        _page: Option<&str>,
    ) -> Request {
        let place = asked.first().map_or_else(String::new, |asked| {
            let (sender, id) = (escaped(sender(asked)), escaped(provider_id(asked)));
            format!("{sender}/{id}")
        });
        let url = format!(
            "{}/v2/messages/sms/outbound/{place}/deliveryStatus",
            access.base_url
        );
        let bearer = token.map(|token| ("authorization", format!("Bearer {}", token.value)));
        get(url, bearer.into_iter().collect())
    }

    fn read(
        &self,
        _access: &Access,
        asked: &[Asked],
        reply: Reply<'_>,
    ) -> Result<Answered, Unanswered> {
        let answer = object(reply)?.ignoring_case().map_err(unreadable)?;
        let code = answer
            .text("statusCode")
            .ok_or_else(|| lacks("statusCode"))?;
        if code != GOOD {
            return Err(error_body(&code));
        }
        let data = answer.object(DATA).map_err(unreadable)?;
        let data = data.ok_or_else(|| lacks(DATA))?;
        if !data.has(STATUS) {
            return Err(lacks(STATUS));
        }
        Ok(cross_checked(asked, reports(self.batch(data))?))
    }
}

fn sender(asked: &Asked) -> &str {
    asked.from.as_deref().unwrap_or_default()
}
