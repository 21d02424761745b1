//! `/v1/audit`: who changed what. And how what callers change gets there: with [`Context::acting`].

mod chain;
mod keep;
mod show;
mod view;

pub(crate) use keep::keep_chain;

use crate::caller::{Caller, Door};
use crate::list::{self, PageView, Query, TIME};
use crate::openapi::{Between, OfTenant, Paging, Routes, operation, parameters, query, text, word};
use crate::{Context, Desk, failure};
use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse};
use domain::Timestamp;
use domain::audit::{Action, Actor};
use domain::id::{AuditEntryId, KeyId, MemberId, TenantId};
use runtime::http::Problem;
use std::sync::Arc;
use store::Store;
use store::audit::{Act, Filter, Target};
use view::EntryView;

pub(crate) fn routes(routes: &mut Routes) {
    routes
        .add(operation!(list))
        // What has a name of its own comes before what is named by an id.
        .add(operation!(chain::chain))
        .add(operation!(get));
}

parameters! {
    /// Of which changes.
    Filters:
    query("actor", "By whom: `operator`, `key`, `member`, `tidings`, or the id of a key or a member", text(list::MAX_VALUE_BYTES)),
    query("action", "Of this action", word(Action::ALL.map(Action::as_str))),
    query("target", "Of the thing with this id", text(list::MAX_VALUE_BYTES)),
}

impl Context {
    /// The store, whose next change is the caller's: it is written into the audit log with it.
    pub(crate) fn acting(
        &self,
        caller: Caller,
        tenant: TenantId,
        action: Action,
        target: Target,
    ) -> Store {
        self.acting_as(caller.actor, &caller.door, tenant, action, target)
    }

    /// The same, with all else that is needed to change what says itself what it was.
    pub(crate) fn acting_context(&self, caller: Caller, action: Action) -> Self {
        Self {
            store: self.acting(caller, caller.tenant, action, Target::Said),
            ..self.clone()
        }
    }

    /// The same for whoever comes in by a door.
    pub(crate) fn acting_as(
        &self,
        actor: Actor,
        door: &Door,
        tenant_id: TenantId,
        action: Action,
        target: Target,
    ) -> Store {
        let context = self.clone();
        self.store.acting(Act {
            actor,
            tenant_id,
            action,
            target,
            source_ip: Some(door.source_ip.to_string()),
            request_id: Some(door.request_id.as_str().to_owned()),
            show: Arc::new(move |seen| show::show(&context, seen)),
        })
    }
}

/// List audit entries
///
/// Newest first: every change that was made by the API or by Tidings itself, written in the transaction of the change.
/// `hash` and `previous_hash` are null within the second in which the entry gets its place in the chain.
#[utoipa::path(
    get,
    path = "/v1/audit",
    tag = "Audit log",
    operation_id = "list_audit_entries",
    params(Filters, Between, OfTenant, Paging),
    responses((status = 200, description = "A page of them", body = PageView<EntryView>)),
)]
async fn list(
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let names = [
        "actor", "action", "target", "after", "before", "tenant", "limit", "cursor",
    ];
    let query = Query::read(&request, &names)?;
    let tenant = query.tenant(caller, &desk).await?;
    let window = query.window(tenant)?;
    let page = desk
        .context
        .store
        .list_audit(tenant, read(&query)?, window)
        .await;
    let page = page.map_err(failure::of_store)?;
    Ok(HttpResponse::Ok().json(query.show(tenant, page, EntryView::from)))
}

/// Read an audit entry
///
/// One change, with its place in the chain.
#[utoipa::path(
    get,
    path = "/v1/audit/{id}",
    tag = "Audit log",
    operation_id = "get_audit_entry",
    params(("id" = AuditEntryId, Path, description = "The entry"), OfTenant),
    responses((status = 200, description = "The entry", body = EntryView)),
)]
async fn get(
    id: Path<String>,
    request: HttpRequest,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["tenant"])?;
    let tenant = query.tenant(caller, &desk).await?;
    let missing = || failure::not_found("audit entry");
    let id = id.parse().map_err(|_| missing())?;
    let found = desk.context.store.find_audit_entry(tenant, id).await;
    let found = found.map_err(failure::of_store)?.ok_or_else(missing)?;
    Ok(HttpResponse::Ok().json(EntryView::from(found)))
}

/// An actor is a kind of them, or one of a kind.
enum Wanted {
    Kind(String),
    One(String),
}

fn read(query: &Query) -> Result<Filter, Problem> {
    let actor = |text: &str| {
        if Actor::TYPES.contains(&text) {
            return Some(Wanted::Kind(text.to_owned()));
        }
        let is_one = text.parse::<KeyId>().is_ok() || text.parse::<MemberId>().is_ok();
        is_one.then(|| Wanted::One(text.to_owned()))
    };
    let allowed = "operator, key, member, tidings, or an id that begins with key_ or mem_";
    let (actor_type, actor_id) = match query.parsed("actor", actor, allowed)? {
        None => (None, None),
        Some(Wanted::Kind(kind)) => (Some(kind), None),
        Some(Wanted::One(id)) => (None, Some(id)),
    };
    Ok(Filter {
        actor_type,
        actor_id,
        action: query.parsed("action", Action::parse, "an action of the audit log")?,
        target_id: query.text("target").map(str::to_owned),
        after: query.parsed("after", Timestamp::parse_rfc3339, TIME)?,
        before: query.parsed("before", Timestamp::parse_rfc3339, TIME)?,
    })
}
