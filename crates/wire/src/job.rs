//! Jobs: what exists nowhere else yet, carried durably from where it was accepted to who does it.

use crate::base64_bytes;
use crate::publish::{PublishJob, parse_hash};
use crate::security::SecurityJob;
use domain::Timestamp;
use domain::account::{Environment, Slug};
use domain::callback::{Kind, Statement};
use domain::id::{AccountId, CallbackId, ReceiptId, TenantId};
use domain::report::Source;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The queues there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Queue {
    /// Callbacks and answers of providers, for the tracker.
    Callbacks,
    /// What the door refused and noticed, for the tracker.
    Security,
    /// Events that are published over the broker, for the API.
    Publish,
}

impl Queue {
    /// Every queue.
    pub const ALL: [Self; 3] = [Self::Callbacks, Self::Security, Self::Publish];

    /// Its name in the broker and in metrics. The number is the version of its arguments.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Callbacks => "callbacks.v1",
            Self::Security => "security.v1",
            Self::Publish => "publish.v1",
        }
    }

    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.as_str() == text)
    }
}

/// A job on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// What is to be done.
    #[serde(flatten)]
    pub job: Job,
    /// The trace it belongs to, as a W3C `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// What is to be done. The tag carries the version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", content = "content")]
pub enum Job {
    /// Record what a provider said and apply it.
    #[serde(rename = "callback.v1")]
    Callback(CallbackJob),
    /// Record what the door noticed.
    #[serde(rename = "security.v1")]
    Security(SecurityJob),
    /// Publish an event.
    #[serde(rename = "publish.v1")]
    Publish(PublishJob),
}

/// The bytes are no job that we know.
#[derive(Debug, thiserror::Error)]
#[error("not a job of a known version: {0}")]
pub struct Unreadable(#[from] serde_json::Error);

/// A callback, authenticated and parsed, with all that was received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackJob {
    /// This receipt. A job that is carried twice has the same.
    pub receipt_id: ReceiptId,
    /// The callback: the same for a duplicate.
    pub callback_id: CallbackId,
    /// Whose account.
    pub tenant_id: TenantId,
    /// Which account.
    pub account_id: AccountId,
    /// That account's slug.
    pub provider_account: Slug,
    /// That account's provider.
    pub provider: String,
    /// That account's environment.
    pub environment: Environment,
    /// Which URL was called.
    pub kind: Kind,
    /// Who made the statements.
    pub source: Source,
    /// When the whole request was here.
    pub received_at: Timestamp,
    /// Who called.
    pub source_ip: IpAddr,
    /// Whether a signature over the body was among the checks passed.
    pub signature_checked: bool,
    /// The body of our answer.
    pub answer: String,
    /// The request's headers, without secrets.
    pub headers: Vec<(String, String)>,
    /// The request's body, exactly.
    #[serde(with = "base64_bytes")]
    pub body: Vec<u8>,
    /// What it says.
    pub statements: Vec<Statement>,
}

impl Envelope {
    /// The envelope as the broker carries it.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Unreadable> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Reads what the broker carried.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Unreadable> {
        Ok(serde_json::from_slice(bytes)?)
    }
}

/// What can be told of a job that is not understood: one of a later version, or one that is damaged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Label {
    /// Its tag, such as `callback.v1`.
    pub job: Option<String>,
    /// Whose it says it is.
    pub tenant_id: Option<TenantId>,
    /// The slug of the account it says it is of.
    pub provider_account: Option<Slug>,
    /// The receipt it is about.
    pub receipt_id: Option<ReceiptId>,
    /// The callback it is about.
    pub callback_id: Option<CallbackId>,
    /// The hash of the API key that says whose it is.
    pub key_hash: Option<[u8; 32]>,
}

/// No tag of ours is longer, in bytes.
const MAX_TAG_BYTES: usize = 64;

impl Label {
    /// Reads as much as can be read, which may be nothing.
    pub fn read(bytes: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Outline {
            job: String,
            content: Content,
        }
        #[derive(Deserialize)]
        struct Content {
            tenant_id: Option<TenantId>,
            provider_account: Option<Slug>,
            receipt_id: Option<ReceiptId>,
            callback_id: Option<CallbackId>,
            key_hash: Option<String>,
        }
        let Ok(Outline { job, content }) = serde_json::from_slice(bytes) else {
            return Self::default();
        };
        let is_usual = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"._-".contains(&c);
        let is_tag = (1..=MAX_TAG_BYTES).contains(&job.len()) && job.bytes().all(is_usual);
        Self {
            job: is_tag.then_some(job),
            tenant_id: content.tenant_id,
            provider_account: content.provider_account,
            receipt_id: content.receipt_id,
            callback_id: content.callback_id,
            key_hash: content.key_hash.as_deref().and_then(parse_hash),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_job_comes_out_as_it_went_in_whatever_bytes_it_carries() {
        let envelope = Envelope {
            job: Job::Callback(CallbackJob {
                receipt_id: ReceiptId(Uuid::from_u128(1)),
                callback_id: CallbackId(Uuid::from_u128(2)),
                tenant_id: TenantId::PLATFORM,
                account_id: AccountId(Uuid::from_u128(3)),
                provider_account: "clinic".parse().unwrap(),
                provider: "stub".to_owned(),
                environment: Environment::default(),
                kind: Kind::Reports,
                source: Source::Callback,
                received_at: Timestamp::from_millis(1_700_000_000_123),
                source_ip: "::1".parse().unwrap(),
                signature_checked: true,
                answer: "{}".to_owned(),
                headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
                body: vec![0, 255, 10],
                statements: Vec::new(),
            }),
            traceparent: None,
        };
        let bytes = envelope.to_bytes().unwrap();
        assert!(bytes.starts_with(br#"{"job":"callback.v1","content":{"#));
        assert_eq!(Envelope::from_bytes(&bytes).unwrap(), envelope);
    }

    #[test]
    fn a_job_that_is_not_understood_has_a_label_as_far_as_it_can_be_read() {
        let tenant = TenantId(Uuid::from_u128(9));
        let later = format!(
            r#"{{"job":"callback.v9","content":{{"tenant_id":"{tenant}","provider_account":"clinic","more":[1]}}}}"#
        );
        let label = Label::read(later.as_bytes());
        assert_eq!(label.job.as_deref(), Some("callback.v9"));
        assert_eq!(label.tenant_id, Some(tenant));
        assert_eq!(label.provider_account.unwrap().as_str(), "clinic");
        for unreadable in [
            &b"\xff\0"[..],
            b"{}",
            br#"{"job":"callback.v1","content":{"tenant_id":"ten_9"}}"#,
        ] {
            assert_eq!(Label::read(unreadable), Label::default());
        }
        let long = Label::read(br#"{"job":"A tag of somebody's","content":{}}"#);
        assert_eq!(long.job, None);
    }

    #[test]
    fn a_job_of_an_unknown_version_is_refused_by_name() {
        let error = Envelope::from_bytes(br#"{"job":"callback.v9","content":{}}"#).unwrap_err();
        assert!(error.to_string().contains("callback.v9"), "{error}");
    }
}
