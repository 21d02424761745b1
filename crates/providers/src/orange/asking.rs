//! Asking in the way of GSMA `OneAPI`: `GET {base}/outbound/{sender}/requests/{id}/deliveryInfos`, one
//! message a request. Nothing says that api.orange.com has it, so there is no base URL of its own:
//! whoever knows that theirs has it, at SDP or at another operator, says where.
//!
//! The credentials are shown to the API itself (HTTP Basic) or, where there is a `token_url`, to that,
//! for a token: `POST https://api.orange.com/oauth/v3/token` is Orange's.
//!
//! The answer is `deliveryInfoList` with `deliveryInfo`, one or an array of what a receipt has, and
//! `resourceURL`, which names the request. A request to many addresses is answered about all of them.

use super::Orange;
use crate::ask::{Access, Answered, Asked, Field, Reply, Request, StatusApi, Token, Unanswered};
use crate::asking::{
    basic, cross_checked, escaped, get, is_segment, lacks, object, post_form, provider_id,
    request_error, unreadable,
};
use crate::fields::Fields;
use crate::object::Object;
use domain::phone;
use percent_encoding::percent_decode_str;

const LIST: &str = "deliveryInfoList";
const INFO: &str = "deliveryInfo";
const TOKEN_URL: &str = "token_url";

impl StatusApi for Orange {
    fn base_url(&self) -> Option<&'static str> {
        None
    }

    fn fields(&self) -> &'static [Field] {
        const {
            &[
                Field::required("client_id"),
                Field::secret("client_secret"),
                Field::optional(TOKEN_URL),
            ]
        }
    }

    fn batch(&self) -> usize {
        1
    }

    fn can_ask(&self, asked: &Asked) -> bool {
        is_segment(provider_id(asked)) && is_segment(&sender(asked))
    }

    fn token_request(&self, access: &Access) -> Option<Request> {
        let url = access.value(TOKEN_URL);
        let form = "grant_type=client_credentials".to_owned();
        (!url.is_empty()).then(|| post_form(url.to_owned(), vec![credentials(access)], form))
    }

    fn request(
        &self,
        access: &Access,
        token: Option<&Token>,
        asked: &[Asked],
        _page: Option<&str>,
    ) -> Request {
        let place = asked.first().map_or_else(String::new, |asked| {
            let (sender, id) = (escaped(&sender(asked)), escaped(provider_id(asked)));
            format!("{sender}/requests/{id}")
        });
        let url = format!("{}/outbound/{place}/deliveryInfos", access.base_url);
        let shown = match token {
            Some(token) => ("authorization", format!("Bearer {}", token.value)),
            None => credentials(access),
        };
        get(url, vec![shown])
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
        let list = answer.object(LIST).map_err(unreadable)?;
        let list = list.ok_or_else(|| lacks(LIST))?;
        if !list.has(INFO) {
            return Err(lacks(INFO));
        }
        let entries = list.objects(INFO).map_err(unreadable)?;
        let id = asked.first().map(provider_id).unwrap_or_default();
        if !is_of(&list, id) {
            return Ok(Answered {
                foreign: entries.len(),
                ..Answered::default()
            });
        }
        let read = entries.into_iter();
        let read = read.map(|entry| self.report(id, &Fields::Json(entry)));
        Ok(cross_checked(asked, read))
    }
}

fn credentials(access: &Access) -> (&'static str, String) {
    basic(access.value("client_id"), access.value("client_secret"))
}

/// The sender as `OneAPI` writes it: a number is a `tel:` URI, a name is itself.
fn sender(asked: &Asked) -> String {
    let from = asked.from.as_deref().unwrap_or_default();
    match phone::normalise(from) {
        Some(number) => format!("tel:{number}"),
        None => from.to_owned(),
    }
}

/// Whether the list is of this request: its URL names it, where there is one.
fn is_of(list: &Object<'_>, id: &str) -> bool {
    let Some(url) = list.text("resourceURL") else {
        return true;
    };
    let Some((_, place)) = url.rsplit_once("/requests/") else {
        return false;
    };
    let named = place.split('/').next().unwrap_or_default();
    percent_decode_str(named).decode_utf8_lossy() == id
}
