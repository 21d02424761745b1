//! Who asks: a tenant by its key or a token, or the operator.

use crate::access::Shown;
use crate::access::scope::{self, Rule};
use crate::{Desk, failure};
use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use domain::access::Scopes;
use domain::audit::Actor;
use domain::id::{KeyId, TenantId};
use runtime::http::{Code, Problem, RequestId};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use store::bearer::Bearer;
use store::tenant::State;

/// No key of ours is longer.
pub(crate) const MAX_KEY_BYTES: usize = 512;

/// A tenant that asks, or the operator, who acts for the platform tenant. Whoever has one may use the route
/// that was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    pub tenant: TenantId,
    pub is_operator: bool,
    /// The key that was shown, or with which the token was made.
    pub key_id: Option<KeyId>,
    /// What may be done.
    pub scopes: Scopes,
    /// Whether the events that it publishes are counted.
    pub counts_events: bool,
    /// Who that is, for the audit log.
    pub actor: Actor,
    /// How the request came.
    pub door: Door,
}

/// How a request came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Door {
    /// Who sent it, as far as proxies of the operator's own say so.
    pub source_ip: IpAddr,
    /// Its `x-request-id`.
    pub request_id: ShortText,
}

/// A text of at most 128 bytes, which is copied.
#[derive(Clone, Copy)]
pub(crate) struct ShortText {
    bytes: [u8; 128],
    length: usize,
}

impl ShortText {
    fn of(text: &str) -> Self {
        let text = domain::text::cut(text, 128);
        let mut bytes = [0; 128];
        for (place, byte) in bytes.iter_mut().zip(text.bytes()) {
            *place = byte;
        }
        Self {
            bytes,
            length: text.len(),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        let text = self.bytes.get(..self.length).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }
}

impl std::fmt::Debug for ShortText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Door {
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let extensions = request.extensions();
        let id = extensions.get::<RequestId>().map_or("-", RequestId::as_str);
        Self {
            source_ip: client(request),
            request_id: ShortText::of(id),
        }
    }
}

/// The operator alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operator(pub Caller);

impl Caller {
    fn of(shown: Shown, door: Door) -> Self {
        match shown {
            Shown::Admin => Self {
                tenant: TenantId::PLATFORM,
                is_operator: true,
                key_id: None,
                scopes: domain::access::Role::Owner.scopes(),
                // It decides what the plans are.
                counts_events: false,
                actor: Actor::Operator,
                door,
            },
            Shown::Of(Bearer {
                tenant_id,
                key_id,
                member_id,
                scopes,
                counts_events,
                ..
            }) => Self {
                tenant: tenant_id,
                is_operator: false,
                key_id,
                scopes,
                counts_events,
                actor: match (member_id, key_id) {
                    (Some(member), _) => Actor::Member(member),
                    (None, Some(key)) => Actor::Key(key),
                    // Nobody is let in without either.
                    (None, None) => Actor::Operator,
                },
                door,
            },
        }
    }

    /// Whether the caller may use a route with this rule; none is the rule of a route that was forgotten.
    fn check(&self, rule: Option<Rule>) -> Result<(), Problem> {
        let forbid = |detail: String| Err(Problem::new(Code::Forbidden, detail));
        match rule {
            Some(Rule::Anyone) => Ok(()),
            Some(Rule::Needs(scope)) if self.scopes.has(scope) => Ok(()),
            Some(Rule::Needs(scope)) => {
                forbid(format!("the key lacks the scope {}", scope.as_str()))
            }
            Some(Rule::Operator) if self.is_operator => Ok(()),
            Some(Rule::Operator) => forbid("only the operator's admin key may do this".to_owned()),
            Some(Rule::Itself) | None => {
                forbid("nobody may use this route: no scope opens it".to_owned())
            }
        }
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // Whoever was in front of the handler has asked already.
        let known = request.extensions().get::<Self>().copied();
        let key = bearer(request.headers()).map(str::to_owned);
        let desk = request.app_data::<web::Data<Desk>>().cloned();
        let pattern = request.match_pattern();
        let rule = pattern.and_then(|pattern| scope::rule(request.method(), &pattern));
        let (source, door) = (source(request), Door::of(request));
        Box::pin(async move {
            if let Some(known) = known {
                return Ok(known);
            }
            let (Some(key), Some(desk)) = (key, desk) else {
                return Err(unauthorized());
            };
            if !desk.context.admission.is_open() {
                return Err(failure::away());
            }
            let shown = desk.keys.who(&key, source, &desk.context).await?;
            let shown = shown.ok_or_else(unauthorized)?;
            refuse_suspended(shown, rule)?;
            let caller = Self::of(shown, door);
            caller.check(rule)?;
            Ok(caller)
        })
    }
}

impl FromRequest for Operator {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Caller::from_request(request, payload);
        Box::pin(async move {
            let caller = caller.await?;
            caller.check(Some(Rule::Operator))?;
            Ok(Self(caller))
        })
    }
}

/// A suspended tenant sees that it is, and nothing else.
fn refuse_suspended(shown: Shown, rule: Option<Rule>) -> Result<(), Problem> {
    match shown {
        Shown::Of(bearer) if bearer.state == State::Suspended && rule != Some(Rule::Anyone) => {
            Err(suspended())
        }
        Shown::Of(_) | Shown::Admin => Ok(()),
    }
}

/// 403 for whoever's tenant is suspended.
pub(crate) fn suspended() -> Problem {
    Problem::new(
        Code::Forbidden,
        "the tenant is suspended: its keys open nothing until the operator resumes it",
    )
}

/// From where failures are counted: who sent it, as [`runtime::http::source`] sees them.
pub(crate) fn source(request: &HttpRequest) -> IpAddr {
    runtime::http::source(client(request))
}

fn client(request: &HttpRequest) -> IpAddr {
    let desk = request.app_data::<web::Data<Desk>>();
    let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    desk.map_or(nobody, |desk| desk.proxies.client(request))
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

/// 401: nobody is known by what was shown.
pub(crate) fn unauthorized() -> Problem {
    Problem::new(
        Code::Unauthorized,
        "send a valid key: Authorization: Bearer tk_live_…",
    )
    .challenge("Bearer")
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::access::{Role, Scope};

    fn caller(is_operator: bool, role: Role) -> Caller {
        Caller {
            tenant: TenantId::PLATFORM,
            is_operator,
            key_id: None,
            scopes: role.scopes(),
            counts_events: false,
            actor: Actor::Operator,
            door: Door {
                source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
                request_id: ShortText::of("req-1"),
            },
        }
    }

    #[test]
    fn a_route_without_a_rule_is_closed_to_everybody() {
        for rule in [None, Some(Rule::Itself)] {
            for is_operator in [true, false] {
                let refused = caller(is_operator, Role::Owner).check(rule);
                assert_eq!(refused.unwrap_err().code(), Code::Forbidden);
            }
        }
    }

    #[test]
    fn who_lacks_a_scope_is_told_which() {
        let needs = Some(Rule::Needs(Scope::WebhooksWrite));
        assert!(caller(false, Role::Developer).check(needs).is_ok());
        let refused = caller(false, Role::Viewer).check(needs).unwrap_err();
        assert_eq!(refused.detail(), "the key lacks the scope webhooks:write");
        assert!(
            caller(false, Role::Owner)
                .check(Some(Rule::Operator))
                .is_err()
        );
        assert!(
            caller(true, Role::Owner)
                .check(Some(Rule::Operator))
                .is_ok()
        );
    }
}
