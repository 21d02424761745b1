//! How a webhook's events are to be sent, as a request says it.

use super::{DELAY_SECONDS, Headers, MAX_DELAYS};
use crate::input;
use domain::subscription::Scheme;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, ArrayBuilder, ObjectBuilder, SchemaType, Type};

/// What a request says of them. What it leaves out has its default.
#[derive(Default)]
pub(in crate::webhook) struct Asked {
    pub(in crate::webhook) method: Option<String>,
    pub(in crate::webhook) headers: Option<Headers>,
    pub(in crate::webhook) retry: Option<AskedRetry>,
    pub(in crate::webhook) rate_limit: Option<AskedRateLimit>,
    pub(in crate::webhook) max_in_flight: Option<i64>,
    pub(in crate::webhook) timeout_seconds: Option<i64>,
    pub(in crate::webhook) max_payload_bytes: Option<i64>,
    pub(in crate::webhook) signing: Option<AskedSigning>,
    pub(in crate::webhook) endpoint_auth: Option<AskedAuth>,
}

/// When a delivery is tried again: a preset, or delays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WriteRetry)]
pub(in crate::webhook) struct AskedRetry {
    /// `quick`: for half a minute. `standard`: for three days.
    #[schema(schema_with = presets)]
    pub(super) preset: Option<String>,
    /// After each of these waits, in seconds.
    #[schema(schema_with = delays)]
    pub(super) delays: Option<Vec<i64>>,
}

/// How many attempts may begin: in any minute, in any hour, or both.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WriteRateLimit)]
pub(crate) struct AskedRateLimit {
    /// In any minute.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub(super) per_minute: Option<i64>,
    /// In any hour.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub(super) per_hour: Option<i64>,
}

/// How requests are signed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WriteSigning)]
pub(in crate::webhook) struct AskedSigning {
    /// In these ways; `v1` unless you say otherwise.
    #[serde(default, deserialize_with = "input::present")]
    #[schema(value_type = Vec<Scheme>, required = false, min_items = 1)]
    pub(super) schemes: Option<Vec<String>>,
    /// What the names of the headers of the `sha256-…` schemes begin with; `X-Tidings` unless you say otherwise.
    #[schema(min_length = 1, max_length = 64)]
    pub(super) header_prefix: Option<String>,
}

/// How requests prove themselves, besides the signature. A credential that is left out is the one that is there.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WriteEndpointAuth)]
pub(in crate::webhook) struct AskedAuth {
    /// `none`, `api_key`, `bearer` or `basic`.
    #[serde(rename = "type")]
    #[schema(schema_with = auth_types)]
    pub(super) kind: String,
    /// Of `api_key`: the header.
    pub(super) header: Option<String>,
    /// Of `api_key`: its value.
    pub(super) value: Option<String>,
    /// Of `bearer`: the token.
    pub(super) token: Option<String>,
    /// Of `basic`: the name.
    pub(super) username: Option<String>,
    /// Of `basic`: the password.
    pub(super) password: Option<String>,
}

fn delays() -> Array {
    let delay = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(*DELAY_SECONDS.start()))
        .maximum(Some(*DELAY_SECONDS.end()));
    ArrayBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .description(Some("After each of these waits, in seconds."))
        .items(delay)
        .min_items(Some(1))
        .max_items(Some(MAX_DELAYS))
        .build()
}

fn presets() -> utoipa::openapi::schema::Object {
    crate::openapi::said(
        "`quick`: for half a minute. `standard`: for three days.",
        crate::openapi::word_or_null(["quick", "standard"]),
    )
}

fn auth_types() -> utoipa::openapi::schema::Object {
    crate::openapi::said(
        "`none`, `api_key`, `bearer` or `basic`.",
        crate::openapi::word(["none", "api_key", "bearer", "basic"]),
    )
}
