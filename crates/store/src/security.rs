//! Security events, and suspicions that become events of the platform tenant.

use crate::Store;
use crate::connection::{Connection, each, insert_rows};
use crate::dialect::array::columns;
use crate::dialect::security as dialect;
use crate::error::Error;
use crate::event::NewEventRow;
use crate::page::{Page, Window};
use crate::quarantine::{self, Quarantined};
use crate::schema::{account_sources, events, security_events};
use crate::sql_types::{Id, Instant, Moment, Uid};
use diesel::dsl::count_star;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, SmallInt, Text};
use domain::Timestamp;
use domain::account::Environment;
use domain::event::Event;
use domain::id::{AccountId, EventId, SecurityEventId, TenantId};
use domain::json::Raw;
use domain::security::{Reason, SecurityEvent, Signal, Suspicion};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

/// How long an account must have been called before a new source of it is worth a word.
const LEARNING: Duration = Duration::from_hours(24);
/// The most sources remembered of one account: a caller from everywhere is no news any more.
const MOST_SOURCES: i64 = 1_000;

/// What the door noticed.
#[derive(Debug, Clone, Default)]
pub struct Noticed {
    /// What was counted.
    pub events: Vec<SecurityEvent>,
    /// What is to be kept.
    pub quarantined: Vec<Quarantined>,
    /// What looks suspicious.
    pub suspicions: Vec<Suspicion>,
}

/// Which of a tenant's security events.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this account.
    pub provider_account: Option<String>,
    /// Of this type.
    pub reason: Option<Reason>,
    /// Of this source.
    pub source_ip: Option<String>,
    /// At or after this.
    pub after: Option<Timestamp>,
    /// Before this.
    pub before: Option<Timestamp>,
}

impl Store {
    /// Records what the door noticed, all in one commit; the suspicions that were raised by it. What was
    /// recorded before changes nothing, and is not raised again.
    pub async fn record_security(&self, noticed: Noticed) -> Result<Vec<Signal>, Error> {
        let raise = self.raising();
        self.write(move |connection| {
            let rows: Vec<EventRow> = newest(&noticed.events);
            dialect::count(connection, &rows)?;
            quarantine::keep(connection, &noticed.quarantined)?;
            raise(connection, &noticed.suspicions)
        })
        .await
    }

    /// Notes from where accounts were called, and raises a suspicion for a source that is new at an
    /// account that has been called for a while; what was raised.
    pub async fn see_sources(
        &self,
        seen: Vec<(AccountId, String, String)>,
    ) -> Result<Vec<Signal>, Error> {
        let raise = self.raising();
        let now = self.clock.now();
        self.write(move |connection| {
            let accounts: BTreeSet<Uid> = seen.iter().map(|(id, ..)| Uid::from(*id)).collect();
            let known = known_accounts(connection, &accounts)?;
            let rows: BTreeMap<(Uid, &str), SourceRow> = seen
                .iter()
                .filter(|(id, ..)| {
                    let known = known.get(&Uid::from(*id));
                    known.is_none_or(|(_, sources)| *sources < MOST_SOURCES)
                })
                .map(|(id, _, source)| {
                    let row = SourceRow {
                        account_id: Uid::from(*id),
                        source: source.clone(),
                        first_seen_at: now.into(),
                    };
                    ((row.account_id, source.as_str()), row)
                })
                .collect();
            let rows: Vec<SourceRow> = rows.into_values().collect();
            if rows.is_empty() {
                return Ok(Vec::new());
            }
            let new: HashSet<(Uid, String)> =
                dialect::see(connection, &rows)?.into_iter().collect();
            let learnt = Moment::from(now.minus(LEARNING));
            let suspicions: Vec<Suspicion> = seen
                .iter()
                .filter(|(id, _, source)| new.contains(&(Uid::from(*id), source.clone())))
                .filter(|(id, ..)| {
                    let first = known.get(&Uid::from(*id)).map(|(first, _)| *first);
                    first.is_some_and(|first| first <= learnt)
                })
                .map(|(_, slug, source)| Suspicion {
                    signal: Signal::NewSource,
                    provider_account: Some(slug.clone()),
                    source_ip: source.parse().ok(),
                    count: 1,
                    window_seconds: 0,
                    at: now,
                })
                .collect();
            raise(connection, &suspicions)
        })
        .await
    }

