//! Reports: what a provider says about one message, normalised.

use crate::clock::Timestamp;
use crate::cost::Cost;
use crate::id::AccountId;
use crate::phone;
use crate::state::State;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

/// The longest message id or client reference, in bytes; a longer one is not a report we know.
pub const MAX_ID_BYTES: usize = 512;

/// The longest free text kept of a report (word, reason, codes), in bytes; the raw body keeps all.
pub const MAX_TEXT_BYTES: usize = 512;

/// One provider statement about one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The provider's id of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_message_id: Option<String>,
    /// The platform's own reference, where the provider echoes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_reference: Option<String>,
    /// The phone number as the provider wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// Which part of a long message, from 1; none speaks for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u32>,
    /// The provider's own word for what happened, exactly.
    pub word: String,
    /// What the provider's table says that the word means; none for a word it does not list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Whether the table marks the word as temporary: it never makes a conflict.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_temporary: bool,
    /// When it happened by the provider's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_time: Option<Timestamp>,
    /// The provider's reason, raw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// What kind of failure the reason is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_class: Option<FailureClass>,
    /// The network, as the provider names it: opaque.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_code: Option<String>,
    /// What the message cost, where the provider tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// What else the provider answered of this message, raw: its code and description of an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_response: Option<String>,
}

/// What kind of failure a provider's reason is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The number will never work.
    PermanentNumber,
    /// The person does not want messages.
    Consent,
    /// It may work later.
    Temporary,
    /// What was sent was refused.
    Content,
    /// Somebody has to pay.
    Credit,
    /// The reason is not on the provider's list.
    Unknown,
}

impl FailureClass {
    /// Every class.
    pub const ALL: [Self; 6] = [
        Self::PermanentNumber,
        Self::Consent,
        Self::Temporary,
        Self::Content,
        Self::Credit,
        Self::Unknown,
    ];

    /// Its name in the API and in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PermanentNumber => "permanent_number",
            Self::Consent => "consent",
            Self::Temporary => "temporary",
            Self::Content => "content",
            Self::Credit => "credit",
            Self::Unknown => "unknown",
        }
    }

    /// The class of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }
}

/// Who made a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ReportSource, rename_all = "lowercase")]
pub enum Source {
    /// The provider called us.
    Callback,
    /// We asked the provider.
    Poll,
    /// A person.
    Manual,
}

impl Source {
    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Callback => "callback",
            Self::Poll => "poll",
            Self::Manual => "manual",
        }
    }
}

/// 128 bits of SHA-256 that two statements share exactly when they are the same statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DedupeKey(pub [u8; 16]);

impl DedupeKey {
    /// Over fields of any content: each is written with its length, none as no length.
    pub fn of(kind: &str, account: AccountId, fields: &[Option<&[u8]>]) -> Self {
        let mut hash = Sha256::new();
        hash.update(kind.as_bytes());
        hash.update([0]);
        hash.update(account.as_bytes());
        for field in fields {
            match field {
                None => hash.update([0xff; 8]),
                Some(bytes) => {
                    hash.update((bytes.len() as u64).to_le_bytes());
                    hash.update(bytes);
                }
            }
        }
        Self::from_digest(&hash.finalize())
    }

    pub(crate) fn from_digest(digest: &[u8]) -> Self {
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        Self(key)
    }
}

impl Report {
    /// Reports are the same statement when they agree in account, message id, recipient, part, word
    /// and provider time.
    pub fn dedupe_key(&self, account: AccountId) -> DedupeKey {
        let recipient = self.recipient_e164().or_else(|| self.recipient.clone());
        let part = self.part.map(u32::to_le_bytes);
        let time = self
            .provider_time
            .map(|time| time.as_millis().to_le_bytes());
        DedupeKey::of(
            "report",
            account,
            &[
                self.provider_message_id.as_deref().map(str::as_bytes),
                self.client_reference.as_deref().map(str::as_bytes),
                recipient.as_deref().map(str::as_bytes),
                part.as_ref().map(<[u8; 4]>::as_slice),
                Some(self.word.as_bytes()),
                time.as_ref().map(<[u8; 8]>::as_slice),
            ],
        )
    }

    /// The recipient in E.164, where what the provider wrote has such a form.
    pub fn recipient_e164(&self) -> Option<String> {
        self.recipient.as_deref().and_then(phone::normalise)
    }

    /// Cuts free texts to [`MAX_TEXT_BYTES`] and replaces what a store cannot hold.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.word = bounded_text(&self.word);
        for text in [
            &mut self.recipient,
            &mut self.failure_reason,
            &mut self.network_code,
            &mut self.provider_response,
        ] {
            *text = text.as_deref().map(bounded_text);
        }
        for id in [&mut self.provider_message_id, &mut self.client_reference] {
            *id = id.take().map(crate::text::clean);
        }
        self
    }
}

fn bounded_text(text: &str) -> String {
    crate::text::clean(crate::text::cut(text, MAX_TEXT_BYTES).to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn report(word: &str, state: Option<State>) -> Report {
        Report {
            provider_message_id: Some("m-1".to_owned()),
            client_reference: None,
            recipient: Some("+254700000001".to_owned()),
            part: None,
            word: word.to_owned(),
            state,
            is_temporary: false,
            provider_time: None,
            failure_reason: None,
            failure_class: None,
            network_code: None,
            cost: None,
            provider_response: None,
        }
    }

    #[test]
    fn the_same_statement_written_differently_has_the_same_key() {
        let account = AccountId(uuid::Uuid::from_u128(1));
        let plain = report("Success", Some(State::Delivered));
        let tel = Report {
            recipient: Some("tel:+254 700 000 001".to_owned()),
            ..plain.clone()
        };
        assert_eq!(plain.dedupe_key(account), tel.dedupe_key(account));
    }

    #[test]
    fn another_account_id_recipient_part_word_or_time_is_another_statement() {
        let account = AccountId(uuid::Uuid::from_u128(1));
        let plain = report("Success", Some(State::Delivered));
        let others = [
            Report {
                provider_message_id: Some("m-2".to_owned()),
                ..plain.clone()
            },
            Report {
                recipient: None,
                ..plain.clone()
            },
            Report {
                part: Some(1),
                ..plain.clone()
            },
            Report {
                word: "success".to_owned(),
                ..plain.clone()
            },
            Report {
                provider_time: Some(Timestamp::from_millis(0)),
                ..plain.clone()
            },
        ];
        for other in others {
            assert_ne!(
                plain.dedupe_key(account),
                other.dedupe_key(account),
                "{other:?}"
            );
        }
        assert_ne!(
            plain.dedupe_key(account),
            plain.dedupe_key(AccountId(uuid::Uuid::from_u128(2)))
        );
    }
}
