//! `/v1/provider-accounts`.

mod check;
mod status_api;

use crate::caller::Caller;
use crate::list::{PageView, Query};
use crate::openapi::{Paging, Routes, operation};
use crate::{Context, Desk, failure, input};
use actix_web::web::{self, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use check::Check;
use domain::Timestamp;
use domain::account::{Environment, Slug};
use domain::audit::Action;
use domain::id::{AccountId, TenantId};
use providers::Provider;
use providers::access::StatusAccess;
use runtime::http::{Code, Problem};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use signing::checks::{Checks, Invalid};
use status_api::{SilenceView, WriteSilence};
use std::collections::BTreeMap;
use store::account::{Account, Created};
use store::audit::Target;
use utoipa::ToSchema;
use wire::Hint;

/// Stands for the token in the URLs of an account whose token is not shown any more.
const HIDDEN_TOKEN: &str = "{token}";

pub(crate) fn routes(routes: &mut Routes) {
    let refused = [Code::UrlNotAllowed];
    routes
        .add(operation!(create).refuses(&[
            Code::SlugTaken,
            Code::SlugReserved,
            Code::UrlNotAllowed,
        ]))
        .add(operation!(list))
        .add(operation!(get))
        .add(operation!(replace).refuses(&refused))
        .add(operation!(delete))
        .add(operation!(rotate_token).refuses(&[Code::Conflict]));
}

/// A provider account to make, or what one is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WriteProviderAccount, examples(json!({
    "provider": "africastalking",
    "slug": "clinic-ke",
    "auth": [{ "type": "token" }],
})))]
struct WriteAccount {
    /// Whose format its callbacks have.
    #[schema(schema_with = provider_names)]
    provider: String,
    /// Its name in callback URLs, unique in the installation. It stays what it is.
    #[schema(value_type = Slug)]
    slug: String,
    /// What every callback has to pass, all of it.
    #[serde(default)]
    #[schema(value_type = Vec<Check>, min_items = 1, max_items = 8, required)]
    auth: Value,
    /// Where its messages belong; `production` unless you say otherwise.
    #[serde(default, deserialize_with = "input::present")]
    #[schema(value_type = Environment, required = false)]
    environment: Option<String>,
    /// How the provider is asked what became of messages: `base_url`, `per_second` and the credentials of its
    /// API, which differ. Null, or left out: it is not asked.
    #[serde(default)]
    #[schema(value_type = Option<Object>, required = false)]
    status_api: Value,
    /// What becomes of messages of which nothing is heard.
    silence: Option<WriteSilence>,
}

/// A provider account.
#[derive(Serialize, ToSchema)]
#[schema(as = ProviderAccount, examples(json!({
    "id": "acc_01h455vb4pex5vsknk084sn02q",
    "provider": "africastalking",
    "slug": "clinic-ke",
    "environment": "production",
    "auth": [{ "type": "token" }],
    "callback_urls": {
        "reports": "https://sms.example.com/v1/callbacks/clinic-ke/{token}/reports",
        "inbound": "https://sms.example.com/v1/callbacks/clinic-ke/{token}/inbound",
    },
    "status_api": null,
    "silence": { "state": "unknown", "after_seconds": null },
    "created_at": "2026-11-23T21:09:00.000Z",
    "updated_at": "2026-11-23T21:09:00.000Z",
})))]
pub(crate) struct AccountView {
    /// Its id.
    id: AccountId,
    /// Whose format its callbacks have.
    provider: String,
    /// Its name in callback URLs.
    slug: Slug,
    /// Where its messages belong.
    environment: Environment,
    /// What every callback has to pass, without what is secret in it.
    #[schema(value_type = Vec<Object>)]
    auth: Value,
    /// Where the provider is to send what, by kind. The token of a `token` check is in them where it was just
    /// made; later it says `{token}`.
    callback_urls: BTreeMap<&'static str, String>,
    /// How the provider is asked, without what is secret in it; null where it is not.
    #[schema(value_type = Option<Object>)]
    status_api: Value,
    /// What becomes of messages of which nothing is heard.
    silence: SilenceView,
    /// When it was made.
    created_at: Timestamp,
    /// When it was last changed.
    updated_at: Timestamp,
}