    /// A tenant's security events, newest first.
    pub async fn list_security_events(
        &self,
        tenant: TenantId,
        filter: Filter,
        window: Window<SecurityEventId>,
    ) -> Result<Page<SecurityEvent, SecurityEventId>, Error> {
        self.read(move |connection| {
            let rows: Vec<EventRow> = each!(connection, c => {
                let mut query = security_events::table
                    .filter(security_events::tenant_id.eq(Uid::from(tenant)))
                    .order(security_events::id.desc())
                    .limit(window.reach())
                    .select(EventRow::as_select())
                    .into_boxed();
                if let Some(before) = window.before {
                    query = query.filter(security_events::id.lt(Uid::from(before)));
                }
                if let Some(account) = &filter.provider_account {
                    query = query.filter(security_events::provider_account.eq(account));
                }
                if let Some(reason) = filter.reason {
                    query = query.filter(security_events::reason.eq(encode_reason(reason)));
                }
                if let Some(source) = &filter.source_ip {
                    query = query.filter(security_events::source_ip.eq(source));
                }
                if let Some(after) = filter.after {
                    query = query.filter(security_events::at.ge(Moment::from(after)));
                }
                if let Some(before) = filter.before {
                    query = query.filter(security_events::at.lt(Moment::from(before)));
                }
                query.load(c)
            })?;
            let page = window.page(rows, |row: &EventRow| SecurityEventId::from(row.id));
            let items = page.items.into_iter().map(SecurityEvent::try_from);
            Ok(Page {
                items: items.collect::<Result<_, _>>()?,
                next: page.next,
            })
        })
        .await
    }

    /// A tenant's security event.
    pub async fn find_security_event(
        &self,
        tenant: TenantId,
        id: SecurityEventId,
    ) -> Result<Option<SecurityEvent>, Error> {
        self.read(move |connection| {
            let row: Option<EventRow> = each!(connection, c => security_events::table
                .find(Uid::from(id))
                .filter(security_events::tenant_id.eq(Uid::from(tenant)))
                .select(EventRow::as_select())
                .first(c)
                .optional())?;
            row.map(SecurityEvent::try_from).transpose()
        })
        .await
    }

    /// Tells the platform tenant of suspicions that were not told before, in the transaction that notes
    /// them.
    fn raising(
        &self,
    ) -> impl Fn(&mut Connection, &[Suspicion]) -> Result<Vec<Signal>, Error> + Send + 'static {
        let (clock, random) = (self.clock.clone(), self.random.clone());
        move |connection, suspicions| {
            let by_key: BTreeMap<Vec<u8>, &Suspicion> = suspicions
                .iter()
                .map(|suspicion| (suspicion.key().to_vec(), suspicion))
                .collect();
            if by_key.is_empty() {
                return Ok(Vec::new());
            }
            let now = clock.now();
            let rows: Vec<SuspicionRow> = by_key
                .keys()
                .map(|key| SuspicionRow {
                    key: key.clone(),
                    raised_at: now.into(),
                })
                .collect();
            let new = dialect::raise(connection, &rows)?;
            let raised: Vec<&Suspicion> = new
                .iter()
                .filter_map(|key| by_key.get(key).copied())
                .collect();
            let rows: Vec<NewEventRow> = raised
                .iter()
                .map(|suspicion| event(suspicion, EventId::new(now, &random), now).into())
                .collect();
            insert_rows!(connection, events::table, rows.iter());
            Ok(raised.iter().map(|suspicion| suspicion.signal).collect())
        }
    }
}

fn event(suspicion: &Suspicion, id: EventId, now: Timestamp) -> Event {
    Event {
        id,
        tenant_id: TenantId::PLATFORM,
        event_type: "security.suspicious_activity".to_owned(),
        version: 1,
        environment: Environment::default(),
        created_at: now,
        source: "tidings".to_owned(),
        resource: None,
        context: None,
        metadata: None,
        data: Raw::of(suspicion),
        transition: None,
        traceparent: None,
        caused_at: suspicion.at,
    }
}

