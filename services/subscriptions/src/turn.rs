//! How much one tenant may ask of the API, so that nobody's flood slows others. Each process counts by itself.

use crate::access::scope::{self, Rule};
use crate::caller::Caller;
use crate::{Desk, failure};
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, ResponseError, web};
use domain::Timestamp;
use domain::id::TenantId;
use domain::limit::{Admission, Rate};
use runtime::http::{Code, Problem};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const MINUTE: Duration = Duration::from_mins(1);
/// How many requests of one tenant read at once: half of the connections that read.
const READS_AT_ONCE: usize = 2;
/// How long a read waits for those of its own tenant.
const PATIENCE: Duration = Duration::from_secs(5);
/// With so many tenants, those that have nothing to be remembered of are forgotten.
const MANY: usize = 1_000;
/// When somebody else may have ended, in seconds.
const SOON: u64 = 1;
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// What a tenant's own work goes through, as much as the rest of the system takes.
const UNLIMITED: [(&str, &str); 5] = [
    ("POST", "/v1/events"),
    ("POST", "/v1/events/batch"),
    ("POST", "/v1/messages"),
    ("POST", "/v1/messages/{id}/attempts"),
    ("POST", "/v1/messages/{id}/state"),
];

/// What tenants have under way, and have asked for.
pub(crate) struct Turns {
    per_minute: Option<u32>,
    at_once: usize,
    shares: Mutex<Shares>,
}

struct Shares {
    of: HashMap<TenantId, Share>,
    /// With how many they are looked through for those that have nothing to be remembered of.
    many: usize,
}

struct Share {
    under_way: usize,
    /// What the rate says to remember.
    remembered: Option<Timestamp>,
    reads: Arc<Semaphore>,
}

/// What is left to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Left {
    quota: u32,
    remaining: u32,
    /// Seconds until all of it is there again.
    whole_in: u64,
}

/// A place among a tenant's requests, for as long as it lives.
struct Turn {
    turns: Arc<Turns>,
    tenant: TenantId,
    reads: Arc<Semaphore>,
}

impl Turns {
    pub(crate) fn new(limit: config::ApiRateLimit) -> Self {
        Self {
            per_minute: limit.per_minute,
            at_once: limit.at_once,
            shares: Mutex::new(Shares {
                of: HashMap::new(),
                many: MANY,
            }),
        }
    }

    /// Takes a place, or says why there is none now; and what is left either way.
    fn enter(
        self: &Arc<Self>,
        tenant: TenantId,
        now: Timestamp,
    ) -> (Result<Turn, Problem>, Option<Left>) {
        let mut shares = self.lock();
        if shares.of.len() >= shares.many {
            shares.of.retain(|_, share| !share.is_idle(now));
            // Not for each request, where more than these have something to be remembered of.
            shares.many = MANY.max(shares.of.len() * 2);
        }
        let share = shares.of.entry(tenant).or_insert_with(Share::new);
        let rate = self
            .per_minute
            .map(|quota| (quota, Rate::new(quota, MINUTE)));
        let left = |share: &Share| rate.map(|(quota, rate)| Left::of(quota, rate, share, now));
        if share.under_way >= self.at_once {
            let detail = format!("at most {} requests of a tenant at a time", self.at_once);
            let refused = Problem::new(Code::RateLimited, detail).retry_after(SOON);
            return (Err(refused), left(share));
        }
        if let Some((quota, rate)) = rate {
            match rate.admit(share.remembered, now) {
                Admission::Allowed(next) => share.remembered = Some(next),
                Admission::Refused(wait) => {
                    let detail = format!("at most {quota} requests of a tenant in a minute");
                    let refused = Problem::new(Code::RateLimited, detail).retry_after(whole(wait));
                    return (Err(refused), left(share));
                }
            }
        }
        share.under_way += 1;
        let turn = Turn {
            turns: self.clone(),
            tenant,
            reads: share.reads.clone(),
        };
        (Ok(turn), left(share))
    }

    fn lock(&self) -> MutexGuard<'_, Shares> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    fn new() -> Self {
        Self {
            under_way: 0,
            remembered: None,
            reads: Arc::new(Semaphore::new(READS_AT_ONCE)),
        }
    }

    fn is_idle(&self, now: Timestamp) -> bool {
        let is_forgotten = |at| Rate::is_idle(at, now);
        self.under_way == 0 && self.remembered.is_none_or(is_forgotten)
    }
}

impl Left {
    fn of(quota: u32, rate: Rate, share: &Share, now: Timestamp) -> Self {
        let ahead = share.remembered.map_or(Duration::ZERO, |at| at.since(now));
        Self {
            quota,
            remaining: rate.remaining(share.remembered, now),
            whole_in: whole(ahead),
        }
    }

    /// As draft-ietf-httpapi-ratelimit-headers-10 has it.
    fn write(self, headers: &mut HeaderMap) {
        let Self {
            quota,
            remaining,
            whole_in,
        } = self;
        let policy = format!("\"tenant\";q={quota};w={}", MINUTE.as_secs());
        let left = format!("\"tenant\";r={remaining};t={whole_in}");
        for (name, text) in [(POLICY, policy), (LEFT, left)] {
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(name, value);
            }
        }
    }
}