/// Make a provider account
///
/// The answer has the URLs to give to the provider, with the token of a `token` check: it is shown only now.
/// A provider's own name is a slug for the operator alone.
#[utoipa::path(
    post,
    path = "/v1/provider-accounts",
    tag = "Provider accounts",
    operation_id = "create_provider_account",
    request_body = WriteAccount,
    responses((status = 201, description = "It is made", body = AccountView)),
)]
async fn create(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, wanted) = input::read::<WriteAccount>(&request, payload).await?;
    let context = &desk.context;
    let (provider, slug, environment) = read_names(&wanted)?;
    if slug.is_reserved() && !caller.is_operator {
        let detail = format!("{slug} is a provider's own name: choose another slug");
        return Err(Problem::new(Code::SlugReserved, detail).at("/slug", "reserved"));
    }
    let checks = read_checks(&wanted.auth, || new_token(context))?;
    let access = status_api::read(context, provider, &wanted.status_api, None)?;
    let silence = status_api::read_silence(wanted.silence.as_ref())?;
    let now = context.clock.now();
    let id = AccountId::new(now, &context.random);
    let account = seal(
        context,
        &checks,
        Account {
            id,
            tenant_id: caller.tenant,
            slug,
            provider: provider.name().to_owned(),
            environment,
            checks: Vec::new(),
            status_api: status_api::seal(context, caller.tenant, id, access.as_ref()),
            silence,
            created_at: now,
            updated_at: now,
        },
    );
    match context
        .acting(
            caller,
            caller.tenant,
            Action::ProviderAccountCreated,
            Target::Account(account.id),
        )
        .create_account(account.clone())
        .await
        .map_err(failure::of_store)?
    {
        Created::SlugTaken => {
            let detail = format!("the slug {} is taken: choose another", account.slug);
            Err(Problem::new(Code::SlugTaken, detail).at("/slug", "taken"))
        }
        Created::New => {
            context.broker.hint(Hint::Accounts);
            let view = view(context, account, &checks, checks.token())?;
            Ok(HttpResponse::Created().json(view))
        }
    }
}

/// List provider accounts
///
/// Newest first, without their tokens.
#[utoipa::path(
    get,
    path = "/v1/provider-accounts",
    tag = "Provider accounts",
    operation_id = "list_provider_accounts",
    params(Paging),
    responses((status = 200, description = "A page of them", body = PageView<AccountView>)),
)]
async fn list(
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["limit", "cursor"])?;
    let window = query.window(caller.tenant)?;
    let context = &desk.context;
    let page = context
        .store
        .list_accounts(caller.tenant, window)
        .await
        .map_err(failure::of_store)?;
    let views = page.items.iter().map(|account| {
        let checks = open(context, account)?;
        view(context, account.clone(), &checks, None)
    });
    let views: Vec<AccountView> = views.collect::<Result<_, Problem>>()?;
    let page = store::Page {
        items: views,
        next: page.next,
    };
    Ok(HttpResponse::Ok().json(query.show(caller.tenant, page, |view| view)))
}

/// Read a provider account
///
/// Without what is secret in it: the URLs say `{token}` where the token was.
#[utoipa::path(
    get,
    path = "/v1/provider-accounts/{id}",
    tag = "Provider accounts",
    operation_id = "get_provider_account",
    params(("id" = AccountId, Path, description = "The provider account")),
    responses((status = 200, description = "The account", body = AccountView)),
)]
async fn get(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let account = find(&desk, caller.tenant, &id).await?;
    let checks = open(&desk.context, &account)?;
    Ok(HttpResponse::Ok().json(view(&desk.context, account, &checks, None)?))
}