/// When each account was first called, and from how many sources.
fn known_accounts(
    connection: &mut Connection,
    accounts: &BTreeSet<Uid>,
) -> Result<HashMap<Uid, (Moment, i64)>, Error> {
    let rows: Vec<(Uid, Option<Moment>, i64)> = each!(connection, c => account_sources::table
        .filter(account_sources::account_id.eq_any(accounts))
        .group_by(account_sources::account_id)
        .select((
            account_sources::account_id,
            diesel::dsl::min(account_sources::first_seen_at),
            count_star(),
        ))
        .load(c))?;
    Ok(rows
        .into_iter()
        .filter_map(|(id, first, sources)| Some((id, (first?, sources))))
        .collect())
}

/// Each event once, as it was counted last: an engine updates a row once in a statement.
fn newest(events: &[SecurityEvent]) -> Vec<EventRow> {
    let mut newest: BTreeMap<SecurityEventId, &SecurityEvent> = BTreeMap::new();
    for event in events {
        let kept = newest.entry(event.id).or_insert(event);
        if kept.count < event.count {
            *kept = event;
        }
    }
    newest.into_values().map(EventRow::from).collect()
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = security_events, treat_none_as_default_value = false)]
pub(crate) struct EventRow {
    id: Uid,
    tenant_id: Uid,
    reason: i16,
    provider_account: Option<String>,
    source_ip: Option<String>,
    at: Moment,
    count: i64,
    detail: Option<String>,
}

columns!(EventRow => "security_events" {
    id: Id,
    tenant_id: Id,
    reason: SmallInt,
    provider_account: Nullable<Text>,
    source_ip: Nullable<Text>,
    at: Instant,
    count: BigInt,
    detail: Nullable<Text>,
});

impl From<&SecurityEvent> for EventRow {
    fn from(event: &SecurityEvent) -> Self {
        Self {
            id: event.id.into(),
            tenant_id: event.tenant_id.into(),
            reason: encode_reason(event.reason),
            provider_account: event.provider_account.clone(),
            source_ip: event.source_ip.map(|source| source.to_string()),
            at: event.at.into(),
            count: event.count.into(),
            detail: event.detail.clone(),
        }
    }
}

impl TryFrom<EventRow> for SecurityEvent {
    type Error = Error;

    fn try_from(row: EventRow) -> Result<Self, Error> {
        let source_ip = row.source_ip.map(|source| source.parse()).transpose();
        Ok(Self {
            id: row.id.into(),
            tenant_id: row.tenant_id.into(),
            reason: decode_reason(row.reason)?,
            provider_account: row.provider_account,
            source_ip: source_ip
                .map_err(|_| Error::unreadable("a security event of an unreadable source"))?,
            at: row.at.into(),
            count: u32::try_from(row.count).unwrap_or(u32::MAX),
            detail: row.detail,
        })
    }
}

#[derive(Insertable)]
#[diesel(table_name = crate::schema::suspicions)]
pub(crate) struct SuspicionRow {
    pub key: Vec<u8>,
    raised_at: Moment,
}

columns!(SuspicionRow => "suspicions" {
    key: Binary,
    raised_at: Instant,
});

#[derive(Insertable)]
#[diesel(table_name = account_sources)]
pub(crate) struct SourceRow {
    pub account_id: Uid,
    pub source: String,
    first_seen_at: Moment,
}

columns!(SourceRow => "account_sources" {
    account_id: Id,
    source: Text,
    first_seen_at: Instant,
});

pub(crate) const fn encode_reason(reason: Reason) -> i16 {
    match reason {
        Reason::UnauthorizedIp => 0,
        Reason::InvalidSignature => 1,
        Reason::InvalidApiKey => 2,
        Reason::InvalidToken => 3,
        Reason::Replayed => 4,
        Reason::StaleTimestamp => 5,
        Reason::RateLimited => 6,
        Reason::Malformed => 7,
        Reason::Unrecognised => 8,
        Reason::UnknownAccount => 9,
    }
}

pub(crate) fn decode_reason(code: i16) -> Result<Reason, Error> {
    Reason::ALL
        .into_iter()
        .find(|reason| encode_reason(*reason) == code)
        .ok_or_else(|| Error::unreadable(format!("a security event of the type {code}")))
}
