//! How a webhook's events are to be sent: as it is asked for, judged, sealed and shown.

mod asked;

pub(crate) use asked::AskedRateLimit;
pub(super) use asked::{Asked, AskedAuth, AskedRetry, AskedSigning};

use crate::Context;
use crate::input::{self, Faults};
use domain::id::{SubscriptionId, TenantId};
use domain::subscription::{
    EndpointAuth, MAX_TIMEOUT_SECONDS, Method, RateLimit, Retry, Scheme, Settings, Signing, header,
};
use runtime::http::{Code, Problem};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;
use std::ops::RangeInclusive;
use store::subscription::{EndpointSecret, Subscription};
use utoipa::ToSchema;

const MAX_HEADERS: usize = 32;
const MAX_HEADER_BYTES: usize = 8 * 1024;
const MAX_DELAYS: usize = 50;
const DELAY_SECONDS: RangeInclusive<i64> = 1..=86_400;
const RATE: RangeInclusive<i64> = 1..=1_000_000;
const IN_FLIGHT: RangeInclusive<i64> = 1..=256;
const PAYLOAD_BYTES: RangeInclusive<i64> = 1_024..=1_048_576;
const MAX_PREFIX_CHARS: usize = 64;
/// The longest credential, in bytes.
const MAX_CREDENTIAL_BYTES: usize = 4 * 1024;

/// The headers of a subscription, by name.
type Headers = BTreeMap<String, String>;

/// What was asked for, judged.
pub(super) struct Judged {
    settings: Settings,
    headers: Headers,
    credential: Credential,
}

/// What a subscription proves itself to its endpoint with.
enum Credential {
    Nothing,
    This(String),
    /// The one it has.
    Kept,
}

/// What is kept of it.
pub(super) struct Kept {
    pub settings: Settings,
    pub headers: Option<Vec<u8>>,
    pub endpoint_secret: EndpointSecret,
}

/// As it is shown: with its headers, without its credential.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookSettings)]
pub(super) struct SettingsView {
    /// The method of its requests.
    method: Method,
    /// Headers of its owner's.
    #[schema(value_type = BTreeMap<String, String>)]
    headers: Headers,
    /// When a delivery is tried again.
    retry: RetryView,
    /// How many attempts may begin in a while; null limits nothing.
    rate_limit: Option<RateLimit>,
    /// How many requests may be under way at once.
    max_in_flight: u16,
    /// How long one attempt may take.
    timeout_seconds: u32,
    /// The longest body; over it an event is sent without its data.
    max_payload_bytes: u32,
    /// How requests are signed.
    signing: Signing,
    /// How requests prove themselves besides the signature, without the credential.
    endpoint_auth: EndpointAuth,
    /// In which version it gets events of these types, whichever they are published in.
    versions: BTreeMap<String, u32>,
}

/// When a delivery is tried again.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Retry)]
enum RetryView {
    /// `quick` or `standard`.
    Preset(&'static str),
    /// After each of these waits, in seconds.
    Delays(Vec<u64>),
}

/// Judges what was asked for, of a new subscription, or of the one there is `already`.
pub(super) fn judge(
    context: &Context,
    asked: Asked,
    already: Option<&Subscription>,
    faults: &mut Faults,
) -> Judged {
    let mut settings = context.usual.settings();
    // One from before there was a choice keeps its schedule until another is named.
    if let Some(already) = already {
        let is_older = already.settings.retry.is_none();
        settings.retry = settings.retry.filter(|_| !is_older);
        let is_older = already.settings.timeout_seconds.is_none();
        settings.timeout_seconds = settings.timeout_seconds.filter(|_| !is_older);
    }
    if let Some(method) = asked.method {
        match Method::parse(&method) {
            Some(method) => settings.method = method,
            None => faults.add("/method", "write POST, PUT or PATCH"),
        }
    }
    if let Some(retry) = asked.retry {
        settings.retry = judge_retry(retry, faults).or(settings.retry);
    }
    settings.rate_limit = asked
        .rate_limit
        .and_then(|limit| judge_rate_limit(&limit, faults));
    let mut number = |asked: Option<i64>, pointer: &str, range, unit| {
        asked.and_then(|asked| within(asked, &range, pointer, unit, faults))
    };
    let timeouts = 1..=i64::from(MAX_TIMEOUT_SECONDS);
    let in_flight = number(asked.max_in_flight, "/max_in_flight", IN_FLIGHT, "requests");
    let timeout = number(
        asked.timeout_seconds,
        "/timeout_seconds",
        timeouts,
        "seconds",
    );
    let payload = number(
        asked.max_payload_bytes,
        "/max_payload_bytes",
        PAYLOAD_BYTES,
        "bytes",
    );
    settings.max_in_flight = in_flight
        .and_then(|number| u16::try_from(number).ok())
        .unwrap_or(settings.max_in_flight);
    settings.timeout_seconds = timeout.or(settings.timeout_seconds);
    settings.max_payload_bytes = payload.unwrap_or(settings.max_payload_bytes);
    if let Some(signing) = asked.signing {
        settings.signing = judge_signing(signing, faults);
    }
    let headers = asked.headers.unwrap_or_default();
    judge_headers(&headers, faults);
    let mut credential = Credential::Nothing;
    if let Some(auth) = asked.endpoint_auth {
        (settings.endpoint_auth, credential) = judge_auth(auth, already, faults);
    }
    refuse_twice(&settings, &headers, faults);
    Judged {
        settings,
        headers,
        credential,
    }
}

impl Judged {
    /// Says in which version events of some types are sent.
    pub(super) fn pin(&mut self, versions: BTreeMap<String, u32>) {
        self.settings.versions = versions;
    }

