//! What the door refuses and notices: counted in memory, and sent on once a second, so that a flood of
//! junk costs no job each. A death loses at most that second of counting; nothing that was accepted.

use crate::limit::Source;
use crate::suspect::Suspects;
use domain::account::Slug;
use domain::id::{QuarantineId, SecurityEventId, TenantId};
use domain::security::{Reason, SecurityEvent};
use domain::{Random, Timestamp};
use reception::{Kept, Request};
use signing::Vault;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wire::{Quarantined, SecurityJob};

/// How many sources and accounts are told apart at a time; the rest is counted together.
const MOST_TOLD_APART: usize = 2_000;
/// How many of what is counted together are kept apart by their minute and type.
const MOST_TOGETHER: usize = 100;
/// How many requests of one source, account and reason are kept of a minute, where the caller has shown
/// that it is the provider. Of strangers it is the first.
const MOST_KEPT_OF_PROVIDERS: u32 = 64;
/// How many bytes of strangers' requests are kept of a minute.
const STRANGERS_BYTES: usize = 1024 * 1024;
/// How many bytes of kept requests wait in memory, and are sent at once.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// A longer detail is cut.
const MAX_DETAIL_BYTES: usize = 256;

/// What was refused, or noticed.
pub(crate) struct Noticed<'a> {
    pub reason: Reason,
    /// Whose account; the platform's where there is none.
    pub tenant_id: TenantId,
    pub slug: &'a Slug,
    pub source: IpAddr,
    pub detail: Option<&'a str>,
    pub at: Timestamp,
}

/// Counts what is noticed.
pub(crate) struct Watch {
    counted: Mutex<Counted>,
    vault: Arc<Vault>,
    random: Random,
}

#[derive(Default)]
struct Counted {
    entries: HashMap<Key, Entry>,
    suspects: Suspects,
    kept: Vec<Quarantined>,
    kept_bytes: usize,
    /// The minute, and how many bytes of strangers' requests were kept in it.
    strangers: (i64, usize),
}

/// What is counted together.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    minute: i64,
    tenant_id: TenantId,
    reason: Reason,
    slug: Option<Slug>,
    source: Option<IpAddr>,
}

struct Entry {
    event: SecurityEvent,
    /// How much of its count was sent on.
    sent: u32,
    kept: u32,
}

impl Watch {
    pub(crate) fn new(
        thresholds: config::AlertThresholds,
        vault: Arc<Vault>,
        random: Random,
    ) -> Self {
        Self {
            counted: Mutex::new(Counted {
                suspects: Suspects::new(thresholds),
                ..Counted::default()
            }),
            vault,
            random,
        }
    }

    /// Counts it, and keeps the request, where it was read, if it is among the first of its kind.
    pub(crate) fn note(&self, noticed: &Noticed<'_>, request: Option<&Request<'_>>) {
        let mut counted = self.lock();
        let Counted {
            entries, suspects, ..
        } = &mut *counted;
        suspects.note(
            noticed.reason,
            Source::from(noticed.source),
            noticed.slug,
            noticed.at,
        );
        let key = told_apart(entries, noticed);
        let entry = entries.entry(key.clone()).or_insert_with(|| Entry {
            event: self.event(&key, noticed),
            sent: 0,
            kept: 0,
        });
        entry.event.count = entry.event.count.saturating_add(1);
        let most_kept = if noticed.reason.is_failure() {
            1
        } else {
            MOST_KEPT_OF_PROVIDERS
        };
        let is_told_apart = key.source.is_some();
        let is_kept = is_told_apart && entry.kept < most_kept && noticed.reason != Reason::Replayed;
        if let Some(request) = request.filter(|_| is_kept)
            && counted.has_room(noticed, key.minute, request.size())
        {
            if let Some(entry) = counted.entries.get_mut(&key) {
                entry.kept += 1;
            }
            counted.keep(self.quarantined(noticed, request));
        }
    }

    /// What was counted and kept since the last time.
    pub(crate) fn take(&self, now: Timestamp) -> SecurityJob {
        let mut counted = self.lock();
        let minute = minute(now);
        let mut events = Vec::new();
        counted.entries.retain(|key, entry| {
            if entry.event.count > entry.sent {
                entry.sent = entry.event.count;
                events.push(entry.event.clone());
            }
            key.minute >= minute
        });
        counted.kept_bytes = 0;
        SecurityJob {
            events,
            quarantined: std::mem::take(&mut counted.kept),
            suspicions: counted.suspects.take(now),
        }
    }