/// Change a provider account
///
/// Replaces the checks, the environment, and how the provider is asked. A token that was there stays, and so do
/// secrets of the status API that are left out; a new token is shown. Provider and slug stay what they are.
#[utoipa::path(
    put,
    path = "/v1/provider-accounts/{id}",
    tag = "Provider accounts",
    operation_id = "replace_provider_account",
    params(("id" = AccountId, Path, description = "The provider account")),
    request_body = WriteAccount,
    responses((status = 200, description = "It is changed", body = AccountView)),
)]
async fn replace(
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, wanted) = input::read::<WriteAccount>(&request, payload).await?;
    let context = &desk.context;
    let known = find(&desk, caller.tenant, &id).await?;
    let old = open(context, &known)?;
    let (provider, slug, environment) = read_names(&wanted)?;
    if provider.name() != known.provider {
        return Err(input::invalid(
            "/provider",
            "an account keeps its provider: make another account",
        ));
    }
    if slug != known.slug {
        return Err(input::invalid(
            "/slug",
            "an account keeps its slug: make another account",
        ));
    }
    let kept = old.token().map(str::to_owned);
    let checks = read_checks(&wanted.auth, || {
        kept.clone().unwrap_or_else(|| new_token(context))
    })?;
    let asked_with = status_api::open(context, &known)?;
    let access = status_api::read(context, provider, &wanted.status_api, asked_with.as_ref())?;
    let changed = Account {
        environment,
        status_api: status_api::seal(context, known.tenant_id, known.id, access.as_ref()),
        silence: status_api::read_silence(wanted.silence.as_ref())?,
        updated_at: context.clock.now(),
        ..known
    };
    let account = seal(context, &checks, changed);
    let action = Action::ProviderAccountUpdated;
    save(context, caller, action, account.clone()).await?;
    let new_token = checks.token().filter(|_| kept.is_none());
    Ok(HttpResponse::Ok().json(view(context, account, &checks, new_token)?))
}

/// Delete a provider account
///
/// Its callbacks are refused from then on; its messages stay.
#[utoipa::path(
    delete,
    path = "/v1/provider-accounts/{id}",
    tag = "Provider accounts",
    operation_id = "delete_provider_account",
    params(("id" = AccountId, Path, description = "The provider account")),
    responses((status = 204, description = "It is gone")),
)]
async fn delete(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let id: AccountId = id
        .parse()
        .map_err(|_| failure::not_found("provider account"))?;
    let deleted = desk
        .context
        .acting(
            caller,
            caller.tenant,
            Action::ProviderAccountDeleted,
            Target::Account(id),
        )
        .delete_account(caller.tenant, id)
        .await;
    if !deleted.map_err(failure::of_store)? {
        return Err(failure::not_found("provider account"));
    }
    desk.context.broker.hint(Hint::Accounts);
    Ok(HttpResponse::NoContent().finish())
}

/// Make a new token
///
/// The old one stops working at once: give the provider the new URLs, which are shown only now.
/// `409` where the account has no `token` check.
#[utoipa::path(
    post,
    path = "/v1/provider-accounts/{id}/rotate-token",
    tag = "Provider accounts",
    operation_id = "rotate_provider_account_token",
    params(("id" = AccountId, Path, description = "The provider account")),
    responses((status = 200, description = "The account with its new URLs", body = AccountView)),
)]
async fn rotate_token(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let context = &desk.context;
    let known = find(&desk, caller.tenant, &id).await?;
    let checks = open(context, &known)?
        .with_token(new_token(context))
        .ok_or_else(|| {
            Problem::new(
                Code::Conflict,
                "this account has no token check, so there is nothing to rotate",
            )
        })?;
    let account = seal(
        context,
        &checks,
        Account {
            updated_at: context.clock.now(),
            ..known
        },
    );
    let action = Action::ProviderAccountTokenRotated;
    save(context, caller, action, account.clone()).await?;
    Ok(HttpResponse::Ok().json(view(context, account, &checks, checks.token())?))
}

fn provider_names() -> utoipa::openapi::schema::Object {
    crate::openapi::said(
        "Whose format its callbacks have.",
        crate::openapi::word(providers::registry::all().iter().map(|known| known.name())),
    )
}

fn read_names(
    wanted: &WriteAccount,
) -> Result<(&'static dyn Provider, Slug, Environment), Problem> {
    let provider = providers::registry::find(&wanted.provider).ok_or_else(|| {
        let known: Vec<_> = providers::registry::all()
            .iter()
            .map(|known| known.name())
            .collect();
        input::invalid(
            "/provider",
            format!("the providers are: {}", known.join(", ")),
        )
    })?;
    let slug = wanted
        .slug
        .parse()
        .map_err(|error| input::invalid("/slug", format!("{error}")))?;
    let environment = match &wanted.environment {
        None => Environment::default(),
        Some(text) => text
            .parse()
            .map_err(|error| input::invalid("/environment", format!("{error}")))?,
    };
    Ok((provider, slug, environment))
}

