//! A part of the chain, as the server tells it.

use crate::exit::Failure;
use crate::operator::Operator;
use domain::Timestamp;
use domain::audit::{Entry, Hash, Link, from_hex};
use reqwest::Method;
use serde_json::Value;

/// How many entries are asked for at once.
const MOST: u32 = 500;

/// Entries in their places, and the ends of the chain.
pub(super) struct Page {
    pub head: Link,
    pub anchor: Link,
    pub entries: Vec<Told>,
}

/// An entry as it was told.
pub(super) struct Told {
    pub entry: Entry,
    pub place: Link,
    pub previous_hash: Hash,
    /// All that was told of it.
    pub shown: Value,
}

impl Page {
    /// What comes after a position.
    pub(super) async fn after(operator: &Operator, position: i64) -> Result<Self, Failure> {
        let query = [("after", position.to_string()), ("limit", MOST.to_string())];
        let said = operator
            .ask(Method::GET, "/v1/audit/chain", &query, None)
            .await?;
        let odd = || Failure::Runtime("the server does not tell its audit log".to_owned());
        let data = said["data"].as_array().ok_or_else(odd)?;
        let entries = data.iter().map(|shown| read(shown).ok_or_else(odd));
        Ok(Self {
            head: link(&said["head"]).ok_or_else(odd)?,
            anchor: link(&said["anchor"]).ok_or_else(odd)?,
            entries: entries.collect::<Result<_, _>>()?,
        })
    }
}

fn link(value: &Value) -> Option<Link> {
    Some(Link {
        position: value["position"].as_i64()?,
        hash: hash(&value["hash"])?,
    })
}

fn hash(value: &Value) -> Option<Hash> {
    from_hex(value.as_str()?)
}

fn read(shown: &Value) -> Option<Told> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    // Its members are in one order wherever they are read.
    let json = |value: &Value| (!value.is_null()).then(|| value.to_string());
    Some(Told {
        entry: Entry {
            id: shown["id"].as_str()?.parse().ok()?,
            tenant_id: shown["tenant_id"].as_str()?.parse().ok()?,
            at: Timestamp::parse_rfc3339(shown["at"].as_str()?)?,
            actor_type: text(&shown["actor"]["type"])?,
            actor_id: text(&shown["actor"]["id"]),
            actor_name: text(&shown["actor"]["name"]),
            action: text(&shown["action"])?,
            target_type: text(&shown["target"]["type"])?,
            target_id: text(&shown["target"]["id"]),
            before: json(&shown["before"]),
            after: json(&shown["after"]),
            source_ip: text(&shown["source_ip"]),
            request_id: text(&shown["request_id"]),
        },
        place: link(shown)?,
        previous_hash: hash(&shown["previous_hash"])?,
        shown: shown.clone(),
    })
}
