//! Who asks: a tenant by its key, or the operator.

use crate::{Context, Desk, failure};
use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::{FromRequest, HttpRequest, web};
use config::Secret;
use domain::Timestamp;
use domain::id::TenantId;
use runtime::http::{Code, Problem};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long the answer about a key is remembered: a revoked one works no longer than this.
const REMEMBERED: Duration = Duration::from_secs(2);
const MOST_REMEMBERED: usize = 10_000;
/// No key of ours is longer.
const MAX_KEY_BYTES: usize = 512;

/// A tenant that asks, or the operator, who acts for the platform tenant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    pub tenant: TenantId,
    pub is_operator: bool,
}

/// The operator alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operator;

/// The keys that open the API.
pub(crate) struct Keys {
    admin: Option<Secret>,
    remembered: Mutex<Remembered>,
}

/// Whose a key is, by its hash, and until when that is remembered.
type Remembered = HashMap<[u8; 32], (Option<TenantId>, Timestamp)>;

impl Keys {
    pub(crate) fn new(admin: Option<Secret>) -> Self {
        if admin.is_none() {
            tracing::warn!(
                "subscriptions.admin_key is not set: no tenants can be made over the API"
            );
        }
        Self {
            admin,
            remembered: Mutex::default(),
        }
    }

    fn is_admin(&self, key: &str) -> bool {
        self.admin
            .as_ref()
            .is_some_and(|admin| signing::equal(admin.reveal().as_bytes(), key.as_bytes()))
    }

    async fn tenant_of(&self, key: &str, context: &Context) -> Result<Option<TenantId>, Problem> {
        let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let now = context.clock.now();
        let known = self.lock().get(&hash).copied();
        if let Some((tenant, until)) = known
            && until > now
        {
            return Ok(tenant);
        }
        let tenant = context
            .store
            .find_tenant_of_key(hash)
            .await
            .map_err(failure::of_store)?;
        let mut remembered = self.lock();
        if remembered.len() >= MOST_REMEMBERED {
            remembered.retain(|_, (_, until)| *until > now);
        }
        if remembered.len() < MOST_REMEMBERED {
            remembered.insert(hash, (tenant, now.plus(REMEMBERED)));
        }
        Ok(tenant)
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let key = bearer(request.headers()).map(str::to_owned);
        let desk = request.app_data::<web::Data<Desk>>().cloned();
        Box::pin(async move {
            let (Some(key), Some(desk)) = (key, desk) else {
                return Err(unauthorized());
            };
            if !desk.context.admission.is_open() {
                return Err(failure::away());
            }
            if desk.keys.is_admin(&key) {
                return Ok(Self {
                    tenant: TenantId::PLATFORM,
                    is_operator: true,
                });
            }
            let tenant = desk.keys.tenant_of(&key, &desk.context).await?;
            let tenant = tenant.ok_or_else(unauthorized)?;
            Ok(Self {
                tenant,
                is_operator: false,
            })
        })
    }
}

impl FromRequest for Operator {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Caller::from_request(request, payload);
        Box::pin(async move {
            if caller.await?.is_operator {
                return Ok(Self);
            }
            Err(Problem::new(
                Code::Forbidden,
                "only the operator's admin key may do this",
            ))
        })
    }
}

/// The key of `Authorization: Bearer …`, when the header came once.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION);
    let value = values.next()?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    let key = key.trim();
    let fits = scheme.eq_ignore_ascii_case("bearer") && (1..=MAX_KEY_BYTES).contains(&key.len());
    (fits && values.next().is_none()).then_some(key)
}

fn unauthorized() -> Problem {
    Problem::new(
        Code::Unauthorized,
        "send a valid key: Authorization: Bearer tk_live_…",
    )
    .challenge("Bearer")
}
