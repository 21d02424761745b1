//! Subscriptions.

mod disabling;
mod list;
mod many;
pub(crate) mod pace;
mod rotation;
mod told;

pub(crate) use disabling::disable;
pub use list::Filter;
pub use many::{Chosen, Made, Outcome, Which};
pub use pace::Broken;
pub use rotation::{PreviousSecret, Rotated, Rotation};

use crate::Store;
use crate::connection::{Connection, each, load_locked};
use crate::dialect;
use crate::dialect::array::columns;
use crate::error::Error;
use crate::installation::{Versioned, bump};
use crate::schema::{subscriptions, tenants};
use crate::sql_types::{Id, Instant, Moment, Uid};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, SmallInt, Text};
use domain::Timestamp;
use domain::account::Environment;
use domain::breaker;
use domain::id::{SubscriptionId, TenantId};
use domain::subscription::{DisabledReason, Interest, Pattern, Settings};

/// A URL a tenant wants events at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// What the fan-out needs: its id, whose it is, and which events it wants.
    pub interest: Interest,
    /// Where.
    pub url: String,
    /// What its deliveries are signed with, sealed.
    pub secret: Vec<u8>,
    /// What they were signed with before, and still are for a while, newest first. Only where it is
    /// read to be sent to.
    pub previous_secrets: Vec<PreviousSecret>,
    /// What people call it.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// How its events are sent.
    pub settings: Settings,
    /// Its own headers, sealed; none where it has none.
    pub headers: Option<Vec<u8>>,
    /// What it proves itself to its endpoint with, sealed.
    pub endpoint_secret: Option<Vec<u8>>,
    /// Whether deliveries leave for it.
    pub is_enabled: bool,
    /// Why they do not.
    pub disabled_reason: Option<DisabledReason>,
    /// Since when they do not, as far as is known.
    pub disabled_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// How its deliveries fare.
    pub health: Health,
}

/// How a subscription's deliveries fare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Health {
    /// When an attempt last succeeded.
    pub last_success_at: Option<Timestamp>,
    /// When an attempt last failed.
    pub last_failure_at: Option<Timestamp>,
    /// Attempts that succeeded.
    pub delivered: i64,
    /// Attempts that failed.
    pub failed: i64,
    /// When the first attempt failed since the last that succeeded; none where none did.
    pub failing_since: Option<Timestamp>,
    /// How its breaker stands.
    pub breaker: breaker::State,
}

/// What a tenant may change of a subscription.
#[derive(Debug, Clone)]
pub struct Change {
    /// Where.
    pub url: String,
    /// Which events.
    pub patterns: Vec<Pattern>,
    /// A new secret, sealed; none keeps the old one.
    pub secret: Option<Vec<u8>>,
    /// What people call it.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Of which environment.
    pub environment: Environment,
    /// How its events are sent.
    pub settings: Settings,
    /// Its own headers, sealed; none where it has none.
    pub headers: Option<Vec<u8>>,
    /// What it proves itself to its endpoint with.
    pub endpoint_secret: EndpointSecret,
    /// Whether deliveries leave for it. Enabling it forgets why it was disabled.
    pub is_enabled: bool,
    /// Now.
    pub updated_at: Timestamp,
}

/// What becomes of a subscription's secret for its endpoint.
#[derive(Debug, Clone)]
pub enum EndpointSecret {
    /// It stays, as it is sealed then.
    Stays,
    /// This one, sealed, or none.
    Becomes(Option<Vec<u8>>),
}

/// How many subscriptions there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Whether these are enabled.
    pub is_enabled: bool,
    /// Whether it was told of these that they fail, and not yet that they recovered.
    pub is_failing: bool,
    /// So many.
    pub number: i64,
}

impl Change {
    /// One that changes nothing but when it was last changed.
    pub fn of(subscription: &Subscription, updated_at: Timestamp) -> Self {
        Self {
            url: subscription.url.clone(),
            patterns: subscription.interest.patterns.clone(),
            secret: None,
            name: subscription.name.clone(),
            description: subscription.description.clone(),
            environment: subscription.interest.environment.clone(),
            settings: subscription.settings.clone(),
            headers: subscription.headers.clone(),
            endpoint_secret: EndpointSecret::Stays,
            is_enabled: subscription.is_enabled,
            updated_at,
        }
    }
}

impl Store {
    /// Makes a subscription, where the plan leaves room for one. It wants the events written from now on.
    pub async fn create_subscription(&self, subscription: Subscription) -> Result<Made, Error> {
        let tenant = subscription.interest.tenant_id;
        self.create_subscriptions(tenant, vec![subscription]).await
    }

