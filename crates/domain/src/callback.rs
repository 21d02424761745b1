//! Callbacks: what a provider's request says, and the id that the same request always has.

use crate::id::{AccountId, CallbackId};
use crate::inbound::{CarrierSubscription, Inbound, OptOut};
use crate::report::{DedupeKey, Report};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use utoipa::ToSchema;
use uuid::Uuid;

/// Which of an account's callback URLs was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = CallbackKind)]
pub enum Kind {
    /// Delivery reports.
    Reports,
    /// Messages from phones.
    Inbound,
    /// Opt-outs the carrier recorded.
    OptOuts,
    /// Premium subscriptions the carrier recorded.
    Subscriptions,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [
        Self::Reports,
        Self::Inbound,
        Self::OptOuts,
        Self::Subscriptions,
    ];

    /// Its name in URLs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reports => "reports",
            Self::Inbound => "inbound",
            Self::OptOuts => "opt-outs",
            Self::Subscriptions => "subscriptions",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing a callback says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "says", rename_all = "snake_case")]
pub enum Statement {
    /// What became of a message.
    Report(Report),
    /// A phone sent something.
    Inbound(Inbound),
    /// A phone opted out.
    OptOut(OptOut),
    /// A phone joined or left a premium service.
    CarrierSubscription(CarrierSubscription),
}

impl Statement {
    /// The same for two statements exactly when they say the same.
    pub fn dedupe_key(&self, account: AccountId) -> DedupeKey {
        match self {
            Self::Report(report) => report.dedupe_key(account),
            Self::Inbound(inbound) => inbound.dedupe_key(account),
            Self::OptOut(opt_out) => opt_out.dedupe_key(account),
            Self::CarrierSubscription(subscription) => subscription.dedupe_key(account),
        }
    }
}

/// The id of a callback: 128 bits of SHA-256 over the account, the kind and the sorted dedupe keys
/// of the body. A duplicate has the same id without a look-up, whatever the order of its fields.
pub fn id(account: AccountId, kind: Kind, statements: &[Statement]) -> CallbackId {
    let mut keys: Vec<_> = statements
        .iter()
        .map(|said| said.dedupe_key(account))
        .collect();
    keys.sort_unstable();
    let mut hash = Sha256::new();
    hash.update(b"callback\0");
    hash.update(account.as_bytes());
    hash.update(kind.as_str().as_bytes());
    hash.update([0]);
    for key in keys {
        hash.update(key.0);
    }
    CallbackId(Uuid::from_bytes(DedupeKey::from_digest(&hash.finalize()).0))
}

/// How far the work on a callback is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CallbackStatus)]
pub enum Status {
    /// Recorded; its statements are not applied yet.
    Received,
    /// Its statements are applied.
    Processed,
    /// Applying them failed; it will be tried again.
    Failed,
    /// Applying them failed too often; it waits for a person.
    DeadLettered,
}

impl Status {
    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Processed => "processed",
            Self::Failed => "failed",
            Self::DeadLettered => "dead_lettered",
        }
    }

    /// The status of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Received,
            Self::Processed,
            Self::Failed,
            Self::DeadLettered,
        ]
        .into_iter()
        .find(|status| status.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn a_callback_has_the_same_id_whatever_the_order_of_its_statements() {
        let account = AccountId(Uuid::from_u128(1));
        let one = Statement::Report(report("Sent", None));
        let two = Statement::Report(report("Success", None));
        let forward = id(account, Kind::Reports, &[one.clone(), two.clone()]);
        assert_eq!(
            forward,
            id(account, Kind::Reports, &[two.clone(), one.clone()])
        );
        assert_ne!(forward, id(account, Kind::Inbound, &[one.clone(), two]));
        assert_ne!(forward, id(account, Kind::Reports, &[one]));
    }
}
