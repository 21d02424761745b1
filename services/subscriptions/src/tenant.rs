//! `/v1/tenants`.

use crate::caller::Operator;
use crate::input::Faults;
use crate::openapi::{Routes, operation};
use crate::{Context, Desk, failure, input};
use actix_web::web::{self, Payload};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::id::{KeyId, TenantId};
use domain::{Clock, Random};
use runtime::http::{Code, Problem};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::Store;
use store::tenant::{NewKey, Tenant};
use utoipa::ToSchema;

/// The plans there are.
const PLANS: [&str; 1] = ["standard"];
/// How much of a key is kept readable, to recognise it by.
const PREFIX_CHARS: usize = 12;

pub(crate) fn routes(routes: &mut Routes) {
    routes.add(operation!(create).refuses(&[Code::Forbidden]));
}

/// A tenant to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "name": "Clinic of Kisumu" })))]
struct CreateTenant {
    /// What people call it.
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    /// Its plan; `standard` where none is named.
    #[schema(examples("standard"))]
    plan: Option<String>,
}

/// A tenant that was just made, with its key, which is shown only now.
#[derive(Serialize, ToSchema)]
#[schema(
    as = Tenant,
    examples(json!({
        "id": "ten_01h455vb4pex5vsknk084sn02q",
        "name": "Clinic of Kisumu",
        "plan": "standard",
        "api_key": "tk_live_W6ph5Mm5Pz8GgiULbPgzG37mj9g3S0m9Uo2fE1yQ8bI",
    }))
)]
pub struct TenantView {
    /// Its id.
    id: TenantId,
    /// What people call it.
    name: String,
    /// Its plan.
    plan: String,
    /// The key of its requests. Keep it: it is shown only now.
    api_key: String,
}

/// Make a tenant
///
/// With its first API key, which is shown only in this answer. For the operator's admin key alone.
#[utoipa::path(
    post,
    path = "/v1/tenants",
    tag = "Tenants",
    operation_id = "create_tenant",
    request_body = CreateTenant,
    responses((status = 201, description = "It is made", body = TenantView)),
)]
async fn create(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    _: Operator,
) -> Result<HttpResponse, Problem> {
    let (_, wanted) = input::read::<CreateTenant>(&request, payload).await?;
    let Context {
        store,
        clock,
        random,
        ..
    } = &desk.context;
    let made = create_tenant(store, clock, random, wanted.name, wanted.plan).await?;
    Ok(HttpResponse::Created().json(made))
}

/// Makes a tenant and its first key. Also for the command line, which may have no server to ask.
pub async fn create_tenant(
    store: &Store,
    clock: &Clock,
    random: &Random,
    name: String,
    plan: Option<String>,
) -> Result<TenantView, Problem> {
    let plan = plan.unwrap_or_else(|| PLANS[0].to_owned());
    let mut faults = Faults::default();
    faults.check_text("/name", Some(&name));
    if !PLANS.contains(&plan.as_str()) {
        faults.add("/plan", format!("the plans are: {}", PLANS.join(", ")));
    }
    faults.unless_any()?;

    let now = clock.now();
    let api_key = format!("tk_live_{}", URL_SAFE_NO_PAD.encode(random.bytes::<32>()));
    let tenant = Tenant {
        id: TenantId::new(now, random),
        name,
        plan,
        created_at: now,
    };
    let key = NewKey {
        id: KeyId::new(now, random),
        hash: Sha256::digest(api_key.as_bytes()).into(),
        prefix: api_key.chars().take(PREFIX_CHARS).collect(),
    };
    store
        .create_tenant(tenant.clone(), key)
        .await
        .map_err(failure::of_store)?;
    let Tenant { id, name, plan, .. } = tenant;
    Ok(TenantView {
        id,
        name,
        plan,
        api_key,
    })
}