    /// Changes a subscription; the next attempt for it follows the change. The subscription after
    /// it, or none where there is none.
    pub async fn update_subscription(
        &self,
        tenant: TenantId,
        id: SubscriptionId,
        change: Change,
    ) -> Result<Option<Subscription>, Error> {
        let recorder = self.recorder();
        self.write(move |connection| {
            let Some(mut row) = find_locked(connection, tenant, &[id])?.pop() else {
                return Ok(None);
            };
            let before = row.clone();
            let is_new_secret = row.apply(change.clone())?;
            if is_new_secret {
                rotation::forget_previous(connection, &[row.id])?;
            }
            dialect::subscription::update(connection, std::slice::from_ref(&row))?;
            changed(connection, row.tenant_id)?;
            told::changed(
                recorder.as_ref(),
                connection,
                vec![(Some(before), Some(row.clone()))],
            )?;
            Subscription::try_from(row).map(Some)
        })
        .await
    }

    /// Ends a subscription. Whether there was one.
    pub async fn delete_subscription(
        &self,
        tenant: TenantId,
        id: SubscriptionId,
        at: Timestamp,
    ) -> Result<bool, Error> {
        let recorder = self.recorder();
        self.write(move |connection| {
            let before = find_locked(connection, tenant, &[id])?.pop();
            let deleted = each!(connection, c => diesel::update(subscriptions::table)
                .filter(subscriptions::id.eq(Uid::from(id)))
                .filter(subscriptions::tenant_id.eq(Uid::from(tenant)))
                .filter(subscriptions::deleted_at.is_null())
                .set(subscriptions::deleted_at.eq(Some(Moment::from(at))))
                .execute(c))?;
            changed(connection, tenant.into())?;
            told::changed(recorder.as_ref(), connection, vec![(before, None)])?;
            Ok(deleted > 0)
        })
        .await
    }

    /// A tenant's subscription.
    pub async fn find_subscription(
        &self,
        tenant: TenantId,
        id: SubscriptionId,
    ) -> Result<Option<Subscription>, Error> {
        self.read(move |connection| {
            find(connection, tenant, id)?
                .map(Subscription::try_from)
                .transpose()
        })
        .await
    }

    /// As [`Store::find_subscription`], with the secrets that sign beside its own: to be sent to.
    pub async fn find_to_send(
        &self,
        tenant: TenantId,
        id: SubscriptionId,
    ) -> Result<Option<Subscription>, Error> {
        self.read(move |connection| {
            let Some(row) = find(connection, tenant, id)? else {
                return Ok(None);
            };
            let mut previous = rotation::previous_of(connection, &[row.id])?;
            let previous_secrets = previous.remove(&row.id).unwrap_or_default();
            Ok(Some(Subscription {
                previous_secrets,
                ..Subscription::try_from(row)?
            }))
        })
        .await
    }

    /// How many subscriptions there are, for metrics.
    pub async fn count_subscriptions(&self) -> Result<Vec<Count>, Error> {
        self.read(|connection| {
            let state = (subscriptions::is_enabled, subscriptions::owes_recovery);
            let counts: Vec<((bool, bool), i64)> = each!(connection, c => subscriptions::table
                .filter(subscriptions::deleted_at.is_null())
                .group_by(state)
                .select((state, diesel::dsl::count_star()))
                .load(c))?;
            let counts = counts.into_iter();
            Ok(counts
                .map(|((is_enabled, is_failing), number)| Count {
                    is_enabled,
                    is_failing,
                    number,
                })
                .collect())
        })
        .await
    }
}

/// Every subscription of these tenants that was not deleted.
pub(crate) fn of_tenants(
    connection: &mut Connection,
    of: &[TenantId],
) -> Result<Vec<Subscription>, Error> {
    let of: Vec<Uid> = of.iter().copied().map(Uid::from).collect();
    let rows: Vec<SubscriptionRow> = each!(connection, c => subscriptions::table
        .filter(subscriptions::tenant_id.eq_any(&of))
        .filter(subscriptions::deleted_at.is_null())
        .order(subscriptions::id)
        .select(SubscriptionRow::as_select())
        .load(c))?;
    let ids: Vec<Uid> = rows.iter().map(|row| row.id).collect();
    let mut previous = rotation::previous_of(connection, &ids)?;
    rows.into_iter()
        .map(|row| {
            let previous_secrets = previous.remove(&row.id).unwrap_or_default();
            Ok(Subscription {
                previous_secrets,
                ..Subscription::try_from(row)?
            })
        })
        .collect()
}

