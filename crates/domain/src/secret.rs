//! What a sealed secret is bound to: a secret copied to another row does not open there.

use crate::id::{AccountId, QuarantineId, SubscriptionId, TenantId};
use uuid::Uuid;

/// The context of a provider account's checks.
pub fn account_checks(tenant: TenantId, account: AccountId) -> String {
    format!("provider_accounts.checks {tenant} {account}")
}

/// The context of what a provider account's provider is asked with.
pub fn account_status_api(tenant: TenantId, account: AccountId) -> String {
    format!("provider_accounts.status_api {tenant} {account}")
}

/// The context of a subscription's signing secret.
pub fn subscription_secret(tenant: TenantId, subscription: SubscriptionId) -> String {
    format!("subscriptions.secret {tenant} {subscription}")
}

/// The context of a secret that was replaced.
pub fn previous_secret(tenant: TenantId, id: Uuid) -> String {
    format!("previous_secrets.secret {tenant} {id}")
}

/// The context of the headers of a subscription.
pub fn subscription_headers(tenant: TenantId, subscription: SubscriptionId) -> String {
    format!("subscriptions.headers {tenant} {subscription}")
}

/// The context of what a subscription proves itself to its endpoint with.
pub fn endpoint_secret(tenant: TenantId, subscription: SubscriptionId) -> String {
    format!("subscriptions.endpoint_secret {tenant} {subscription}")
}

/// The context of a request in quarantine.
pub fn quarantined_request(tenant: TenantId, id: QuarantineId) -> String {
    format!("quarantine.request {tenant} {id}")
}

/// The context of the text that tells whether the encryption key is the one the store was made with.
pub const KEY_CHECK: &str = "installation.encryption_check";
