//! A provider account, opened: who is believed, and what becomes of what they say.

use crate::request::Request;
use domain::account::{Environment, Slug};
use domain::callback::{self, Statement};
use domain::id::{AccountId, ReceiptId, TenantId};
use domain::report::Source;
use domain::security::Reason;
use providers::{Answer, Provider};
use signing::Vault;
use signing::checks::{Checks, Presented, Refusal};
use wire::CallbackJob;

/// Headers whose values are secrets whatever the account's checks are.
const SECRET_HEADERS: [&str; 4] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
];
const HIDDEN: &str = "[hidden]";

/// An account whose callbacks can be checked.
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Its name in callback URLs.
    pub slug: Slug,
    /// Where its messages belong.
    pub environment: Environment,
    /// Who calls.
    pub provider: &'static dyn Provider,
    /// What callbacks must show.
    pub checks: Checks,
}

/// Why the callbacks of an account cannot be checked. It is our own fault, never the caller's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It was made by a release that knows its provider.
    #[error("the provider {0} of this account is not known to this release")]
    Provider(String),
    /// Its checks are damaged, or sealed with another key.
    #[error("the checks of this account cannot be opened: {0}")]
    Checks(String),
}

impl Account {
    /// Opens an account as the store keeps it.
    pub fn open(account: store::account::Account, vault: &Vault) -> Result<Self, Unusable> {
        let provider = providers::registry::find(&account.provider)
            .ok_or_else(|| Unusable::Provider(account.provider.clone()))?;
        let context = domain::secret::account_checks(account.tenant_id, account.id);
        let opened = vault
            .open(&context, &account.checks)
            .map_err(|error| Unusable::Checks(error.to_string()))?;
        let checks =
            Checks::from_json(&opened).map_err(|error| Unusable::Checks(error.to_string()))?;
        Ok(Self {
            id: account.id,
            tenant_id: account.tenant_id,
            slug: account.slug,
            environment: account.environment,
            provider,
            checks,
        })
    }

    /// Whether the request shows that it comes from the provider. `public_url` is what providers see
    /// before its target.
    pub fn verify(&self, request: &Request<'_>, public_url: &str) -> Result<(), Reason> {
        let presented = Presented {
            headers: request.headers,
            token: request.token,
            body: request.said(self),
            public_url,
            target: request.target,
            parameters: request.parameters(self),
            source: request.source,
            now_ms: request.received_at.as_millis(),
        };
        self.checks.verify(&presented).map_err(reason)?;
        if !self.provider.kinds().contains(&request.kind) {
            return Err(Reason::UnknownAccount);
        }
        Ok(())
    }

    /// The job that records and applies what was said, and what the provider is told.
    pub fn job(
        &self,
        request: &Request<'_>,
        receipt_id: ReceiptId,
        statements: Vec<Statement>,
    ) -> (CallbackJob, Answer) {
        let callback_id = callback::id(self.id, request.kind, &statements);
        let answer = self.provider.answer(request.kind);
        let job = CallbackJob {
            receipt_id,
            callback_id,
            tenant_id: self.tenant_id,
            account_id: self.id,
            provider_account: self.slug.clone(),
            provider: self.provider.name().to_owned(),
            environment: self.environment.clone(),
            kind: request.kind,
            source: Source::Callback,
            received_at: request.received_at,
            source_ip: request.source,
            signature_checked: self.checks.is_signed(),
            answer: answer.body(callback_id),
            headers: self.shown_headers(request.headers),
            body: request.said(self).to_vec(),
            statements,
        };
        (job, answer)
    }

    /// The headers as people see them: secrets are hidden. A proxy may repeat the path, and with it
    /// the token.
    pub fn shown_headers(&self, headers: &[(&str, &[u8])]) -> Vec<(String, String)> {
        let token = self.checks.token();
        let is_secret = |name: &str| {
            SECRET_HEADERS.contains(&name)
                || self.checks.secret_headers().any(|secret| secret == name)
        };
        headers
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value);
                let holds_token = token.is_some_and(|token| value.contains(token));
                let kept = if is_secret(name) || holds_token {
                    HIDDEN.to_owned()
                } else {
                    value.into_owned()
                };
                ((*name).to_owned(), kept)
            })
            .collect()
    }
}

const fn reason(refusal: Refusal) -> Reason {
    match refusal {
        Refusal::UnauthorizedIp => Reason::UnauthorizedIp,
        Refusal::InvalidSignature => Reason::InvalidSignature,
        Refusal::InvalidApiKey => Reason::InvalidApiKey,
        Refusal::InvalidToken => Reason::InvalidToken,
        Refusal::StaleTimestamp => Reason::StaleTimestamp,
    }
}