fn find(
    connection: &mut Connection,
    tenant: TenantId,
    id: SubscriptionId,
) -> Result<Option<SubscriptionRow>, Error> {
    Ok(each!(connection, c => subscriptions::table
        .filter(subscriptions::id.eq(Uid::from(id)))
        .filter(subscriptions::tenant_id.eq(Uid::from(tenant)))
        .filter(subscriptions::deleted_at.is_null())
        .select(SubscriptionRow::as_select())
        .first(c)
        .optional())?)
}

/// Those of these that there are, in the order of their ids.
macro_rules! these {
    ($tenant:expr, $ids:expr) => {
        subscriptions::table
            .filter(subscriptions::id.eq_any($ids))
            .filter(subscriptions::tenant_id.eq(Uid::from($tenant)))
            .filter(subscriptions::deleted_at.is_null())
            .order(subscriptions::id)
            .select(SubscriptionRow::as_select())
    };
}

fn find_these(
    connection: &mut Connection,
    tenant: TenantId,
    ids: &[SubscriptionId],
) -> Result<Vec<SubscriptionRow>, Error> {
    let ids: Vec<Uid> = ids.iter().copied().map(Uid::from).collect();
    Ok(each!(connection, c => these!(tenant, &ids).load(c))?)
}

/// As [`find_these`]; on PostgreSQL nobody else changes them until the transaction ends.
fn find_locked(
    connection: &mut Connection,
    tenant: TenantId,
    ids: &[SubscriptionId],
) -> Result<Vec<SubscriptionRow>, Error> {
    let ids: Vec<Uid> = ids.iter().copied().map(Uid::from).collect();
    Ok(load_locked!(connection, these!(tenant, &ids), for_update))
}

/// Makes every dispatcher look again before its next fan-out and its next attempt.
fn changed(connection: &mut Connection, tenant: Uid) -> Result<(), Error> {
    all_changed(connection, &[tenant])
}

/// As [`changed`], of several tenants at once.
fn all_changed(connection: &mut Connection, of: &[Uid]) -> Result<(), Error> {
    let version = bump(connection, Versioned::Subscriptions)?;
    each!(connection, c => diesel::update(tenants::table)
        .filter(tenants::id.eq_any(of))
        .set(tenants::subscription_version.eq(version))
        .execute(c))?;
    Ok(())
}

fn encode_patterns(patterns: &[Pattern]) -> String {
    patterns
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

fn encode_settings(settings: &Settings) -> Result<String, Error> {
    serde_json::to_string(settings)
        .map_err(|error| Error::unreadable(format!("settings that cannot be written: {error}")))
}

/// Rows from before there were settings have the defaults.
fn decode_settings(text: Option<&str>) -> Result<Settings, Error> {
    text.map_or_else(
        || Ok(Settings::default()),
        |text| {
            serde_json::from_str(text).map_err(|error| {
                Error::unreadable(format!("the settings of a subscription: {error}"))
            })
        },
    )
}

#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = subscriptions, treat_none_as_default_value = false)]
pub(crate) struct SubscriptionRow {
    pub(crate) id: Uid,
    pub(crate) tenant_id: Uid,
    pub(crate) url: String,
    pub(crate) events: String,
    pub(crate) secret: Vec<u8>,
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) environment: String,
    pub(crate) is_enabled: bool,
    pub(crate) since_position: i64,
    pub(crate) created_at: Moment,
    pub(crate) updated_at: Moment,
    pub(crate) last_success_at: Option<Moment>,
    pub(crate) last_failure_at: Option<Moment>,
    pub(crate) delivered: i64,
    pub(crate) failed: i64,
    pub(crate) settings: Option<String>,
    pub(crate) headers: Option<Vec<u8>>,
    pub(crate) endpoint_secret: Option<Vec<u8>>,
    pub(crate) disabled_reason: Option<String>,
    pub(crate) disabled_at: Option<Moment>,
    pub(crate) breaker: Option<String>,
    pub(crate) failing_since: Option<Moment>,
    pub(crate) failing_until: Option<Moment>,
    pub(crate) failing_told: Option<i16>,
}

columns!(SubscriptionRow => "subscriptions" {
    id: Id,
    tenant_id: Id,
    url: Text,
    events: Text,
    secret: Binary,
    name: Nullable<Text>,
    description: Nullable<Text>,
    environment: Text,
    is_enabled: Bool,
    since_position: BigInt,
    created_at: Instant,
    updated_at: Instant,
    last_success_at: Nullable<Instant>,
    last_failure_at: Nullable<Instant>,
    delivered: BigInt,
    failed: BigInt,
    settings: Nullable<Text>,
    headers: Nullable<Binary>,
    endpoint_secret: Nullable<Binary>,
    disabled_reason: Nullable<Text>,
    disabled_at: Nullable<Instant>,
    breaker: Nullable<Text>,
    failing_since: Nullable<Instant>,
    failing_until: Nullable<Instant>,
    failing_told: Nullable<SmallInt>,
});