fn read_checks(auth: &Value, token: impl FnOnce() -> String) -> Result<Checks, Problem> {
    Checks::parse_specs(auth)
        .and_then(|specs| Checks::from_specs(specs, token))
        .map_err(refuse)
}

fn refuse(faults: Vec<Invalid>) -> Problem {
    let mut all = input::Faults::default();
    for fault in faults {
        all.add(format!("/auth{}", fault.pointer), fault.detail);
    }
    all.unless_any()
        .err()
        .unwrap_or_else(|| input::invalid("/auth", "not a list of checks"))
}

/// 192 random bits, as the path of a URL takes them.
fn new_token(context: &Context) -> String {
    hex::encode(context.random.bytes::<24>())
}

fn seal(context: &Context, checks: &Checks, account: Account) -> Account {
    let bound_to = domain::secret::account_checks(account.tenant_id, account.id);
    let sealed = context
        .vault
        .seal(&bound_to, &checks.to_json(), context.random.bytes());
    Account {
        checks: sealed,
        ..account
    }
}

fn open(context: &Context, account: &Account) -> Result<Checks, Problem> {
    let bound_to = domain::secret::account_checks(account.tenant_id, account.id);
    let opened = context.vault.open(&bound_to, &account.checks);
    opened.and_then(|json| Checks::from_json(&json)).map_err(|error| {
        tracing::error!(account.id = %account.id, %error, "an account's checks cannot be opened");
        Problem::new(Code::InternalError, "the account's checks cannot be opened; the log says why")
    })
}

async fn find(desk: &Desk, tenant: TenantId, id: &str) -> Result<Account, Problem> {
    let id: AccountId = id
        .parse()
        .map_err(|_| failure::not_found("provider account"))?;
    let found = desk
        .context
        .store
        .find_account(tenant, id)
        .await
        .map_err(failure::of_store)?;
    found.ok_or_else(|| failure::not_found("provider account"))
}

async fn save(
    context: &Context,
    caller: Caller,
    action: Action,
    account: Account,
) -> Result<(), Problem> {
    let target = Target::Account(account.id);
    if !context
        .acting(caller, account.tenant_id, action, target)
        .update_account(account)
        .await
        .map_err(failure::of_store)?
    {
        return Err(failure::not_found("provider account"));
    }
    context.broker.hint(Hint::Accounts);
    Ok(())
}

/// An account as the audit log shows it, and what is secret of it.
pub(crate) fn shown(context: &Context, account: &Account) -> (Option<AccountView>, Vec<Vec<u8>>) {
    let (Ok(checks), Ok(access)) = (open(context, account), status_api::open(context, account))
    else {
        return (None, Vec::new());
    };
    let access = access.map(|access| access.to_json().clone());
    let secrets = vec![checks.to_json().clone(), access.unwrap_or_default()];
    (view(context, account.clone(), &checks, None).ok(), secrets)
}

/// An account as it is shown. Its token is in the URLs only when it is given.
fn view(
    context: &Context,
    account: Account,
    checks: &Checks,
    token: Option<&str>,
) -> Result<AccountView, Problem> {
    let access: Option<StatusAccess> = status_api::open(context, &account)?;
    let token = checks.token().map(|_| token.unwrap_or(HIDDEN_TOKEN));
    let base = format!("{}/v1/callbacks/{}", context.public_url, account.slug);
    let provider = providers::registry::find(&account.provider);
    let kinds = provider.map_or(&[][..], |known| known.kinds());
    let callback_urls = kinds
        .iter()
        .map(|kind| {
            let kind = kind.as_str();
            let url = token.map_or_else(
                || format!("{base}/{kind}"),
                |token| format!("{base}/{token}/{kind}"),
            );
            (kind, url)
        })
        .collect();
    Ok(AccountView {
        id: account.id,
        provider: account.provider,
        slug: account.slug,
        environment: account.environment,
        auth: checks.redacted(),
        callback_urls,
        status_api: status_api::view(provider, access.as_ref()),
        silence: status_api::view_silence(account.silence),
        created_at: account.created_at,
        updated_at: account.updated_at,
    })
}
