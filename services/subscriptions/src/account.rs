//! `/v1/provider-accounts`.

mod status_api;

use crate::caller::Caller;
use crate::list::Query;
use crate::{Context, Desk, failure, input};
use actix_web::http::Method;
use actix_web::web::{self, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::Timestamp;
use domain::account::{Environment, Slug};
use domain::id::{AccountId, TenantId};
use providers::Provider;
use providers::access::StatusAccess;
use runtime::http::{Code, Problem, only};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use signing::checks::{Checks, Invalid};
use status_api::{SilenceView, WriteSilence};
use std::collections::BTreeMap;
use store::account::{Account, Created};
use wire::Hint;

/// Stands for the token in the URLs of an account whose token is not shown any more.
const HIDDEN_TOKEN: &str = "{token}";

pub(crate) fn routes(routes: &mut ServiceConfig) {
    routes
        .service(
            web::resource("/v1/provider-accounts")
                .route(web::post().to(create))
                .route(web::get().to(list))
                .default_service(only(&[Method::GET, Method::POST])),
        )
        .service(
            web::resource("/v1/provider-accounts/{id}")
                .route(web::get().to(get))
                .route(web::put().to(replace))
                .route(web::delete().to(delete))
                .default_service(only(&[Method::GET, Method::PUT, Method::DELETE])),
        )
        .service(
            web::resource("/v1/provider-accounts/{id}/rotate-token")
                .route(web::post().to(rotate_token))
                .default_service(only(&[Method::POST])),
        );
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WriteAccount {
    provider: String,
    slug: String,
    #[serde(default)]
    auth: Value,
    #[serde(default, deserialize_with = "input::present")]
    environment: Option<String>,
    #[serde(default)]
    status_api: Value,
    silence: Option<WriteSilence>,
}

#[derive(Serialize)]
struct AccountView {
    id: AccountId,
    provider: String,
    slug: Slug,
    environment: Environment,
    auth: Value,
    callback_urls: BTreeMap<&'static str, String>,
    status_api: Value,
    silence: SilenceView,
    created_at: Timestamp,
    updated_at: Timestamp,
}

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
        .store
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

async fn get(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let account = find(&desk, caller.tenant, &id).await?;
    let checks = open(&desk.context, &account)?;
    Ok(HttpResponse::Ok().json(view(&desk.context, account, &checks, None)?))
}

/// Replaces the checks, the environment, and how the provider is asked. A token that was there stays, and so do
/// secrets of the status API that are left out; a new token is shown.
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
    save(context, account.clone()).await?;
    let new_token = checks.token().filter(|_| kept.is_none());
    Ok(HttpResponse::Ok().json(view(context, account, &checks, new_token)?))
}

async fn delete(
    id: Path<String>,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let id: AccountId = id
        .parse()
        .map_err(|_| failure::not_found("provider account"))?;
    let deleted = desk.context.store.delete_account(caller.tenant, id).await;
    if !deleted.map_err(failure::of_store)? {
        return Err(failure::not_found("provider account"));
    }
    desk.context.broker.hint(Hint::Accounts);
    Ok(HttpResponse::NoContent().finish())
}

/// Makes a new token; the old one stops working at once.
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
    save(context, account.clone()).await?;
    Ok(HttpResponse::Ok().json(view(context, account, &checks, checks.token())?))
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

async fn save(context: &Context, account: Account) -> Result<(), Problem> {
    if !context
        .store
        .update_account(account)
        .await
        .map_err(failure::of_store)?
    {
        return Err(failure::not_found("provider account"));
    }
    context.broker.hint(Hint::Accounts);
    Ok(())
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