impl SubscriptionRow {
    /// Its owner changes it. Whether it has a secret that was set, which holds at once, and alone.
    fn apply(&mut self, change: Change) -> Result<bool, Error> {
        if change.url != self.url {
            self.begin_anew();
        }
        self.url = change.url;
        self.events = encode_patterns(&change.patterns);
        let is_new_secret = change.secret.is_some();
        if let Some(secret) = change.secret {
            self.secret = secret;
        }
        self.name = change.name;
        self.description = change.description;
        self.environment = change.environment.into();
        self.settings = Some(encode_settings(&change.settings)?);
        self.headers = change.headers;
        if let EndpointSecret::Becomes(secret) = change.endpoint_secret {
            self.endpoint_secret = secret;
        }
        self.enable(change.is_enabled, change.updated_at);
        self.updated_at = change.updated_at.into();
        Ok(is_new_secret)
    }

    /// Its owner enables or disables it. What disabled it before stays told.
    fn enable(&mut self, is_enabled: bool, at: Timestamp) {
        if is_enabled {
            if !self.is_enabled {
                self.begin_anew();
            }
            self.disabled_reason = None;
            self.disabled_at = None;
        } else if self.is_enabled {
            self.disabled_reason = Some(DisabledReason::Manual.as_str().to_owned());
            self.disabled_at = Some(at.into());
        }
        self.is_enabled = is_enabled;
    }

    /// Whoever enables it, or sends it elsewhere, has it judged anew.
    fn begin_anew(&mut self) {
        self.failing_since = None;
        self.failing_until = None;
        self.failing_told = None;
    }

    fn new(subscription: Subscription) -> Result<Self, Error> {
        let Subscription {
            interest, health, ..
        } = subscription;
        Ok(Self {
            id: interest.subscription_id.into(),
            tenant_id: interest.tenant_id.into(),
            url: subscription.url,
            events: encode_patterns(&interest.patterns),
            secret: subscription.secret,
            name: subscription.name,
            description: subscription.description,
            environment: interest.environment.into(),
            is_enabled: subscription.is_enabled,
            since_position: interest.since_position,
            created_at: subscription.created_at.into(),
            updated_at: subscription.updated_at.into(),
            last_success_at: health.last_success_at.map(Moment::from),
            last_failure_at: health.last_failure_at.map(Moment::from),
            delivered: health.delivered,
            failed: health.failed,
            settings: Some(encode_settings(&subscription.settings)?),
            headers: subscription.headers,
            endpoint_secret: subscription.endpoint_secret,
            disabled_reason: subscription
                .disabled_reason
                .map(|reason| reason.as_str().to_owned()),
            disabled_at: subscription.disabled_at.map(Moment::from),
            breaker: None,
            failing_since: health.failing_since.map(Moment::from),
            failing_until: None,
            failing_told: None,
        })
    }
}

impl TryFrom<SubscriptionRow> for Subscription {
    type Error = Error;

    fn try_from(row: SubscriptionRow) -> Result<Self, Error> {
        let texts: Vec<String> = row.events.split(',').map(str::to_owned).collect();
        let interest = Interest {
            subscription_id: row.id.into(),
            tenant_id: row.tenant_id.into(),
            environment: row
                .environment
                .parse()
                .map_err(|_| Error::unreadable("a subscription with an invalid environment"))?,
            patterns: Pattern::read_list(&texts).map_err(|error| {
                Error::unreadable(format!("a subscription to no events: {error}"))
            })?,
            since_position: row.since_position,
        };
        Ok(Self {
            interest,
            url: row.url,
            secret: row.secret,
            previous_secrets: Vec::new(),
            name: row.name,
            description: row.description,
            settings: decode_settings(row.settings.as_deref())?,
            headers: row.headers,
            endpoint_secret: row.endpoint_secret,
            is_enabled: row.is_enabled,
            // Only its owner could disable it before reasons were kept.
            disabled_reason: (!row.is_enabled).then(|| {
                let told = row.disabled_reason.as_deref();
                told.and_then(DisabledReason::parse)
                    .unwrap_or(DisabledReason::Manual)
            }),
            disabled_at: row.disabled_at.map(Timestamp::from),
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
            health: Health {
                last_success_at: row.last_success_at.map(Timestamp::from),
                last_failure_at: row.last_failure_at.map(Timestamp::from),
                delivered: row.delivered,
                failed: row.failed,
                failing_since: row.failing_since.map(Timestamp::from),
                breaker: row
                    .breaker
                    .as_deref()
                    .and_then(breaker::State::parse)
                    .unwrap_or_default(),
            },
        })
    }
}
