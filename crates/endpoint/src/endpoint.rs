//! Where and how a subscription is reached, made from its current settings.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use domain::id::SubscriptionId;
use domain::retry::Schedule;
use domain::subscription::{EndpointAuth, Method, Settings, Signing, Usual};
use egress::{Destination, Policy};
use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue};
use signing::{Vault, WebhookSecret};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use store::subscription::Subscription;

/// A subscription, ready to be sent to.
#[derive(Debug)]
pub struct Endpoint {
    /// Which subscription.
    pub subscription_id: SubscriptionId,
    /// Judged already, or, where the policy has come to forbid it since the subscription was made,
    /// the URL, which the client will refuse.
    pub destination: Destination,
    /// The host of it; none where it is refused.
    pub host: Option<Arc<str>>,
    /// The method of its requests.
    pub method: http::Method,
    /// Its own headers, and what it is authenticated to with. What is secret is marked so.
    pub headers: HeaderMap,
    /// How its requests are signed.
    pub signing: Signing,
    /// When a delivery is tried again.
    pub schedule: Schedule,
    /// How long an attempt may take.
    pub timeout: Duration,
    /// The longest body it is sent, in bytes.
    pub max_payload_bytes: usize,
    /// In which version it gets events of these types.
    pub versions: BTreeMap<String, u32>,
    /// When these settings were last changed.
    pub settings_of: Timestamp,
    /// Newest first; all but the first until a moment.
    secrets: Vec<(WebhookSecret, Option<Timestamp>)>,
}

/// What it takes to make one.
#[derive(Debug, Clone, Copy)]
pub struct Means<'a> {
    /// Opens its secrets.
    pub vault: &'a Vault,
    /// What may be reached.
    pub policy: &'a Policy,
    /// What holds where a subscription says nothing.
    pub usual: &'a Usual,
}

/// Why a subscription cannot be sent to; for the operator.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// A secret cannot be opened.
    #[error(transparent)]
    Sealed(#[from] signing::Error),
    /// Its headers are not as they were written.
    #[error("its headers cannot be read: {0}")]
    Headers(#[from] serde_json::Error),
    /// A header of this name cannot be sent.
    #[error("its headers cannot be sent: {0}")]
    Name(#[from] http::header::InvalidHeaderName),
    /// A header of this value cannot be sent.
    #[error("its headers cannot be sent: {0}")]
    Value(#[from] http::header::InvalidHeaderValue),
}

impl Endpoint {
    /// Opens the secrets and judges the URL.
    ///
    /// # Errors
    /// [`Unusable`], where something of it cannot be opened.
    pub fn of(means: Means<'_>, subscription: &Subscription) -> Result<Arc<Self>, Unusable> {
        let settings = &subscription.settings;
        let timeout = means.usual.timeout_seconds_of(settings);
        let destination = match means.policy.judge_url(&subscription.url) {
            Ok(target) => Destination::Target(target),
            Err(_) => Destination::Url(subscription.url.clone()),
        };
        let host = match &destination {
            Destination::Target(target) => Some(target.host_name().into()),
            Destination::Url(_) => None,
        };
        Ok(Arc::new(Self {
            host,
            subscription_id: subscription.interest.subscription_id,
            destination,
            method: match settings.method {
                Method::Post => http::Method::POST,
                Method::Put => http::Method::PUT,
                Method::Patch => http::Method::PATCH,
            },
            headers: headers(means.vault, subscription)?,
            signing: settings.signing.clone(),
            schedule: Schedule::of(&means.usual.retry_of(settings)),
            timeout: Duration::from_secs(u64::from(timeout)),
            max_payload_bytes: usize::try_from(settings.max_payload_bytes).unwrap_or(usize::MAX),
            versions: settings.versions.clone(),
            settings_of: subscription.updated_at,
            secrets: secrets(means.vault, subscription)?,
        }))
    }

    /// The secrets that sign at this moment, newest first.
    pub fn secrets(&self, now: Timestamp) -> Vec<WebhookSecret> {
        self.secrets
            .iter()
            .filter(|(_, until)| until.is_none_or(|until| now < until))
            .map(|(secret, _)| secret.clone())
            .collect()
    }
}

fn secrets(
    vault: &Vault,
    subscription: &Subscription,
) -> Result<Vec<(WebhookSecret, Option<Timestamp>)>, Unusable> {
    let interest = &subscription.interest;
    let (tenant, id) = (interest.tenant_id, interest.subscription_id);
    let open = |bound_to: String, sealed: &[u8]| -> Result<WebhookSecret, Unusable> {
        let opened = vault.open(&bound_to, sealed)?;
        Ok(WebhookSecret::from_bytes(&opened)?)
    };
    let bound_to = domain::secret::subscription_secret(tenant, id);
    let mut secrets = vec![(open(bound_to, &subscription.secret)?, None)];
    for previous in &subscription.previous_secrets {
        let bound_to = domain::secret::previous_secret(tenant, previous.id);
        let secret = open(bound_to, &previous.secret)?;
        secrets.push((secret, Some(previous.expires_at)));
    }
    Ok(secrets)
}

fn headers(vault: &Vault, subscription: &Subscription) -> Result<HeaderMap, Unusable> {
    let interest = &subscription.interest;
    let (tenant, id) = (interest.tenant_id, interest.subscription_id);
    let mut headers = HeaderMap::new();
    if let Some(sealed) = &subscription.headers {
        let bound_to = domain::secret::subscription_headers(tenant, id);
        let opened = vault.open(&bound_to, sealed)?;
        let own: BTreeMap<String, String> = serde_json::from_slice(&opened)?;
        for (name, value) in own {
            let name: HeaderName = name.parse()?;
            let mut value = HeaderValue::from_str(&value)?;
            value.set_sensitive(name == AUTHORIZATION || name == COOKIE);
            headers.insert(name, value);
        }
    }
    if let Some(sealed) = &subscription.endpoint_secret {
        let bound_to = domain::secret::endpoint_secret(tenant, id);
        let opened = vault.open(&bound_to, sealed)?;
        let secret = String::from_utf8_lossy(&opened);
        if let Some((name, mut value)) = authentication(&subscription.settings, &secret)? {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    }
    Ok(headers)
}

fn authentication(
    settings: &Settings,
    secret: &str,
) -> Result<Option<(HeaderName, HeaderValue)>, Unusable> {
    Ok(match &settings.endpoint_auth {
        EndpointAuth::None => None,
        EndpointAuth::ApiKey { header } => Some((header.parse()?, HeaderValue::from_str(secret)?)),
        EndpointAuth::Bearer => {
            let value = HeaderValue::from_str(&format!("Bearer {secret}"))?;
            Some((AUTHORIZATION, value))
        }
        EndpointAuth::Basic { username } => {
            let pair = STANDARD.encode(format!("{username}:{secret}"));
            let value = HeaderValue::from_str(&format!("Basic {pair}"))?;
            Some((AUTHORIZATION, value))
        }
    })
}
