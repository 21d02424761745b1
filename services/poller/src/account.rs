//! An account, as its messages are asked about.

use domain::Timestamp;
use domain::account::{Environment, Slug};
use domain::erasure::BLANK;
use domain::id::{AccountId, TenantId};
use domain::poll::Silence;
use providers::access::StatusAccess;
use providers::ask::{Access, Asked, InboxApi, StatusApi};
use signing::Vault;
use store::poll::DueMessage;

/// What is known of an account. Of one that was deleted nothing is, but what its messages say.
pub(crate) struct Account {
    /// How its provider is asked; none where it is not.
    pub(crate) api: Option<Api>,
    /// What becomes of messages of which nothing is heard.
    pub(crate) silence: Silence,
    pub(crate) updated_at: Timestamp,
    pub(crate) names: Option<Names>,
}

/// Whose answers they are.
#[derive(Clone)]
pub(crate) struct Names {
    pub(crate) tenant_id: TenantId,
    pub(crate) account_id: AccountId,
    pub(crate) slug: Slug,
    pub(crate) provider: String,
    pub(crate) environment: Environment,
}

/// How a provider is asked.
pub(crate) struct Api {
    pub(crate) status: Option<&'static dyn StatusApi>,
    pub(crate) inbox: Option<&'static dyn InboxApi>,
    pub(crate) access: Access,
    pub(crate) per_second: u32,
}

/// Why an account's provider cannot be asked. It is our own fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("the provider {0} of this account is not known to this release")]
    Provider(String),
    #[error("the status API of this account cannot be opened: {0}")]
    Access(String),
}

impl Account {
    /// One that was deleted.
    pub(crate) fn gone() -> Self {
        Self {
            api: None,
            silence: Silence::default(),
            updated_at: Timestamp::from_millis(0),
            names: None,
        }
    }

    /// Opens an account as the store keeps it.
    pub(crate) fn open(account: store::account::Account, vault: &Vault) -> Result<Self, Unusable> {
        Ok(Self {
            api: Api::open(&account, vault)?,
            silence: account.silence,
            updated_at: account.updated_at,
            names: Some(Names {
                tenant_id: account.tenant_id,
                account_id: account.id,
                slug: account.slug,
                provider: account.provider,
                environment: account.environment,
            }),
        })
    }

    /// Whose answers about this message are.
    pub(crate) fn names_of(&self, account_id: AccountId, message: &DueMessage) -> Names {
        self.names.clone().unwrap_or_else(|| Names {
            tenant_id: message.tenant_id,
            account_id,
            slug: message.provider_account.clone(),
            provider: message.provider.clone(),
            environment: message.environment.clone(),
        })
    }

    /// How a message can be asked about; none where it cannot. One whose number was erased is not: the answer
    /// would bring the number back.
    pub(crate) fn asks(&self, message: &DueMessage) -> Option<Asked> {
        if message.to == BLANK {
            return None;
        }
        let status = self.api.as_ref()?.status?;
        let asked = asked(message);
        status.can_ask(&asked).then_some(asked)
    }
}

impl Api {
    fn open(account: &store::account::Account, vault: &Vault) -> Result<Option<Self>, Unusable> {
        let Some(sealed) = &account.status_api else {
            return Ok(None);
        };
        let provider = providers::registry::find(&account.provider)
            .ok_or_else(|| Unusable::Provider(account.provider.clone()))?;
        let bound_to = domain::secret::account_status_api(account.tenant_id, account.id);
        let json = vault
            .open(&bound_to, sealed)
            .map_err(|error| Unusable::Access(error.to_string()))?;
        let damaged = |what: &str| Unusable::Access(what.to_owned());
        let kept = StatusAccess::from_json(&json).ok_or_else(|| damaged("it is damaged"))?;
        let access = kept
            .access(provider)
            .ok_or_else(|| damaged("it does not say where the API is"))?;
        Ok(Some(Self {
            status: provider.status_api(),
            inbox: provider.inbox_api(),
            access,
            per_second: kept.per_second,
        }))
    }
}

fn asked(message: &DueMessage) -> Asked {
    Asked {
        provider_message_id: message.provider_message_id.clone(),
        client_reference: message.client_reference.clone(),
        to: message.to.clone(),
        from: message.from.clone(),
        since: message.due.from,
    }
}
