//! `POST /v1/oauth/token`: an API key becomes a token that lasts for a quarter of an hour (RFC 6749 §4.4).
//!
//! The protocol has a form of its own for what is asked and for what is refused (§5.2), which its clients
//! read; everything before it, like a request that is too large or a store that is away, is told as everywhere.

mod form;

use crate::access::{Fresh, KEY, Shown, TOKEN};
use crate::caller::{self, source};
use crate::openapi::{Routes, operation};
use crate::{Desk, failure};
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, PRAGMA, WWW_AUTHENTICATE};
use actix_web::web::{self, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::access::{Scope, Scopes};
use domain::id::KeyId;
use form::{Form, Refusal, TokenRequest};
use runtime::http::Problem;
use serde::Serialize;
use std::time::Duration;
use store::bearer::Bearer;
use store::tenant::State;
use store::token::NewToken;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

/// How long a token lasts, if its key does.
const LASTS: Duration = Duration::from_mins(15);

pub(crate) fn routes(routes: &mut Routes) {
    routes.add(operation!(token));
}

/// A token (RFC 6749 §5.1).
#[derive(Serialize, ToSchema)]
#[schema(as = Token, examples(json!({
    "access_token": "tok_W6ph5Mm5Pz8GgiULbPgzG37mj9g3S0m9Uo2fE1yQ8bI",
    "token_type": "Bearer",
    "expires_in": 900,
    "scope": "messages:read",
})))]
struct TokenView {
    /// What to send as `Authorization: Bearer …`.
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// For how many seconds it works.
    expires_in: u64,
    /// What may be done with it, separated by spaces.
    scope: String,
}

/// Why there is no token (RFC 6749 §5.2).
#[derive(Serialize, ToSchema)]
#[schema(as = TokenRefusal, examples(json!({
    "error": "invalid_scope",
    "error_description": "the key does not have a scope that was asked for",
})))]
struct RefusalView {
    /// What is wrong, for programs.
    #[schema(schema_with = errors)]
    error: &'static str,
    /// What is wrong, for people.
    error_description: String,
}

fn errors() -> Object {
    crate::openapi::said(
        "What is wrong, for programs.",
        crate::openapi::word(form::ERRORS),
    )
}

/// Make a token
///
/// For clients that speak OAuth 2.0: an API key becomes a token that lasts for a quarter of an hour (RFC 6749 §4.4). The
/// client is a key: its id and its text come by Basic, or as `client_id` and `client_secret` in the form. What is wrong is
/// told in the protocol's own form.
#[utoipa::path(
    post,
    path = "/v1/oauth/token",
    tag = "Keys",
    operation_id = "create_token",
    request_body(
        content = TokenRequest,
        content_type = "application/x-www-form-urlencoded",
    ),
    responses(
        (status = 200, description = "The token", body = TokenView),
        (status = 400, description = "There is none", body = RefusalView),
        (
            status = 401,
            description = "No key has this id and this text",
            body = RefusalView,
            headers(("WWW-Authenticate" = String, description = "How to authenticate: `Basic`.")),
        ),
    ),
)]
async fn token(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
) -> Result<HttpResponse, Problem> {
    if !desk.context.admission.is_open() {
        return Err(failure::away());
    }
    let form = match Form::read(&request, payload).await? {
        Ok(form) => form,
        Err(refusal) => return Ok(refused(refusal)),
    };
    let shown = if form.secret.len() <= caller::MAX_KEY_BYTES && form.secret.starts_with(KEY) {
        let source = source(&request);
        desk.keys.who(&form.secret, source, &desk.context).await?
    } else {
        desk.keys.charge(source(&request), desk.context.clock.now());
        None
    };
    match judge(shown, &form) {
        Ok((bearer, key, scopes)) => grant(&desk, bearer, key, scopes).await,
        Err(refusal) => Ok(refused(refusal)),
    }
}

/// With which key a token may be made, and what may be done with it.
fn judge(shown: Option<Shown>, form: &Form) -> Result<(Bearer, KeyId, Scopes), Refusal> {
    let unknown = || Refusal::client("no key has this id and this text");
    let Some(Shown::Of(bearer)) = shown else {
        return Err(unknown());
    };
    let key = bearer.key_id.filter(|id| id.to_string() == form.client);
    let key = key.ok_or_else(unknown)?;
    if bearer.state == State::Suspended {
        return Err(Refusal::of(
            "unauthorized_client",
            "the tenant is suspended",
        ));
    }
    let Some(names) = &form.scope else {
        return Ok((bearer, key, bearer.scopes));
    };
    let mut scopes = Vec::new();
    for name in names.split(' ').filter(|name| !name.is_empty()) {
        let scope = Scope::parse(name).filter(|scope| bearer.scopes.has(*scope));
        let refuse = || {
            Refusal::of(
                "invalid_scope",
                "the key does not have a scope that was asked for",
            )
        };
        scopes.push(scope.ok_or_else(refuse)?);
    }
    if scopes.is_empty() {
        return Err(Refusal::of(
            "invalid_scope",
            "name a scope, or leave scope out",
        ));
    }
    Ok((bearer, key, scopes.into_iter().collect()))
}

async fn grant(
    desk: &Desk,
    bearer: Bearer,
    key_id: KeyId,
    scopes: Scopes,
) -> Result<HttpResponse, Problem> {
    let context = &desk.context;
    let now = context.clock.now();
    let usual = now.plus(LASTS);
    let expires_at = bearer.expires_at.map_or(usual, |end| end.min(usual));
    let secret = Fresh::new(TOKEN, &context.random);
    let token = NewToken {
        hash: secret.hash,
        tenant_id: bearer.tenant_id,
        key_id,
        scopes,
        created_at: now,
        expires_at,
    };
    context
        .store
        .create_token(token)
        .await
        .map_err(failure::of_store)?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((PRAGMA, "no-cache"))
        .json(TokenView {
            access_token: secret.text,
            token_type: "Bearer",
            expires_in: expires_at.since(now).as_secs(),
            scope: scopes.to_string(),
        }))
}

/// RFC 6749 §5.2: 400, but 401 with a challenge for a client that is not known.
fn refused(refusal: Refusal) -> HttpResponse {
    let is_unknown = refusal.error == "invalid_client";
    let status = if is_unknown {
        StatusCode::UNAUTHORIZED
    } else {
        StatusCode::BAD_REQUEST
    };
    let mut answer = HttpResponse::build(status);
    if is_unknown {
        answer.insert_header((WWW_AUTHENTICATE, "Basic realm=\"tidings\""));
    }
    answer
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((PRAGMA, "no-cache"))
        .json(RefusalView {
            error: refusal.error,
            error_description: refusal.description.to_owned(),
        })
}
