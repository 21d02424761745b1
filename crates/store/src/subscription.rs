//! Subscriptions.

pub(crate) mod pace;
mod rotation;

pub use pace::Broken;
pub use rotation::{PreviousSecret, Rotated, Rotation};

use crate::Store;
use crate::connection::{Connection, each};
use crate::delivery::Disables;
use crate::dialect::event::newest_position;
use crate::dialect::lock;
use crate::error::Error;
use crate::installation::{Versioned, bump};
use crate::page::{Page, Window};
use crate::schema::{subscriptions, tenants};
use crate::sql_types::{Moment, Uid};
use diesel::prelude::*;
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
    /// It stays. It is not written: somebody may just have sealed it with another key.
    Stays,
    /// This one, sealed, or none.
    Becomes(Option<Vec<u8>>),
}

/// How many subscriptions there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Whether these are enabled.
    pub is_enabled: bool,
    /// So many.
    pub number: i64,
}

impl Store {
    /// Makes a subscription. It wants the events written from now on.
    pub async fn create_subscription(&self, subscription: Subscription) -> Result<(), Error> {
        let tenant = subscription.interest.tenant_id;
        let mut row = SubscriptionRow::new(subscription)?;
        self.write(move |connection| {
            changed(connection, row.tenant_id)?;
            // From here on every event is either committed before it, or written after it.
            lock::no_events_of(connection, tenant)?;
            row.since_position = newest_position(connection)?;
            each!(connection, c => diesel::insert_into(subscriptions::table)
                .values(&row)
                .execute(c))?;
            Ok(())
        })
        .await
    }

