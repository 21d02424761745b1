//! Send attempts: the tries of the platform to send one message, through which account and under which
//! ids each of them goes.

use crate::account::Slug;
use crate::clock::Timestamp;
use crate::id::AccountId;

/// The most send attempts of a message: the states that were reported of each are kept in four bits of
/// one number.
pub const MAX_SEND_ATTEMPTS: u32 = 15;

/// A try to send a message again. The first try is the registration of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendAttempt {
    /// Which try it is, from 2.
    pub number: u32,
    /// The provider account it goes through.
    pub account_id: AccountId,
    /// That account's slug.
    pub provider_account: Slug,
    /// That account's provider.
    pub provider: String,
    /// The provider's id of the message.
    pub provider_message_id: Option<String>,
    /// The platform's own reference. One of the two is there.
    pub client_reference: Option<String>,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// A send attempt as it is looked at, the first or a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sending<'a> {
    /// Which try it is, from 1.
    pub number: u32,
    /// The provider account it goes through.
    pub account_id: AccountId,
    /// That account's slug.
    pub provider_account: &'a Slug,
    /// That account's provider.
    pub provider: &'a str,
    /// The provider's id of the message.
    pub provider_message_id: Option<&'a str>,
    /// The platform's own reference.
    pub client_reference: Option<&'a str>,
    /// When it was registered.
    pub created_at: Timestamp,
}

impl SendAttempt {
    /// It, to be looked at.
    pub fn sending(&self) -> Sending<'_> {
        Sending {
            number: self.number,
            account_id: self.account_id,
            provider_account: &self.provider_account,
            provider: &self.provider,
            provider_message_id: self.provider_message_id.as_deref(),
            client_reference: self.client_reference.as_deref(),
            created_at: self.created_at,
        }
    }
}

impl Sending<'_> {
    /// Whether both go through the same account under the same ids: then they are the same try.
    pub fn is_same(&self, other: &Self) -> bool {
        self.account_id == other.account_id
            && self.provider_message_id == other.provider_message_id
            && self.client_reference == other.client_reference
    }
}
