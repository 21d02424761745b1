//! Requests on condition (RFC 9110 §13): a read of what the caller has already costs no body, and a change of
//! what somebody else has changed is refused.
//!
//! The tag of an answer is a hash of it. Where people change the thing, its version stands before that, and
//! a change goes by the version alone: what is counted about a webhook does not stand in the way.

use crate::caller::Caller;
use crate::{Desk, failure};
use actix_web::body::{BoxBody, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ETAG, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use domain::id::TenantId;
use runtime::http::{Code, Problem};
use sha2::{Digest, Sha256};
use store::version::{Expected, Thing, Version};

/// How much of a hash is in a tag.
const HASH_BYTES: usize = 16;
/// More tags are not looked at.
const MOST_TAGS: usize = 16;

/// Reads what the last part of a path names.
type Parse = fn(&str) -> Option<Thing>;

/// What has versions: the pattern of its path, and the last part of that as what it names.
const THINGS: [(&str, Parse); 7] = [
    ("/v1/webhooks/{id}", |id| {
        Some(Thing::Subscription(id.parse().ok()?))
    }),
    ("/v1/provider-accounts/{id}", |id| {
        Some(Thing::Account(id.parse().ok()?))
    }),
    ("/v1/keys/{id}", |id| Some(Thing::Key(id.parse().ok()?))),
    ("/v1/members/{id}", |id| {
        Some(Thing::Member(id.parse().ok()?))
    }),
    ("/v1/event-types/{name}", |name| {
        Some(Thing::EventType(name.to_owned()))
    }),
    ("/v1/tenants/{id}", |id| {
        Some(Thing::Tenant(id.parse().ok()?))
    }),
    ("/v1/plans/{name}", |name| {
        Some(Thing::Plan(name.to_owned()))
    }),
];

/// Whether reads of this pattern are of one thing, and have a tag.
pub(crate) fn has_tag(method: &Method, pattern: &str) -> bool {
    method == Method::GET && pattern.ends_with('}')
}

/// Whether changes of this pattern may be made on condition.
pub(crate) fn has_version(method: &Method, pattern: &str) -> bool {
    is_change(method) && THINGS.iter().any(|(known, _)| *known == pattern)
}

fn is_change(method: &Method) -> bool {
    [Method::PUT, Method::PATCH, Method::DELETE].contains(method)
}

/// Answers reads with a tag, and lets changes by only on their conditions.
pub(crate) async fn on_condition(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let pattern = request.match_pattern().unwrap_or_default();
    if has_tag(request.method(), &pattern) {
        return read(request, next, &pattern).await;
    }
    if has_version(request.method(), &pattern) && request.headers().contains_key(IF_MATCH) {
        return change(request, next, &pattern).await;
    }
    next.call(request).await
}

async fn read(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
    pattern: &str,
) -> Result<ServiceResponse<BoxBody>, Error> {
    // Before the thing itself: a tag may be older than what it stands for, and never newer.
    let version = match thing(&request, pattern) {
        Some(thing) => version(&mut request, thing).await?,
        None => None,
    };
    let known = tags(request.headers(), &IF_NONE_MATCH);
    let (request, response) = next.call(request).await?.into_parts();
    if response.status() != StatusCode::OK {
        return Ok(ServiceResponse::new(request, response));
    }
    let (mut response, body) = response.into_parts();
    let body = to_bytes(body).await.map_err(|_| failure::broken())?;
    let tag = tag(version, &body);
    if let Ok(value) = HeaderValue::try_from(tag.as_str()) {
        response.headers_mut().insert(ETAG, value);
    }
    let is_known = known
        .iter()
        .any(|one| one == "*" || one.trim_start_matches("W/") == tag);
    let response = if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.set_body(BoxBody::new(()))
    } else {
        response.set_body(BoxBody::new(body))
    };
    Ok(ServiceResponse::new(request, response))
}

async fn change(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
    pattern: &str,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let known = tags(request.headers(), &IF_MATCH);
    // What is named by nothing is not there, and the handler says so.
    let Some(thing) = thing(&request, pattern) else {
        return next.call(request).await;
    };
    let is_any = known.iter().any(|tag| tag == "*");
    let versions = known.iter().filter_map(|tag| version_in(tag));
    let caller = request.extract::<Caller>().await?;
    let expected = Expected {
        tenant_id: owner(&request, caller),
        thing,
        versions: (!is_any).then(|| versions.collect()),
    };
    expected.during(next.call(request)).await
}

fn thing(request: &ServiceRequest, pattern: &str) -> Option<Thing> {
    let (_, parse) = THINGS.iter().find(|(known, _)| *known == pattern)?;
    let path = request.path();
    parse(path.rsplit('/').next()?)
}

/// Whose thing is asked for: the caller's own, or for the operator another's that is named.
fn owner(request: &ServiceRequest, caller: Caller) -> TenantId {
    let mut query = url::form_urlencoded::parse(request.query_string().as_bytes());
    let named = query.find(|(name, _)| name == "tenant");
    let named = named.and_then(|(_, value)| value.parse().ok());
    named
        .filter(|_| caller.is_operator)
        .unwrap_or(caller.tenant)
}

async fn version(request: &mut ServiceRequest, thing: Thing) -> Result<Option<Version>, Error> {
    let caller = request.extract::<Caller>().await?;
    let Some(desk) = request.app_data::<web::Data<Desk>>().cloned() else {
        return Ok(None);
    };
    let owner = owner(request, caller);
    let found = desk.context.store.version_of(owner, thing).await;
    Ok(found.map_err(failure::of_store)?)
}

fn tag(version: Option<Version>, body: &[u8]) -> String {
    let hash = Sha256::digest(body);
    let hash = hex::encode(hash.get(..HASH_BYTES).unwrap_or_default());
    match version {
        Some(Version(version)) => format!("\"{}-{hash}\"", hex::encode(version)),
        None => format!("\"{hash}\""),
    }
}

/// The version in a strong tag of ours.
fn version_in(tag: &str) -> Option<Version> {
    let (version, _) = tag.strip_prefix('"')?.strip_suffix('"')?.split_once('-')?;
    let bytes = hex::decode(version).ok()?;
    Some(Version(bytes.try_into().ok()?))
}

fn tags(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let values = headers
        .get_all(name)
        .filter_map(|value| value.to_str().ok());
    let tags = values.flat_map(|value| value.split(','));
    let tags = tags.map(|tag| tag.trim().to_owned());
    tags.take(MOST_TAGS).collect()
}

/// 412 for what somebody else has changed.
pub(crate) fn changed() -> Problem {
    Problem::new(
        Code::PreconditionFailed,
        "it was changed since: read it again, and decide again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_goes_by_the_version_in_a_strong_tag_alone() {
        let version = Version([7; 8]);
        let (one, other) = (tag(Some(version), b"1"), tag(Some(version), b"2"));
        assert_ne!(one, other);
        assert_eq!(version_in(&one), Some(version));
        assert_eq!(version_in(&other), Some(version));
        for bad in [
            "",
            "*",
            "\"",
            "\"x\"",
            "\"07-x\"",
            &format!("W/{one}"),
            &tag(None, b"1"),
        ] {
            assert_eq!(version_in(bad), None, "{bad}");
        }
    }
}