impl Turn {
    /// Waits for the reads of the same tenant.
    async fn read(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let permit = tokio::time::timeout(PATIENCE, self.reads.clone().acquire_owned()).await;
        let busy = || {
            let detail = "the reads of this tenant before this one take too long";
            Problem::new(Code::RateLimited, detail).retry_after(SOON)
        };
        permit.map_err(|_| busy())?.map_err(|_| failure::broken())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(share) = self.turns.lock().of.get_mut(&self.tenant) {
            share.under_way = share.under_way.saturating_sub(1);
        }
    }
}

/// Whole seconds, rounded up.
fn whole(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX)
}

/// Whether what a tenant asks of this is limited.
pub(crate) fn is_limited(method: &Method, pattern: &str) -> bool {
    let is_tenants = matches!(
        scope::rule(method, pattern),
        Some(Rule::Needs(_) | Rule::Anyone)
    );
    is_tenants && !UNLIMITED.contains(&(method.as_str(), pattern))
}

/// Has a request wait its tenant's turn. The operator's go by, and so does what has no key.
pub(crate) async fn in_turn(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let desk = request.app_data::<web::Data<Desk>>().cloned();
    let pattern = request.match_pattern().unwrap_or_default();
    let is_asked = scope::rule(request.method(), &pattern) != Some(Rule::Itself);
    let (Some(desk), true) = (desk, is_asked) else {
        return next.call(request).await;
    };
    let caller = desk.away.unless(request.extract::<Caller>()).await??;
    request.extensions_mut().insert(caller);
    if caller.is_operator || !is_limited(request.method(), &pattern) {
        return next.call(request).await;
    }
    let (turn, left) = desk.turns.enter(caller.tenant, desk.context.clock.now());
    let mut answered = match turn {
        Ok(turn) => take(turn, request, next).await?,
        Err(refused) => request.into_response(refused.error_response()),
    };
    if let Some(left) = left {
        left.write(answered.headers_mut());
    }
    Ok(answered)
}

async fn take(
    turn: Turn,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let reads = request.method() == Method::GET && !waits(request.query_string());
    let _permit = if reads {
        Some(turn.read().await?)
    } else {
        None
    };
    // It goes with the request, which may be worked on when its caller has left, and ends before the answer is sent.
    request.extensions_mut().insert(turn);
    let answered = next.call(request).await?;
    answered.request().extensions_mut().remove::<Turn>();
    Ok(answered)
}

/// Whether a read waits for something to happen, which takes its time and no connection.
fn waits(query: &str) -> bool {
    query.split('&').any(|pair| pair.starts_with("wait="))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Random;

    fn turns(per_minute: Option<u32>, at_once: usize) -> Arc<Turns> {
        Arc::new(Turns::new(config::ApiRateLimit {
            per_minute,
            at_once,
        }))
    }

    #[test]
    fn a_tenant_has_so_many_at_a_time_and_costs_others_nothing() {
        let (turns, random) = (turns(None, 2), Random::seeded(1));
        let now = Timestamp::from_millis(0);
        let tenant = || TenantId::new(now, &random);
        let (one, other) = (tenant(), tenant());
        let held = [
            turns.enter(one, now).0.unwrap(),
            turns.enter(one, now).0.unwrap(),
        ];
        let refused = turns.enter(one, now).0.err().unwrap();
        assert_eq!(refused.code(), Code::RateLimited);
        assert!(turns.enter(other, now).0.is_ok());
        drop(held);
        assert!(turns.enter(one, now).0.is_ok());
    }

    #[test]
    fn what_is_left_is_told_and_comes_back() {
        let (turns, random) = (turns(Some(3), 9), Random::seeded(2));
        let at = Timestamp::from_millis;
        let tenant = TenantId::new(at(0), &random);
        let left = |millis| turns.enter(tenant, at(millis)).1.unwrap();
        assert_eq!((left(0).remaining, left(0).remaining), (2, 1));
        let last = left(0);
        assert_eq!((last.remaining, last.whole_in), (0, 60));
        assert!(turns.enter(tenant, at(0)).0.is_err());
        assert!(turns.enter(tenant, at(20_000)).0.is_ok());
        assert_eq!(left(120_000).remaining, 2);
    }

    #[test]
    fn tenants_that_ask_for_nothing_are_forgotten() {
        let (turns, random) = (turns(Some(60), 9), Random::seeded(3));
        for _ in 0..4 * MANY {
            let tenant = TenantId::new(Timestamp::from_millis(0), &random);
            drop(turns.enter(tenant, Timestamp::from_millis(0)));
        }
        let tenant = TenantId::new(Timestamp::from_millis(0), &random);
        drop(turns.enter(tenant, Timestamp::from_millis(600_000)));
        assert_eq!(turns.lock().of.len(), 1);
    }
}
