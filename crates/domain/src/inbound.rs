//! What phones and carriers say: inbound messages, opt-outs and carrier subscriptions.

use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::report::DedupeKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A message a phone sent to us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbound {
    /// The provider's id, where it gives one.
    pub provider_message_id: Option<String>,
    /// The phone, as the provider wrote it.
    pub from: String,
    /// Our number or short code.
    pub to: String,
    /// What it says.
    pub text: String,
    /// When by the provider's clock.
    pub provider_time: Option<Timestamp>,
    /// Whether the provider repeats its ids, so that the text is part of a message's identity.
    pub ids_repeat: bool,
}

/// A carrier says that a phone opted out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptOut {
    /// The phone.
    pub phone: String,
    /// The sender it no longer wants to hear from.
    pub sender: String,
}

/// A carrier says that a phone joined or left a premium service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarrierSubscription {
    /// The phone.
    pub phone: String,
    /// The short code of the service.
    pub short_code: String,
    /// The keyword of the service.
    pub keyword: String,
    /// `addition` or `deletion`, as the provider wrote it.
    pub update: String,
}

impl Inbound {
    /// The same inbound: the same provider id, else the same from, to, provider time and text.
    pub fn dedupe_key(&self, account: AccountId) -> DedupeKey {
        let text_hash = Sha256::digest(self.text.as_bytes());
        let time = self
            .provider_time
            .map(|time| time.as_millis().to_le_bytes());
        let by_content = [
            Some(self.from.as_bytes()),
            Some(self.to.as_bytes()),
            time.as_ref().map(<[u8; 8]>::as_slice),
            Some(text_hash.as_slice()),
        ];
        match self.provider_message_id.as_deref() {
            Some(id) if self.ids_repeat => {
                DedupeKey::of("inbound", account, &[Some(id.as_bytes()), Some(&text_hash)])
            }
            Some(id) => DedupeKey::of("inbound", account, &[Some(id.as_bytes())]),
            None => DedupeKey::of("inbound", account, &by_content),
        }
    }
}

impl OptOut {
    /// The same opt-out.
    pub fn dedupe_key(&self, account: AccountId) -> DedupeKey {
        DedupeKey::of(
            "opt-out",
            account,
            &[Some(self.phone.as_bytes()), Some(self.sender.as_bytes())],
        )
    }
}

impl CarrierSubscription {
    /// The same statement about a subscription.
    pub fn dedupe_key(&self, account: AccountId) -> DedupeKey {
        let fields = [&self.phone, &self.short_code, &self.keyword, &self.update];
        DedupeKey::of(
            "subscription",
            account,
            &fields.map(|field| Some(field.as_bytes())),
        )
    }
}