    /// Changes a subscription; the next attempt for it follows the change. The subscription after
    /// it, or none where there is none.
    pub async fn update_subscription(
        &self,
        tenant: TenantId,
        id: SubscriptionId,
        change: Change,
    ) -> Result<Option<Subscription>, Error> {
        self.write(move |connection| {
            let Some(mut row) = find(connection, tenant, id)? else {
                return Ok(None);
            };
            row.url.clone_from(&change.url);
            row.events = encode_patterns(&change.patterns);
            // A secret that stays is not written: somebody may just have sealed it with another key.
            let secret = change.secret.as_ref();
            if let Some(secret) = secret {
                row.secret.clone_from(secret);
                // A secret that is set holds at once, and alone.
                rotation::forget_previous(connection, id)?;
            }
            row.name.clone_from(&change.name);
            row.description.clone_from(&change.description);
            row.environment = change.environment.clone().into();
            row.settings = Some(encode_settings(&change.settings)?);
            row.headers.clone_from(&change.headers);
            let endpoint_secret = match &change.endpoint_secret {
                EndpointSecret::Stays => None,
                EndpointSecret::Becomes(secret) => {
                    row.endpoint_secret.clone_from(secret);
                    Some(secret)
                }
            };
            row.enable(change.is_enabled, change.updated_at);
            row.updated_at = change.updated_at.into();
            each!(connection, c => diesel::update(subscriptions::table.find(row.id))
                .set((
                    subscriptions::url.eq(&row.url),
                    subscriptions::events.eq(&row.events),
                    secret.map(|secret| subscriptions::secret.eq(secret)),
                    subscriptions::name.eq(&row.name),
                    subscriptions::description.eq(&row.description),
                    subscriptions::environment.eq(&row.environment),
                    subscriptions::settings.eq(&row.settings),
                    subscriptions::headers.eq(&row.headers),
                    endpoint_secret.map(|secret| subscriptions::endpoint_secret.eq(secret)),
                    subscriptions::is_enabled.eq(row.is_enabled),
                    subscriptions::disabled_reason.eq(&row.disabled_reason),
                    subscriptions::disabled_at.eq(row.disabled_at),
                    subscriptions::updated_at.eq(row.updated_at),
                ))
                .execute(c))?;
            changed(connection, row.tenant_id)?;
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
        self.write(move |connection| {
            let deleted = each!(connection, c => diesel::update(subscriptions::table)
                .filter(subscriptions::id.eq(Uid::from(id)))
                .filter(subscriptions::tenant_id.eq(Uid::from(tenant)))
                .filter(subscriptions::deleted_at.is_null())
                .set(subscriptions::deleted_at.eq(Some(Moment::from(at))))
                .execute(c))?;
            changed(connection, tenant.into())?;
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

    /// A tenant's subscriptions, newest first.
    pub async fn list_subscriptions(
        &self,
        tenant: TenantId,
        window: Window<SubscriptionId>,
    ) -> Result<Page<Subscription, SubscriptionId>, Error> {
        self.read(move |connection| {
            let rows: Vec<SubscriptionRow> = each!(connection, c => {
                let mut query = subscriptions::table
                    .filter(subscriptions::tenant_id.eq(Uid::from(tenant)))
                    .filter(subscriptions::deleted_at.is_null())
                    .order(subscriptions::id.desc())
                    .limit(window.reach())
                    .select(SubscriptionRow::as_select())
                    .into_boxed();
                if let Some(before) = window.before {
                    query = query.filter(subscriptions::id.lt(Uid::from(before)));
                }
                query.load(c)
            })?;
            let items = rows
                .into_iter()
                .map(Subscription::try_from)
                .collect::<Result<_, _>>()?;
            Ok(window.page(items, |item: &Subscription| item.interest.subscription_id))
        })
        .await
    }

    /// How many subscriptions there are, for metrics.
    pub async fn count_subscriptions(&self) -> Result<Vec<Count>, Error> {
        self.read(|connection| {
            let counts: Vec<(bool, i64)> = each!(connection, c => subscriptions::table
                .filter(subscriptions::deleted_at.is_null())
                .group_by(subscriptions::is_enabled)
                .select((subscriptions::is_enabled, diesel::dsl::count_star()))
                .load(c))?;
            Ok(counts
                .into_iter()
                .map(|(is_enabled, number)| Count { is_enabled, number })
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

/// Disables a subscription as its endpoint asked, unless somebody changed it since the attempt.
pub(crate) fn disable(
    connection: &mut Connection,
    id: SubscriptionId,
    how: Disables,
) -> Result<(), Error> {
    let tenant: Option<Uid> = each!(connection, c => diesel::update(subscriptions::table)
        .filter(subscriptions::id.eq(Uid::from(id)))
        .filter(subscriptions::is_enabled.eq(true))
        .filter(subscriptions::deleted_at.is_null())
        .filter(subscriptions::updated_at.eq(Moment::from(how.settings_of)))
        .set((
            subscriptions::is_enabled.eq(false),
            subscriptions::disabled_reason.eq(Some(how.reason.as_str())),
            subscriptions::disabled_at.eq(Some(Moment::from(how.at))),
            subscriptions::updated_at.eq(Moment::from(how.at)),
        ))
        .returning(subscriptions::tenant_id)
        .get_result(c)
        .optional())?;
    tenant.map_or(Ok(()), |tenant| changed(connection, tenant))
}

/// Makes every dispatcher look again before its next fan-out and its next attempt.
fn changed(connection: &mut Connection, tenant: Uid) -> Result<(), Error> {
    let version = bump(connection, Versioned::Subscriptions)?;
    each!(connection, c => diesel::update(tenants::table.find(tenant))
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

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = subscriptions, treat_none_as_default_value = false)]
struct SubscriptionRow {
    id: Uid,
    tenant_id: Uid,
    url: String,
    events: String,
    secret: Vec<u8>,
    name: Option<String>,
    description: Option<String>,
    environment: String,
    is_enabled: bool,
    since_position: i64,
    created_at: Moment,
    updated_at: Moment,
    last_success_at: Option<Moment>,
    last_failure_at: Option<Moment>,
    delivered: i64,
    failed: i64,
    settings: Option<String>,
    headers: Option<Vec<u8>>,
    endpoint_secret: Option<Vec<u8>>,
    disabled_reason: Option<String>,
    disabled_at: Option<Moment>,
    breaker: Option<String>,
}

impl SubscriptionRow {
    /// Its owner enables or disables it. What disabled it before stays told.
    fn enable(&mut self, is_enabled: bool, at: Timestamp) {
        if is_enabled {
            self.disabled_reason = None;
            self.disabled_at = None;
        } else if self.is_enabled {
            self.disabled_reason = Some(DisabledReason::Manual.as_str().to_owned());
            self.disabled_at = Some(at.into());
        }
        self.is_enabled = is_enabled;
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
                breaker: row
                    .breaker
                    .as_deref()
                    .and_then(breaker::State::parse)
                    .unwrap_or_default(),
            },
        })
    }
}
