//! The catalog: the event types that ship, who raises them, and what others may be called.

/// The longest name of a type, in bytes.
pub const MAX_NAME_BYTES: usize = 128;
/// The most types of its own that a tenant may have, archived ones included.
pub const MAX_OWN_TYPES: usize = 1_000;
/// The most versions of one type.
pub const MAX_VERSIONS: u32 = 50;
/// Categories that are Tidings' alone, besides those of the types that it raises.
const RESERVED_CATEGORIES: [&str; 2] = ["system", "tidings"];

/// Why a type of somebody's own may not have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// It is no name of a type.
    #[error(
        "write a dotted name like \"order.placed\": a-z and _ in at least two parts, at most {MAX_NAME_BYTES} bytes"
    )]
    Malformed,
    /// It is one that ships.
    #[error("a type of this name ships with Tidings")]
    Shipped,
    /// Its category is Tidings'.
    #[error("this category is reserved: Tidings raises events of it itself")]
    Reserved,
}

/// Whether a type could have this name.
pub fn is_name(name: &str) -> bool {
    let is_plain =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    name.len() <= MAX_NAME_BYTES && name.contains('.') && name.split('.').all(is_plain)
}

/// Judges the name of a type of somebody's own.
pub fn judge_own_name(name: &str) -> Result<(), InvalidName> {
    if !is_name(name) {
        return Err(InvalidName::Malformed);
    }
    if find(name).is_some() {
        return Err(InvalidName::Shipped);
    }
    let category = category(name);
    let is_raised =
        |known: &EventType| known.is_raised_by_us && self::category(known.name) == category;
    if RESERVED_CATEGORIES.contains(&category) || TYPES.iter().any(is_raised) {
        return Err(InvalidName::Reserved);
    }
    Ok(())
}

/// One type of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventType {
    /// Its dotted name in the past tense, `[a-z_.]`.
    pub name: &'static str,
    /// Whether Tidings raises it itself, so that nobody else may publish it.
    pub is_raised_by_us: bool,
}

/// The type of this name.
pub fn find(name: &str) -> Option<&'static EventType> {
    TYPES.iter().find(|event_type| event_type.name == name)
}

/// The category of a type: its first segment.
pub fn category(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

const fn published(name: &'static str) -> EventType {
    EventType {
        name,
        is_raised_by_us: false,
    }
}

const fn raised(name: &'static str) -> EventType {
    EventType {
        name,
        is_raised_by_us: true,
    }
}

/// Every type shipped.
pub const TYPES: &[EventType] = &[
    published("call.initiated"),
    published("call.ringing"),
    published("call.answered"),
    published("call.completed"),
    published("call.failed"),
    published("call.recording.started"),
    published("call.recording.completed"),
    published("call.dtmf"),
    published("sms.queued"),
    raised("sms.received"),
    raised("sms.sent"),
    raised("sms.delivered"),
    raised("sms.failed"),
    raised("sms.expired"),
    raised("sms.rejected"),
    raised("sms.unknown"),
    raised("sms.partially_delivered"),
    raised("sms.status.conflict"),
    raised("sms.opt_out"),
    raised("sms.opt_in"),
    published("mms.received"),
    published("mms.sent"),
    published("email.received"),
    published("email.sent"),
    published("email.delivered"),
    published("email.bounced"),
    published("email.opened"),
    published("email.clicked"),
    published("document.uploaded"),
    published("document.processed"),
    published("document.deleted"),
    published("extraction.started"),
    published("extraction.completed"),
    published("extraction.failed"),
    published("job.created"),
    published("job.started"),
    published("job.completed"),
    published("job.failed"),
    published("benchmark.created"),
    published("benchmark.updated"),
    published("benchmark.started"),
    published("benchmark.completed"),
    published("benchmark.failed"),
    published("test.started"),
    published("test.completed"),
    published("test.failed"),
    published("result.generated"),
    published("result.processed"),
    published("user.created"),
    published("user.login"),
    published("user.logout"),
    raised("notification.updated"),
    raised("tenant.limit.warning"),
    raised("tenant.limit.reached"),
    published("phone_number.assigned"),
    published("phone_number.released"),
    published("system.health_check"),
    published("system.error"),
    published("system.alert"),
    raised("provider.degraded"),
    raised("provider.recovered"),
    raised("security.suspicious_activity"),
    raised("webhook.disabled"),
    raised("webhook.failing"),
    raised("webhook.recovered"),
    raised("webhook.test"),
    raised("webhook.verification"),
    raised("delivery.exhausted"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_dotted_and_plain() {
        let mut names: Vec<_> = TYPES.iter().map(|event_type| event_type.name).collect();
        assert!(names.iter().all(|name| {
            name.contains('.')
                && name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'.')
        }));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TYPES.len());
    }

    #[test]
    fn own_types_have_plain_names_outside_of_what_tidings_raises() {
        for name in ["acme.order_placed", "job.paused", "a.b.c", "_._"] {
            assert_eq!(judge_own_name(name), Ok(()), "{name}");
        }
        let long = format!("a.{}", "b".repeat(127));
        for name in [
            "", "a", ".", "a.", ".a", "a..b", "A.b", "a.b1", "a-b.c", "a.b ", &long,
        ] {
            assert_eq!(judge_own_name(name), Err(InvalidName::Malformed), "{name}");
        }
        assert_eq!(judge_own_name("job.created"), Err(InvalidName::Shipped));
        for name in [
            "sms.read",
            "webhook.paused",
            "system.rebooted",
            "tidings.x",
            "delivery.x",
        ] {
            assert_eq!(judge_own_name(name), Err(InvalidName::Reserved), "{name}");
        }
    }

    #[test]
    fn every_told_state_has_a_type_that_we_raise() {
        for state in crate::State::ALL {
            if let Some(name) = state.event_type() {
                assert!(find(name).unwrap().is_raised_by_us, "{name}");
            }
        }
    }
}
