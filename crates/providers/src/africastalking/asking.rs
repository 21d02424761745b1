//! Asking Africa's Talking for what phones wrote: `GET /version1/messaging?username=…&lastReceivedId=N`
//! (<https://developers.africastalking.com/docs/sms/fetch_messages>), 100 messages at a time, oldest
//! first. What became of messages cannot be asked.
//!
//! Ids are whole numbers that grow, unlike those of the callbacks; the cursor is the greatest of an
//! answer. Whoever goes on sees to it that the cursor grew: an API that ignores it would have no end.

use super::{AfricasTalking, inbound};
use crate::ask::{Access, Fetched, Field, InboxApi, Reply, Request, Unanswered};
use crate::asking::{escaped, get, lacks, object, unreadable};
use crate::fields::Fields;
use domain::callback::Statement;

const DATA: &str = "SMSMessageData";
const MESSAGES: &str = "Messages";
/// How many messages an answer has that may not be the last.
const PAGE: usize = 100;

impl InboxApi for AfricasTalking {
    fn base_url(&self) -> Option<&'static str> {
        Some("https://api.africastalking.com")
    }

    fn fields(&self) -> &'static [Field] {
        const { &[Field::required("username"), Field::secret("api_key")] }
    }

    fn request(&self, access: &Access, after: Option<&str>) -> Request {
        let url = format!(
            "{}/version1/messaging?username={}&lastReceivedId={}",
            access.base_url,
            escaped(access.value("username")),
            escaped(after.unwrap_or("0"))
        );
        get(url, vec![("apikey", access.value("api_key").to_owned())])
    }

    fn read(&self, _access: &Access, reply: Reply<'_>) -> Result<Fetched, Unanswered> {
        let answer = object(reply)?;
        let data = answer.object(DATA).map_err(unreadable)?;
        let data = data.ok_or_else(|| lacks(DATA))?;
        if !data.has(MESSAGES) {
            return Err(lacks(MESSAGES));
        }
        let entries = data.objects(MESSAGES).map_err(unreadable)?;
        let has_more = entries.len() >= PAGE;
        let mut greatest = None;
        let mut statements = Vec::with_capacity(entries.len());
        for entry in entries {
            let fields = Fields::Json(entry);
            let Some(id) = fields.text("id").and_then(|id| id.parse::<u64>().ok()) else {
                continue;
            };
            greatest = greatest.max(Some(id));
            // One that cannot be read is passed over: it would hold up all that came after it.
            if let Ok(inbound) = inbound(&fields) {
                statements.push(Statement::Inbound(inbound));
            }
        }
        Ok(Fetched {
            statements,
            has_more: has_more && greatest.is_some(),
            cursor: greatest.map(|id| id.to_string()),
        })
    }
}
