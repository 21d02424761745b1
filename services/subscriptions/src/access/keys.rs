//! The secrets that open the API: the admin key, tenants' keys, and tokens.

use super::usage::Usage;
use super::{KEY, TOKEN, hash};
use crate::{Context, failure, house};
use config::Secret;
use domain::id::KeyId;
use domain::{Failures, Remembered, Timestamp};
use runtime::http::{Code, Problem};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::bearer::Bearer;

/// How long the answer about a secret is remembered: one that ended works no longer than this.
const REMEMBERED: Duration = Duration::from_secs(2);
const MOST_REMEMBERED: usize = 10_000;
/// How often the uses of keys are written.
const WRITE_EVERY: Duration = Duration::from_secs(5);

/// What opens the API.
pub(crate) struct Keys {
    admin: Option<Secret>,
    remembered: Mutex<Bearers>,
    failures: Failures<IpAddr, [u8; 32]>,
    usage: Usage,
}

/// Who shows a secret, by its hash; none where it opens nothing.
type Bearers = Remembered<[u8; 32], Option<Bearer>>;

/// Who shows a secret.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shown {
    /// The operator.
    Admin,
    /// A tenant.
    Of(Bearer),
}

impl Keys {
    pub(crate) fn new(admin: Option<Secret>, failures_per_minute: u32) -> Self {
        if admin.is_none() {
            tracing::warn!(
                "subscriptions.admin_key is not set: no tenants can be made over the API"
            );
        }
        Self {
            admin,
            remembered: Mutex::new(Remembered::new(MOST_REMEMBERED)),
            failures: Failures::new(failures_per_minute),
            usage: Usage::default(),
        }
    }

    /// Who shows this secret; none where it opens nothing, which is charged to the source. A source that
    /// failed too often is told to wait.
    pub(crate) async fn who(
        &self,
        secret: &str,
        source: IpAddr,
        context: &Context,
    ) -> Result<Option<Shown>, Problem> {
        let hash = hash(secret);
        let now = context.clock.now();
        self.refuse(source, &hash, now)?;
        let shown = if self.is_admin(secret) {
            Some(Shown::Admin)
        } else {
            self.bearer(secret, hash, context).await?.map(Shown::Of)
        };
        match shown {
            None => self.failures.charge(source, now),
            Some(_) => self.failures.know(hash, now),
        }
        // A member who is logged in does not use the key that the link was made with.
        if let Some(Shown::Of(Bearer {
            key_id: Some(key),
            member_id: None,
            ..
        })) = shown
        {
            self.usage.note(key, now);
        }
        Ok(shown)
    }

    /// Notes that a key was used otherwise than over HTTP.
    pub(crate) fn note(&self, key: KeyId, now: Timestamp) {
        self.usage.note(key, now);
    }

    /// 429 for a source that failed too often, unless what it shows opened something lately.
    pub(crate) fn refuse(
        &self,
        source: IpAddr,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<(), Problem> {
        let Some(wait) = self.failures.refuse(&source, || *hash, now) else {
            return Ok(());
        };
        let detail = "too many requests with a wrong key came from this address";
        Err(Problem::new(Code::RateLimited, detail).retry_after(wait.as_secs().max(1)))
    }

    /// Charges a secret that opened nothing to its source.
    pub(crate) fn charge(&self, source: IpAddr, now: Timestamp) {
        self.failures.charge(source, now);
    }

    /// Forgets what is remembered: something ended here, and is not to work for another moment.
    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    fn is_admin(&self, key: &str) -> bool {
        self.admin
            .as_ref()
            .is_some_and(|admin| signing::equal(admin.reveal().as_bytes(), key.as_bytes()))
    }

    async fn bearer(
        &self,
        secret: &str,
        hash: [u8; 32],
        context: &Context,
    ) -> Result<Option<Bearer>, Problem> {
        let now = context.clock.now();
        let known = self.lock().get(&hash, now).copied();
        if let Some(bearer) = known {
            return Ok(bearer.filter(|bearer| bearer.lasts(now)));
        }
        let store = &context.store;
        let found = if secret.starts_with(KEY) {
            store.find_bearer_of_key(hash).await
        } else if secret.starts_with(TOKEN) {
            store.find_bearer_of_token(hash).await
        } else {
            // It is none of ours: nobody has to be asked.
            return Ok(None);
        };
        let bearer = found.map_err(failure::of_store)?;
        let until = now.plus(REMEMBERED);
        self.lock().note(hash, bearer, until, now);
        Ok(bearer)
    }

    /// Writes the uses of keys that are due.
    async fn write_uses(&self, context: &Context) -> Result<(), store::Error> {
        loop {
            let due = self.usage.take(context.clock.now());
            if due.is_empty() {
                return Ok(());
            }
            context.store.note_key_uses(due).await?;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Bearers> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes when keys were used, for as long as the process serves.
pub(crate) fn keep_usage(keys: &Arc<Keys>, context: &Context) {
    let ours = (keys.clone(), context.clone());
    context.tasks.supervise("subscriptions.usage", move || {
        let (keys, context) = ours.clone();
        async move {
            if !house::is_admitted(&context).await {
                return Ok(());
            }
            loop {
                keys.write_uses(&context).await?;
                tokio::select! {
                    () = tokio::time::sleep(WRITE_EVERY) => {}
                    () = context.shutdown.draining() => break,
                }
            }
            Ok(keys.write_uses(&context).await?)
        }
    });
}