    /// Seals what is secret, for the subscription that it belongs to.
    pub(super) fn seal(self, context: &Context, tenant: TenantId, id: SubscriptionId) -> Kept {
        let seal = |bound_to: String, bytes: &[u8]| {
            let nonce = context.random.bytes();
            context.vault.seal(&bound_to, bytes, nonce)
        };
        let headers = (!self.headers.is_empty()).then(|| {
            // Names and values that are texts: this cannot fail to be written.
            let text = serde_json::to_vec(&self.headers).unwrap_or_default();
            seal(domain::secret::subscription_headers(tenant, id), &text)
        });
        let endpoint_secret = match self.credential {
            Credential::Nothing => EndpointSecret::Becomes(None),
            Credential::Kept => EndpointSecret::Stays,
            Credential::This(secret) => {
                let bound_to = domain::secret::endpoint_secret(tenant, id);
                EndpointSecret::Becomes(Some(seal(bound_to, secret.as_bytes())))
            }
        };
        Kept {
            settings: self.settings,
            headers,
            endpoint_secret,
        }
    }
}

/// Shows them. The headers are opened: they are their owner's.
pub(super) fn view(
    context: &Context,
    subscription: &Subscription,
) -> Result<SettingsView, Problem> {
    let settings = &subscription.settings;
    Ok(SettingsView {
        method: settings.method,
        headers: open_headers(context, subscription)?,
        retry: match context.usual.retry_of(settings) {
            Retry::Quick => RetryView::Preset("quick"),
            Retry::Standard => RetryView::Preset("standard"),
            Retry::Delays(delays) => RetryView::Delays(delays),
        },
        rate_limit: settings.rate_limit,
        max_in_flight: settings.max_in_flight,
        timeout_seconds: context.usual.timeout_seconds_of(settings),
        max_payload_bytes: settings.max_payload_bytes,
        signing: settings.signing.clone(),
        endpoint_auth: settings.endpoint_auth.clone(),
        versions: settings.versions.clone(),
    })
}

fn open_headers(context: &Context, subscription: &Subscription) -> Result<Headers, Problem> {
    let Some(sealed) = &subscription.headers else {
        return Ok(Headers::new());
    };
    let interest = &subscription.interest;
    let bound_to =
        domain::secret::subscription_headers(interest.tenant_id, interest.subscription_id);
    let opened = context
        .vault
        .open(&bound_to, sealed)
        .map_err(|error| unreadable(&error))?;
    serde_json::from_slice(&opened).map_err(|error| unreadable(&error))
}

fn unreadable(error: &dyn Display) -> Problem {
    tracing::error!(%error, "the headers of a webhook cannot be opened");
    Problem::new(
        Code::InternalError,
        "the headers of this webhook cannot be read",
    )
}

fn judge_retry(asked: AskedRetry, faults: &mut Faults) -> Option<Retry> {
    match (asked.preset, asked.delays) {
        (Some(preset), None) => match preset.as_str() {
            "quick" => Some(Retry::Quick),
            "standard" => Some(Retry::Standard),
            _ => {
                faults.add("/retry/preset", "write quick or standard");
                None
            }
        },
        (None, Some(delays)) => judge_delays(&delays, faults),
        (Some(_), Some(_)) | (None, None) => {
            faults.add("/retry", "write either a preset or delays");
            None
        }
    }
}

fn judge_delays(delays: &[i64], faults: &mut Faults) -> Option<Retry> {
    if !(1..=MAX_DELAYS).contains(&delays.len()) {
        faults.add("/retry/delays", format!("write 1 to {MAX_DELAYS} delays"));
        return None;
    }
    let judged = delays.iter().enumerate().map(|(index, delay)| {
        let pointer = format!("/retry/delays/{index}");
        within(*delay, &DELAY_SECONDS, &pointer, "seconds", faults).map(u64::from)
    });
    // All of them are judged, so that one answer tells all faults.
    let judged: Vec<Option<u64>> = judged.collect();
    judged.into_iter().collect::<Option<_>>().map(Retry::Delays)
}

/// A limit, of a webhook or of a plan.
pub(crate) fn judge_rate_limit(asked: &AskedRateLimit, faults: &mut Faults) -> Option<RateLimit> {
    if asked.per_minute.is_none() && asked.per_hour.is_none() {
        faults.add("/rate_limit", "write per_minute, per_hour or both, or null");
        return None;
    }
    let mut rate = |asked: Option<i64>, pointer| {
        asked.and_then(|asked| within(asked, &RATE, pointer, "attempts", faults))
    };
    Some(RateLimit {
        per_minute: rate(asked.per_minute, "/rate_limit/per_minute"),
        per_hour: rate(asked.per_hour, "/rate_limit/per_hour"),
    })
}

fn within(
    asked: i64,
    range: &RangeInclusive<i64>,
    pointer: &str,
    unit: &str,
    faults: &mut Faults,
) -> Option<u32> {
    let fitting = u32::try_from(asked).ok().filter(|_| range.contains(&asked));
    if fitting.is_none() {
        let (least, most) = (range.start(), range.end());
        faults.add(pointer, format!("write {least} to {most} {unit}"));
    }
    fitting
}

fn judge_signing(asked: AskedSigning, faults: &mut Faults) -> Signing {
    let mut signing = Signing::default();
    if let Some(names) = asked.schemes {
        signing.schemes = judge_schemes(&names, faults);
    }
    if let Some(prefix) = &asked.header_prefix {
        if !header::is_token(prefix) || prefix.len() > MAX_PREFIX_CHARS {
            let detail = format!(
                "write what the name of a header may begin with, at most {MAX_PREFIX_CHARS} characters"
            );
            faults.add("/signing/header_prefix", detail);
        } else if header::is_reserved(&format!("{prefix}-Signature")) {
            faults.add(
                "/signing/header_prefix",
                "headers that begin like this are reserved",
            );
        }
    }
    signing.header_prefix = asked.header_prefix;
    signing
}

fn judge_schemes(names: &[String], faults: &mut Faults) -> Vec<Scheme> {
    let mut schemes = Vec::new();
    for (index, name) in names.iter().enumerate().take(Scheme::ALL.len() + 1) {
        let pointer = format!("/signing/schemes/{index}");
        match Scheme::parse(name) {
            None => faults.add(
                pointer,
                "write v1, v1-sha512, sha256-timestamped or sha256-body",
            ),
            Some(scheme) if schemes.contains(&scheme) => faults.add(pointer, "name it once"),
            Some(scheme) => schemes.push(scheme),
        }
    }
    let has = |scheme| schemes.contains(&scheme);
    if names.is_empty() {
        faults.add("/signing/schemes", "name at least one scheme");
    }
    if has(Scheme::V1Sha512) && !has(Scheme::V1) {
        faults.add("/signing/schemes", "v1-sha512 stands beside v1");
    }
    if has(Scheme::Sha256Timestamped) && has(Scheme::Sha256Body) {
        let detail = "sha256-timestamped and sha256-body use the same header: name one of them";
        faults.add("/signing/schemes", detail);
    }
    schemes
}

fn judge_headers(headers: &Headers, faults: &mut Faults) {
    if headers.len() > MAX_HEADERS {
        faults.add("/headers", format!("write at most {MAX_HEADERS} headers"));
        return;
    }
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if bytes > MAX_HEADER_BYTES {
        let detail = format!("write at most {MAX_HEADER_BYTES} bytes of names and values");
        faults.add("/headers", detail);
        return;
    }
    let mut names = HashSet::new();
    for (name, value) in headers {
        let pointer = format!("/headers/{}", input::escaped(name));
        if !header::is_token(name) {
            faults.add(pointer, "this is no name of a header");
        } else if header::is_reserved(name) {
            faults.add(pointer, "this header is reserved");
        } else if !names.insert(name.to_ascii_lowercase()) {
            faults.add(pointer, "this header is there twice, in another case");
        } else if !header::is_value(value) {
            faults.add(
                pointer,
                "write visible ASCII characters, with spaces only between them",
            );
        }
    }
}

/// Judges how an endpoint is authenticated to. A credential that is left out is the one that is
/// there, where that is of the same type.
fn judge_auth(
    asked: AskedAuth,
    already: Option<&Subscription>,
    faults: &mut Faults,
) -> (EndpointAuth, Credential) {
    let AskedAuth {
        kind,
        header,
        value,
        token,
        username,
        password,
    } = asked;
    let given = [
        ("header", header.is_some(), "api_key"),
        ("value", value.is_some(), "api_key"),
        ("token", token.is_some(), "bearer"),
        ("username", username.is_some(), "basic"),
        ("password", password.is_some(), "basic"),
    ];
    for (name, is_given, of) in given {
        if is_given && of != kind {
            let pointer = format!("/endpoint_auth/{name}");
            faults.add(pointer, format!("this belongs to the type {of}"));
        }
    }
    let (auth, secret, pointer) = match kind.as_str() {
        "none" => return (EndpointAuth::None, Credential::Nothing),
        "api_key" => {
            let header = judge_key_header(header, faults);
            (EndpointAuth::ApiKey { header }, value, "value")
        }
        "bearer" => (EndpointAuth::Bearer, token, "token"),
        "basic" => {
            let username = judge_username(username, faults);
            (EndpointAuth::Basic { username }, password, "password")
        }
        _ => {
            faults.add(
                "/endpoint_auth/type",
                "write none, api_key, bearer or basic",
            );
            return (EndpointAuth::None, Credential::Nothing);
        }
    };
    let pointer = format!("/endpoint_auth/{pointer}");
    let credential = judge_credential(secret, &auth, already, &pointer, faults);
    (auth, credential)
}

fn judge_key_header(name: Option<String>, faults: &mut Faults) -> String {
    let name = name.unwrap_or_default();
    if !header::is_token(&name) || name.len() > MAX_PREFIX_CHARS {
        faults.add(
            "/endpoint_auth/header",
            format!("write the name of a header, at most {MAX_PREFIX_CHARS} characters"),
        );
    } else if header::is_reserved(&name) {
        faults.add("/endpoint_auth/header", "this header is reserved");
    }
    name
}

/// A colon would end it (RFC 7617 §2).
fn judge_username(username: Option<String>, faults: &mut Faults) -> String {
    let username = username.unwrap_or_default();
    let is_fitting = !username.contains(':') && !username.chars().any(char::is_control);
    if username.is_empty() || username.len() > input::MAX_TEXT_CHARS || !is_fitting {
        let most = input::MAX_TEXT_CHARS;
        let detail = format!("write 1 to {most} bytes without colons and control characters");
        faults.add("/endpoint_auth/username", detail);
    }
    username
}

fn judge_credential(
    secret: Option<String>,
    auth: &EndpointAuth,
    already: Option<&Subscription>,
    pointer: &str,
    faults: &mut Faults,
) -> Credential {
    let Some(secret) = secret else {
        let has_one = already.is_some_and(|already| {
            already.endpoint_secret.is_some()
                && already.settings.endpoint_auth.kind() == auth.kind()
        });
        if has_one {
            return Credential::Kept;
        }
        faults.add(pointer, "write it: there is none to keep");
        return Credential::Nothing;
    };
    let is_fitting = match auth {
        EndpointAuth::Basic { .. } => !secret.chars().any(char::is_control),
        EndpointAuth::Bearer => header::is_value(&secret) && !secret.contains([' ', '\t']),
        EndpointAuth::ApiKey { .. } | EndpointAuth::None => header::is_value(&secret),
    };
    if secret.is_empty() || secret.len() > MAX_CREDENTIAL_BYTES || !is_fitting {
        let detail = format!("write 1 to {MAX_CREDENTIAL_BYTES} visible characters");
        faults.add(pointer, detail);
    }
    Credential::This(secret)
}

/// Refuses a header that has two origins.
fn refuse_twice(settings: &Settings, headers: &Headers, faults: &mut Faults) {
    let signing = settings.signing.header_names();
    let is_signing = |name: &str| signing.iter().any(|it| it.eq_ignore_ascii_case(name));
    let auth = settings.endpoint_auth.header_name();
    for name in headers.keys() {
        let pointer = || format!("/headers/{}", input::escaped(name));
        if is_signing(name) {
            faults.add(pointer(), "the signature has this header");
        }
        if auth.is_some_and(|auth| auth.eq_ignore_ascii_case(name)) {
            faults.add(pointer(), "endpoint_auth has this header");
        }
    }
    if auth.is_some_and(is_signing) {
        faults.add("/endpoint_auth/header", "the signature has this header");
    }
}
