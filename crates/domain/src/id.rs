//! Ids: UUIDs inside, TypeID text outside (`msg_01h455vb4pex5vsknk084sn02q`).
//!
//! The text form follows the TypeID specification 0.3: a prefix, `_`, and 26 characters of
//! Crockford's base 32 in lower case. An id of the wrong prefix does not parse, so a route can
//! answer "not found" without asking the store.

use crate::clock::Timestamp;
use crate::described::{described, text};
use crate::random::Random;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The text is not an id of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0} id")]
pub struct InvalidId(pub &'static str);

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The TypeID prefix, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A fresh UUIDv7 of this moment.
            pub fn new(now: Timestamp, random: &Random) -> Self {
                Self(uuid_v7(now, random))
            }

            /// The id as its 16 bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!($prefix, "_"))?;
                write_base32(self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(read_base32)
                    .map(Self)
                    .ok_or(InvalidId($prefix))
            }
        }

        described!(
            $name,
            text(
                concat!("An id that begins with `", $prefix, "_`"),
                concat!("^", $prefix, "_[0-7][0-9a-hjkmnp-tv-z]{25}$"),
                concat!($prefix, "_01h455vb4pex5vsknk084sn02q"),
            )
        );

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// A tenant.
    TenantId = "ten";
    /// An API key of a tenant (the record, not the key itself).
    KeyId = "key";
    /// A member: one of the people of a tenant.
    MemberId = "mem";
    /// A provider account.
    AccountId = "acc";
    /// A message.
    MessageId = "msg";
    /// A callback: 128 bits of SHA-256 over what the callback says (see [`crate::callback`]).
    CallbackId = "cb";
    /// One receipt of a callback. Never shown outside.
    ReceiptId = "rcp";
    /// An event. Also the `webhook-id` of its deliveries.
    EventId = "evt";
    /// A subscription.
    SubscriptionId = "sub";
    /// A delivery.
    DeliveryId = "dlv";
    /// An attempt.
    AttemptId = "att";
    /// An orphan: a report that waits for its message.
    OrphanId = "orp";
    /// A security event.
    SecurityEventId = "sec";
    /// A request in quarantine.
    QuarantineId = "qua";
    /// A dead letter.
    DeadLetterId = "dlt";
    /// A poll: that a provider was asked about a message.
    PollId = "pol";
    /// A replay.
    ReplayId = "rpl";
    /// A sweep: many deliveries that are retried or cancelled at once. Never shown outside.
    SweepId = "swp";
    /// A test of a subscription.
    TrialId = "tst";
    /// An entry of the audit log.
    AuditEntryId = "aud";
}

impl TenantId {
    /// The platform tenant, which exists from the first start; the admin key acts for it.
    pub const PLATFORM: Self = Self(Uuid::from_u128(1));
}

/// A UUIDv7 (RFC 9562 §5.7): the time in milliseconds, then 74 random bits.
fn uuid_v7(now: Timestamp, random: &Random) -> Uuid {
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random.bytes()).into_uuid()
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn write_base32(id: Uuid, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let value = id.as_u128();
    let mut text = [0u8; 26];
    for (place, byte) in text.iter_mut().enumerate() {
        let digit = (value >> (125 - 5 * place)) & 31;
        *byte = ALPHABET[usize::try_from(digit).unwrap_or(0)];
    }
    f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
}

fn read_base32(text: &str) -> Option<Uuid> {
    let bytes = text.as_bytes();
    // 26 digits hold 130 bits: the first digit may only use three of its five.
    if bytes.len() != 26 || bytes[0] > b'7' {
        return None;
    }
    bytes
        .iter()
        .try_fold(0u128, |value, byte| {
            let digit = ALPHABET.iter().position(|letter| letter == byte)?;
            Some((value << 5) | u128::try_from(digit).ok()?)
        })
        .map(Uuid::from_u128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_follows_the_typeid_vectors() {
        for (uuid, text) in [
            (
                "00000000-0000-0000-0000-000000000000",
                "00000000000000000000000000",
            ),
            (
                "00000000-0000-0000-0000-000000000001",
                "00000000000000000000000001",
            ),
            (
                "00000000-0000-0000-0000-00000000000a",
                "0000000000000000000000000a",
            ),
            (
                "00000000-0000-0000-0000-000000000010",
                "0000000000000000000000000g",
            ),
            (
                "00000000-0000-0000-0000-000000000020",
                "00000000000000000000000010",
            ),
            (
                "ffffffff-ffff-ffff-ffff-ffffffffffff",
                "7zzzzzzzzzzzzzzzzzzzzzzzzz",
            ),
            (
                "0188bac7-4afa-78aa-bc3b-bd1eef28d881",
                "01h2xcejqtf2nbrexx3vqjhp41",
            ),
        ] {
            let id = EventId(uuid.parse().unwrap());
            assert_eq!(id.to_string(), format!("evt_{text}"));
            assert_eq!(format!("evt_{text}").parse(), Ok(id));
        }
    }

    #[test]
    fn an_id_of_another_kind_or_spelling_does_not_parse() {
        for text in [
            "msg_01h2xcejqtf2nbrexx3vqjhp41",
            "evt_01H2XCEJQTF2NBREXX3VQJHP41",
            "evt_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "evt_01h2xcejqtf2nbrexx3vqjhp4",
            "evt_01h2xcejqtf2nbrexx3vqjhp4l",
            "evt01h2xcejqtf2nbrexx3vqjhp41",
            "",
        ] {
            assert_eq!(text.parse::<EventId>(), Err(InvalidId("evt")), "{text}");
        }
    }

    #[test]
    fn fresh_ids_sort_by_time() {
        let random = Random::seeded(7);
        let early = MessageId::new(Timestamp::from_millis(1_000), &random);
        let late = MessageId::new(Timestamp::from_millis(1_001), &random);
        assert!(early < late);
        assert_eq!(late.0.get_version_num(), 7);
    }
}
