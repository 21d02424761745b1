//! Where and how a subscription is reached, made from its current settings.

use domain::id::SubscriptionId;
use egress::{Destination, Policy};
use signing::{Vault, WebhookSecret};
use std::sync::Arc;
use store::subscription::Subscription;

/// A subscription, ready to be sent to.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub subscription_id: SubscriptionId,
    /// Judged already, or, where the policy has come to forbid it since the subscription was made,
    /// the URL, which the client will refuse.
    pub destination: Destination,
    pub secret: WebhookSecret,
}

impl Endpoint {
    /// Opens the secret and judges the URL. The error is for the operator.
    pub(crate) fn of(
        subscription: &Subscription,
        vault: &Vault,
        policy: &Policy,
    ) -> Result<Arc<Self>, signing::Error> {
        let interest = &subscription.interest;
        let context =
            domain::secret::subscription_secret(interest.tenant_id, interest.subscription_id);
        let secret = WebhookSecret::from_bytes(&vault.open(&context, &subscription.secret)?)?;
        let destination = match policy.judge_url(&subscription.url) {
            Ok(target) => Destination::Target(target),
            Err(_) => Destination::Url(subscription.url.clone()),
        };
        Ok(Arc::new(Self {
            subscription_id: interest.subscription_id,
            destination,
            secret,
        }))
    }
}
