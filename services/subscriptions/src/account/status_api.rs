//! How the provider of an account is asked, and what becomes of its messages of which nothing is heard: the
//! fields `status_api` and `silence`.

use crate::Context;
use crate::input::{self, Faults};
use domain::State;
use domain::id::{AccountId, TenantId};
use domain::poll::{SILENCE_AFTER, Silence};
use providers::Provider;
use providers::access::{self, StatusAccess, USUAL_PER_SECOND};
use providers::ask::Field;
use runtime::http::{Code, Problem};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;
use store::account::Account;
use utoipa::ToSchema;

/// How often a provider may be asked in a second.
const MOST_PER_SECOND: u64 = 100;
/// The longest value of a field, in bytes.
const MAX_VALUE_BYTES: usize = 512;

/// What becomes of messages of which nothing is heard.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WriteSilence {
    /// `unknown` or `expired`.
    #[schema(schema_with = ends)]
    state: String,
    /// After how many seconds; the installation's own where none is named.
    #[schema(minimum = 60, maximum = 2_592_000)]
    after_seconds: Option<u64>,
}

/// What becomes of messages of which nothing is heard.
#[derive(Serialize, ToSchema)]
#[schema(as = Silence)]
pub(super) struct SilenceView {
    /// The state they end in.
    state: State,
    /// After how many seconds; null: after the installation's own.
    after_seconds: Option<u64>,
}

fn ends() -> utoipa::openapi::schema::Object {
    crate::openapi::said(
        "The state they end in: `unknown` or `expired`.",
        crate::openapi::word(Silence::STATES.map(State::as_str)),
    )
}

/// What becomes of messages of which nothing is heard; without a word, they end `unknown`.
pub(super) fn read_silence(wanted: Option<&WriteSilence>) -> Result<Silence, Problem> {
    let Some(wanted) = wanted else {
        return Ok(Silence::default());
    };
    let mut faults = Faults::default();
    let state = State::parse(&wanted.state).filter(|state| Silence::STATES.contains(state));
    if state.is_none() {
        faults.add("/silence/state", "one of unknown, expired");
    }
    let after = wanted.after_seconds.map(Duration::from_secs);
    if after.is_some_and(|after| !SILENCE_AFTER.contains(&after)) {
        let (least, most) = (SILENCE_AFTER.start(), SILENCE_AFTER.end());
        let detail = format!(
            "a whole number from {} to {}",
            least.as_secs(),
            most.as_secs()
        );
        faults.add("/silence/after_seconds", detail);
    }
    faults.unless_any()?;
    Ok(Silence {
        state: state.unwrap_or(State::Unknown),
        after,
    })
}

pub(super) fn view_silence(silence: Silence) -> SilenceView {
    SilenceView {
        state: silence.state,
        after_seconds: silence.after.map(|after| after.as_secs()),
    }
}

/// With what the provider is asked; none where it is not. A secret that is left out stays what it was, as long as
/// it goes to the same place.
pub(super) fn read(
    context: &Context,
    provider: &dyn Provider,
    wanted: &Value,
    kept: Option<&StatusAccess>,
) -> Result<Option<StatusAccess>, Problem> {
    if wanted.is_null() {
        return Ok(None);
    }
    if !access::is_askable(provider) {
        let detail = format!(
            "{} has no API that Tidings can ask: leave it out, or write null",
            provider.name()
        );
        return Err(input::invalid("/status_api", detail));
    }
    let Value::Object(wanted) = wanted else {
        return Err(input::invalid("/status_api", "write an object, or null"));
    };
    let base_url = read_base_url(context, provider, wanted)?;
    let fields = access::fields(provider);
    let goes_to_the_same_place = |kept: &&StatusAccess| {
        let place = |url: &Option<String>| url.clone().or_else(|| default_url(provider));
        let urls = fields.iter().filter(|field| field.is_url());
        let known = |field: &Field| kept.values.get(field.name).map(String::as_str);
        let given = |field: &Field| wanted.get(field.name).and_then(Value::as_str);
        place(&kept.base_url) == place(&base_url)
            && urls.into_iter().all(|field| known(field) == given(field))
    };
    let kept = kept.filter(goes_to_the_same_place);
    let mut faults = Faults::default();
    let per_second = read_per_second(wanted, &mut faults);
    let mut read = StatusAccess {
        base_url,
        per_second,
        values: std::collections::BTreeMap::new(),
    };
    for field in fields {
        let value = wanted.get(field.name).filter(|value| !value.is_null());
        let known = kept.and_then(|kept| kept.values.get(field.name));
        match (value, known) {
            (Some(value), _) => {
                if let Some(text) = read_value(field, value, &mut faults) {
                    judge(context, field, &text)?;
                    read.values.insert(field.name.to_owned(), text);
                }
            }
            (None, Some(known)) if field.is_secret => {
                read.values.insert(field.name.to_owned(), known.clone());
            }
            (None, _) if field.is_required => faults.add(at(field.name), "this is needed"),
            (None, _) => {}
        }
    }
    for name in wanted.keys() {
        let is_known = ["base_url", "per_second"].contains(&name.as_str())
            || fields.iter().any(|field| field.name == name);
        if !is_known {
            faults.add(at(name), format!("{} has no such field", provider.name()));
        }
    }
    faults.unless_any()?;
    Ok(Some(read))
}

