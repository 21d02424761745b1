//! Where and how a subscription is reached, made from its current settings.

use crate::Context;
use domain::id::SubscriptionId;
use domain::retry::Schedule;
use egress::Destination;
use signing::WebhookSecret;
use std::sync::Arc;
use std::time::Duration;
use store::subscription::Subscription;

/// A subscription, ready to be sent to.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub subscription_id: SubscriptionId,
    /// Judged already, or, where the policy has come to forbid it since the subscription was made,
    /// the URL, which the client will refuse.
    pub destination: Destination,
    pub secret: WebhookSecret,
    /// When a delivery is tried again.
    pub schedule: Schedule,
    /// How long an attempt may take.
    pub timeout: Duration,
}

impl Endpoint {
    /// Opens the secret and judges the URL. The error is for the operator.
    pub(crate) fn of(
        context: &Context,
        subscription: &Subscription,
    ) -> Result<Arc<Self>, signing::Error> {
        let interest = &subscription.interest;
        let bound_to =
            domain::secret::subscription_secret(interest.tenant_id, interest.subscription_id);
        let secret = context.vault.open(&bound_to, &subscription.secret)?;
        let secret = WebhookSecret::from_bytes(&secret)?;
        let settings = &subscription.settings;
        let timeout = context.usual.timeout_seconds_of(settings);
        let destination = match context.client.policy().judge_url(&subscription.url) {
            Ok(target) => Destination::Target(target),
            Err(_) => Destination::Url(subscription.url.clone()),
        };
        Ok(Arc::new(Self {
            subscription_id: interest.subscription_id,
            destination,
            schedule: Schedule::of(&context.usual.retry_of(settings)),
            timeout: Duration::from_secs(u64::from(timeout)),
            secret,
        }))
    }
}