    fn event(&self, key: &Key, noticed: &Noticed<'_>) -> SecurityEvent {
        SecurityEvent {
            id: SecurityEventId::new(noticed.at, &self.random),
            tenant_id: key.tenant_id,
            reason: key.reason,
            provider_account: key.slug.clone().map(String::from),
            source_ip: key.source,
            at: noticed.at,
            count: 0,
            detail: noticed
                .detail
                .map(|detail| domain::text::cut(detail, MAX_DETAIL_BYTES).to_owned()),
        }
    }

    fn quarantined(&self, noticed: &Noticed<'_>, request: &Request<'_>) -> Option<Quarantined> {
        let plain = Kept::of(request)?;
        let id = QuarantineId::new(noticed.at, &self.random);
        let context = domain::secret::quarantined_request(noticed.tenant_id, id);
        Some(Quarantined {
            id,
            tenant_id: noticed.tenant_id,
            provider_account: noticed.slug.to_string(),
            kind: request.kind,
            reason: noticed.reason,
            received_at: noticed.at,
            source_ip: noticed.source,
            size_bytes: u32::try_from(request.body.len()).unwrap_or(u32::MAX),
            sealed: self.vault.seal(&context, &plain, self.random.bytes()),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    /// Whether one more request may be kept. What strangers send is bounded for each minute as well.
    fn has_room(&mut self, noticed: &Noticed<'_>, minute: i64, bytes: usize) -> bool {
        if self.kept_bytes + bytes > MOST_BYTES {
            return false;
        }
        if !noticed.reason.is_failure() {
            return true;
        }
        if self.strangers.0 != minute {
            self.strangers = (minute, 0);
        }
        self.strangers.1 += bytes;
        self.strangers.1 <= STRANGERS_BYTES
    }

    fn keep(&mut self, quarantined: Option<Quarantined>) {
        if let Some(quarantined) = quarantined {
            self.kept_bytes += quarantined.sealed.len();
            self.kept.push(quarantined);
        }
    }
}

/// What it is counted under: by source and account, unless these are too many.
fn told_apart(entries: &HashMap<Key, Entry>, noticed: &Noticed<'_>) -> Key {
    let key = Key {
        minute: minute(noticed.at),
        tenant_id: noticed.tenant_id,
        reason: noticed.reason,
        slug: Some(noticed.slug.clone()),
        source: Some(noticed.source),
    };
    if entries.len() < MOST_TOLD_APART || entries.contains_key(&key) {
        return key;
    }
    // While nothing can be sent on, minutes pass: what is counted together is no longer told apart by
    // them either.
    let is_crowded = entries.len() >= MOST_TOLD_APART + MOST_TOGETHER;
    Key {
        minute: if is_crowded { 0 } else { key.minute },
        tenant_id: TenantId::PLATFORM,
        slug: None,
        source: None,
        ..key
    }
}

fn minute(time: Timestamp) -> i64 {
    time.as_millis().div_euclid(60_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::callback::Kind;
    use reception::Method;
    use std::time::Duration;

    const TENANT: TenantId = TenantId::PLATFORM;

    fn watch() -> Watch {
        let thresholds = config::AlertThresholds {
            window: Duration::from_mins(5),
            failures_per_source: None,
            failures_per_account: None,
            accounts_per_source: None,
            stale_per_account: None,
            new_source: false,
        };
        Watch::new(thresholds, Arc::new(Vault::new([7; 32])), Random::system())
    }

    fn note(watch: &Watch, reason: Reason, source: [u8; 4], slug: &str, at: i64, body: &[u8]) {
        let at = Timestamp::from_millis(at);
        let noticed = Noticed {
            reason,
            tenant_id: TENANT,
            slug: &slug.parse().unwrap(),
            source: source.into(),
            detail: None,
            at,
        };
        let request = Request {
            method: Method::Post,
            kind: Kind::Reports,
            token: None,
            target: "/",
            headers: &[],
            body,
            source: source.into(),
            received_at: at,
        };
        watch.note(&noticed, Some(&request));
    }

    #[test]
    fn what_repeats_within_a_minute_is_one_event_with_the_first_request_kept() {
        let watch = watch();
        for at in [0, 10, 20] {
            note(
                &watch,
                Reason::InvalidSignature,
                [203, 0, 113, 1],
                "a",
                at,
                b"x",
            );
        }
        let job = watch.take(Timestamp::from_millis(30));
        assert_eq!((job.events.len(), job.quarantined.len()), (1, 1));
        assert_eq!(job.events[0].count, 3);
        note(
            &watch,
            Reason::InvalidSignature,
            [203, 0, 113, 1],
            "a",
            40,
            b"x",
        );
        let again = watch.take(Timestamp::from_millis(50));
        assert_eq!(
            (again.events[0].id, again.events[0].count),
            (job.events[0].id, 4)
        );
        assert!(again.quarantined.is_empty());
        assert_eq!(
            watch.take(Timestamp::from_millis(60)),
            SecurityJob::default()
        );
        note(
            &watch,
            Reason::InvalidSignature,
            [203, 0, 113, 1],
            "a",
            60_000,
            b"x",
        );
        let next = watch.take(Timestamp::from_millis(60_001));
        assert_ne!(next.events[0].id, job.events[0].id);
        assert_eq!(next.events[0].count, 1);
    }

    #[test]
    fn what_an_authenticated_provider_sends_is_kept_more_often_than_what_strangers_send() {
        let watch = watch();
        for _ in 0..100 {
            note(&watch, Reason::Unrecognised, [203, 0, 113, 1], "a", 0, b"x");
            note(&watch, Reason::InvalidToken, [203, 0, 113, 1], "a", 0, b"x");
        }
        let kept = watch.take(Timestamp::from_millis(1)).quarantined;
        let of = |reason| kept.iter().filter(|kept| kept.reason == reason).count();
        assert_eq!(
            (of(Reason::Unrecognised), of(Reason::InvalidToken)),
            (64, 1)
        );
    }

    #[test]
    fn a_flood_from_everywhere_is_counted_and_takes_bounded_memory() {
        let watch = watch();
        let body = vec![b'x'; 60_000];
        for number in 0..10_000_u32 {
            let [_, _, high, low] = number.to_be_bytes();
            note(
                &watch,
                Reason::UnknownAccount,
                [198, 51, high, low],
                "a",
                0,
                &body,
            );
        }
        let job = watch.take(Timestamp::from_millis(1));
        assert_eq!(
            job.events.iter().map(|event| event.count).sum::<u32>(),
            10_000
        );
        assert_eq!(job.events.len(), MOST_TOLD_APART + 1);
        assert!(job.quarantined.len() <= STRANGERS_BYTES / body.len());
    }

    #[test]
    fn strangers_do_not_fill_the_disk_with_their_headers_either() {
        let watch = watch();
        let large = vec![b'x'; 100_000];
        let headers: &[(&str, &[u8])] = &[("x-large", &large)];
        let slug = "a".parse().unwrap();
        for last in 0..100 {
            let source: IpAddr = [198, 51, 100, last].into();
            let at = Timestamp::from_millis(0);
            let noticed = Noticed {
                reason: Reason::InvalidToken,
                tenant_id: TENANT,
                slug: &slug,
                source,
                detail: None,
                at,
            };
            let request = Request {
                method: Method::Post,
                kind: Kind::Reports,
                token: None,
                target: "/",
                headers,
                body: b"",
                source,
                received_at: at,
            };
            watch.note(&noticed, Some(&request));
        }
        let job = watch.take(Timestamp::from_millis(1));
        assert_eq!(job.events.len(), 100);
        assert!(job.quarantined.len() <= STRANGERS_BYTES / large.len());
    }

    #[test]
    fn while_nothing_is_sent_on_for_hours_memory_stays_bounded_and_everything_is_counted() {
        let watch = watch();
        for number in 0..10_000_u32 {
            let at = i64::from(number) * 60_000;
            note(
                &watch,
                Reason::InvalidToken,
                [198, 51, 100, 1],
                "a",
                at,
                b"x",
            );
        }
        let job = watch.take(Timestamp::from_millis(600_000_000));
        let counted = job.events.iter().map(|event| event.count).sum::<u32>();
        assert_eq!(counted, 10_000);
        assert!(job.events.len() <= MOST_TOLD_APART + MOST_TOGETHER + Reason::ALL.len());
    }
}