/// As it is shown: without its secrets.
pub(super) fn view(provider: Option<&dyn Provider>, known: Option<&StatusAccess>) -> Value {
    let (Some(provider), Some(known)) = (provider, known) else {
        return Value::Null;
    };
    let mut shown = Map::new();
    let base_url = known.base_url.clone().or_else(|| default_url(provider));
    shown.insert("base_url".to_owned(), base_url.into());
    for field in access::fields(provider)
        .iter()
        .filter(|field| !field.is_secret)
    {
        let value = known.values.get(field.name).cloned();
        shown.insert(field.name.to_owned(), value.into());
    }
    shown.insert("per_second".to_owned(), known.per_second.into());
    Value::Object(shown)
}

pub(super) fn seal(
    context: &Context,
    tenant: TenantId,
    id: AccountId,
    access: Option<&StatusAccess>,
) -> Option<Vec<u8>> {
    let bound_to = domain::secret::account_status_api(tenant, id);
    let nonce = context.random.bytes();
    access.map(|access| context.vault.seal(&bound_to, &access.to_json(), nonce))
}

pub(super) fn open(context: &Context, account: &Account) -> Result<Option<StatusAccess>, Problem> {
    let Some(sealed) = &account.status_api else {
        return Ok(None);
    };
    let bound_to = domain::secret::account_status_api(account.tenant_id, account.id);
    let opened = context.vault.open(&bound_to, sealed);
    let opened = opened
        .map_err(|error| error.to_string())
        .and_then(|json| StatusAccess::from_json(&json).ok_or_else(|| "it is damaged".to_owned()));
    opened.map(Some).map_err(|error| {
        tracing::error!(account.id = %account.id, error, "an account's status API cannot be opened");
        let detail = "the account's status API cannot be opened; the log says why";
        Problem::new(Code::InternalError, detail)
    })
}

/// Another URL that requests go to, for a token say, is judged as `base_url` is.
fn judge(context: &Context, field: &Field, value: &str) -> Result<(), Problem> {
    if !field.is_url() {
        return Ok(());
    }
    let judged = context.policy.judge_url(value).map(|_| ());
    judged.map_err(|refusal| {
        let detail = format!("this URL is not allowed: {refusal}");
        Problem::new(Code::UrlNotAllowed, detail.clone()).at(at(field.name), detail)
    })
}

/// Judged as the URL of a webhook is: it is the tenant's choice where we connect to.
fn read_base_url(
    context: &Context,
    provider: &dyn Provider,
    wanted: &Map<String, Value>,
) -> Result<Option<String>, Problem> {
    const POINTER: &str = "/status_api/base_url";
    let Some(value) = wanted.get("base_url").filter(|value| !value.is_null()) else {
        if default_url(provider).is_none() {
            let detail = format!("say where the API is: {} has none for all", provider.name());
            return Err(input::invalid(POINTER, detail));
        }
        return Ok(None);
    };
    let Some(url) = value.as_str() else {
        return Err(input::invalid(POINTER, "write an http or https URL"));
    };
    context.policy.judge_url(url).map_err(|refusal| {
        let detail = format!("this URL is not allowed: {refusal}");
        Problem::new(Code::UrlNotAllowed, detail.clone()).at(POINTER, detail)
    })?;
    if url.contains(['?', '#']) {
        let detail = "write it without query and fragment: paths are put behind it";
        return Err(input::invalid(POINTER, detail));
    }
    Ok(Some(url.trim_end_matches('/').to_owned()))
}

fn default_url(provider: &dyn Provider) -> Option<String> {
    access::base_url(provider).map(str::to_owned)
}

fn read_per_second(wanted: &Map<String, Value>, faults: &mut Faults) -> u32 {
    let Some(value) = wanted.get("per_second").filter(|value| !value.is_null()) else {
        return USUAL_PER_SECOND;
    };
    let number = value
        .as_u64()
        .filter(|number| (1..=MOST_PER_SECOND).contains(number));
    if number.is_none() {
        let detail = format!("a whole number from 1 to {MOST_PER_SECOND}");
        faults.add(at("per_second"), detail);
    }
    number
        .and_then(|number| u32::try_from(number).ok())
        .unwrap_or(USUAL_PER_SECOND)
}

/// Values become headers, queries and forms.
fn read_value(field: &Field, value: &Value, faults: &mut Faults) -> Option<String> {
    let is_text = |text: &&str| {
        (1..=MAX_VALUE_BYTES).contains(&text.len())
            && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
    };
    let text = value.as_str().filter(is_text);
    if text.is_none() {
        let detail = format!("write 1 to {MAX_VALUE_BYTES} printable ASCII characters");
        faults.add(at(field.name), detail);
    }
    text.map(str::to_owned)
}

fn at(name: &str) -> String {
    format!("/status_api/{}", input::escaped(name))
}
