//! `POST /v1/webhooks/bulk`: one thing done to many webhooks, in one commit. Each item is done or refused by
//! itself, and says so.

use super::patch::PatchSchema;
use super::patch::{Patch, enabling, patching};
use super::view::{WebhookView, WriteWebhook, view};
use super::{filter, new, note_made, show_new};
use crate::caller::Caller;
use crate::event_type::Types;
use crate::input::{self, Faults, present};
use crate::list::Query;
use crate::{Context, Desk, failure, plan};
use actix_web::web::{self, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::audit;
use domain::id::{SubscriptionId, TenantId};
use runtime::http::Problem;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use store::subscription::{Change, Chosen, Outcome, Subscription, Which};
use utoipa::ToSchema;
use wire::Hint;

/// How many webhooks one request is about.
const MOST: usize = 100;
/// What a cursor belongs to.
const PATH: &str = "/v1/webhooks/bulk";

/// One thing to do to many webhooks.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BulkWebhooks, examples(json!({
    "action": "update",
    "filter": { "name_prefix": "Ward" },
    "patch": { "max_in_flight": 4 },
    "dry_run": true,
})))]
struct Bulk {
    /// `create` takes `webhooks`; `update` a `patch`; `update`, `enable`, `disable` and `delete` take `ids` or a `filter`.
    #[schema(schema_with = actions)]
    action: String,
    /// Those to make.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<WriteWebhook>, required = false, min_items = 1, max_items = 100)]
    webhooks: Option<Vec<Value>>,
    /// These, each once.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<String>, required = false, min_items = 1, max_items = 100)]
    ids: Option<Vec<String>>,
    /// Those that the list finds with these filters, a hundred at a time; `{}` is all of them.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = BTreeMap<String, String>, required = false)]
    filter: Option<BTreeMap<String, String>>,
    /// The `next_cursor` of the answer before, to go on with the same filter.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, max_length = 512)]
    cursor: Option<String>,
    /// What is to change of each.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = PatchSchema, required = false)]
    patch: Option<Value>,
    /// Only says what would be done.
    #[serde(default)]
    dry_run: bool,
}

fn actions() -> utoipa::openapi::schema::Object {
    crate::openapi::said(
        "`create` takes `webhooks`; `update` a `patch`; `update`, `enable`, `disable` and `delete` take `ids` or a `filter`.",
        crate::openapi::word(Action::ALL.map(|(name, _)| name)),
    )
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Create,
    Update,
    Enable,
    Disable,
    Delete,
}

/// Those that something is done to.
struct Selected {
    which: Which,
    /// As they were named, with the id of each that may be one; none where a filter finds them.
    named: Option<Vec<(String, Option<SubscriptionId>)>>,
    /// What makes the cursor of the next page.
    query: Query,
}

/// What was done to many webhooks.
#[derive(Serialize, ToSchema)]
#[schema(as = BulkDone, examples(json!({
    "dry_run": false,
    "succeeded": 1,
    "failed": 0,
    "data": [{ "id": "sub_01h455vb4pex5vsknk084sn02q", "status": 204 }],
    "next_cursor": null,
})))]
struct BulkView {
    /// Whether nothing was done.
    dry_run: bool,
    /// How many of them it was, or would be, done to.
    succeeded: usize,
    /// How many it was not done to.
    failed: usize,
    /// Each in its place.
    data: Vec<ItemView>,
    /// Where to go on with the filter; null where there are no more.
    next_cursor: Option<String>,
}

/// What became of one.
#[derive(Serialize, ToSchema)]
#[schema(as = BulkItem)]
struct ItemView {
    /// Which one, as it was named; null where it was not made.
    id: Option<String>,
    /// The status that it would have been answered with alone.
    status: u16,
    /// As it is then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = WebhookView, required = false)]
    webhook: Option<WebhookView>,
    /// Why it was not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, required = false)]
    problem: Option<Problem>,
}

/// Change many webhooks
///
/// All that can be done is done in one commit; each item says for itself what became of it. At most 100.
#[utoipa::path(
    post,
    path = "/v1/webhooks/bulk",
    tag = "Webhooks",
    operation_id = "bulk_webhooks",
    request_body = Bulk,
    responses((status = 200, description = "What became of each", body = BulkView)),
)]
pub(super) async fn bulk(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, mut body) = input::read::<Bulk>(&request, payload).await?;
    let action = body.check()?;
    let (tenant, dry_run) = (caller.tenant, body.dry_run);
    let context = &desk.context.acting_context(caller, action.audited());
    if action == Action::Create {
        let asked = body.webhooks.take().unwrap_or_default();
        return create(context, tenant, asked, dry_run).await;
    }
    let patch = body.patch.take().map(Patch::check).transpose();
    let patch = patch.map_err(|problem| problem.inside("/patch"))?;
    let selected = Selected::of(body, tenant)?;
    let now = context.clock.now();
    match (action, patch) {
        (Action::Update, Some(patch)) => {
            let types = Types::of(context, tenant).await?;
            let mut decide = patching(context, tenant, patch, types);
            let decide = move |subscription: &_| {
                decide(subscription).map_err(|problem: Problem| problem.inside("/patch"))
            };
            change(context, tenant, selected, dry_run, decide).await
        }
        (Action::Delete, _) => delete(context, tenant, selected, dry_run).await,
        (action, _) => {
            let decide = enabling(action == Action::Enable, now);
            change(context, tenant, selected, dry_run, decide).await
        }
    }
}

impl Action {
    /// What the audit log calls it.
    const fn audited(self) -> audit::Action {
        match self {
            Self::Create => audit::Action::WebhookCreated,
            Self::Update => audit::Action::WebhookUpdated,
            Self::Enable => audit::Action::WebhookEnabled,
            Self::Disable => audit::Action::WebhookDisabled,
            Self::Delete => audit::Action::WebhookDeleted,
        }
    }

    const ALL: [(&str, Self); 5] = [
        ("create", Self::Create),
        ("update", Self::Update),
        ("enable", Self::Enable),
        ("disable", Self::Disable),
        ("delete", Self::Delete),
    ];

    fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find_map(|(known, action)| (known == name).then_some(action))
    }
}

impl Bulk {
    /// Which action it is, where what comes with it is what that takes.
    fn check(&self) -> Result<Action, Problem> {
        let Some(action) = Action::parse(&self.action) else {
            let detail = "write create, update, enable, disable or delete";
            return Err(input::invalid("/action", detail));
        };
        let mut faults = Faults::default();
        let takes = [
            (
                "webhooks",
                self.webhooks.is_some(),
                action == Action::Create,
            ),
            ("patch", self.patch.is_some(), action == Action::Update),
        ];
        for (name, is_there, is_needed) in takes {
            if is_there && !is_needed {
                faults.add(format!("/{name}"), "this action takes none");
            } else if is_needed && !is_there {
                faults.add(format!("/{name}"), "this action needs it");
            }
        }
        match (self.ids.is_some(), self.filter.is_some()) {
            (false, false) if action != Action::Create => {
                faults.add("/ids", "name ids, or a filter");
            }
            (true, true) => faults.add("/filter", "name ids, or a filter, not both"),
            (true, false) if action == Action::Create => {
                faults.add("/ids", "this action takes none");
            }
            (false, true) if action == Action::Create => {
                faults.add("/filter", "this action takes none");
            }
            _ => {}
        }
        if self.cursor.is_some() && self.filter.is_none() {
            faults.add("/cursor", "a cursor goes on with a filter");
        }
        count_within(
            self.webhooks.as_ref().map(Vec::len),
            "/webhooks",
            &mut faults,
        );
        count_within(self.ids.as_ref().map(Vec::len), "/ids", &mut faults);
        faults.unless_any()?;
        Ok(action)
    }
}

fn count_within(count: Option<usize>, pointer: &str, faults: &mut Faults) {
    if count.is_some_and(|count| !(1..=MOST).contains(&count)) {
        faults.add(pointer, format!("name 1 to {MOST}"));
    }
}

impl Selected {
    fn of(body: Bulk, tenant: TenantId) -> Result<Self, Problem> {
        let mut values = body.filter.unwrap_or_default();
        if let Some(name) = values
            .keys()
            .find(|name| !filter::NAMES.contains(&name.as_str()))
        {
            let pointer = format!("/filter/{}", input::escaped(name));
            let detail = format!("a filter may hold {}", filter::NAMES.join(", "));
            return Err(input::invalid(pointer, detail));
        }
        values.extend(body.cursor.map(|cursor| ("cursor".to_owned(), cursor)));
        values.insert("limit".to_owned(), MOST.to_string());
        let query = Query::of(values, PATH)?;
        let Some(ids) = body.ids else {
            let found = filter::read(&query).map_err(|problem| problem.inside("/filter"))?;
            let which = Which::Found(found, query.window(tenant)?);
            return Ok(Self {
                which,
                named: None,
                query,
            });
        };
        let (mut faults, mut seen) = (Faults::default(), HashSet::new());
        for (index, text) in ids.iter().enumerate() {
            if !seen.insert(text) {
                faults.add(format!("/ids/{index}"), "name it once");
            }
        }
        faults.unless_any()?;
        let named: Vec<_> = ids
            .into_iter()
            .map(|text| {
                let id = text.parse().ok();
                (text, id)
            })
            .collect();
        let which = Which::Ids(named.iter().filter_map(|(_, id)| *id).collect());
        Ok(Self {
            which,
            named: Some(named),
            query,
        })
    }
}

/// Makes those that are in order, all of them in one commit.
async fn create(
    context: &Context,
    tenant: TenantId,
    asked: Vec<Value>,
    dry_run: bool,
) -> Result<HttpResponse, Problem> {
    let types = Types::of(context, tenant).await?;
    let judged: Vec<_> = asked
        .into_iter()
        .enumerate()
        .map(|(index, value)| {
            input::parse_value::<WriteWebhook>(value)
                .and_then(|body| new(context, tenant, body, &types))
                .map_err(|problem| problem.inside(&format!("/webhooks/{index}")))
        })
        .collect();
    let good: Vec<Subscription> = judged
        .iter()
        .filter_map(|judged| judged.as_ref().ok().map(|(made, _)| made.clone()))
        .collect();
    let asked = good.len();
    let (room, full) = if good.is_empty() {
        (0, None)
    } else if dry_run {
        room_for(context, tenant, asked).await?
    } else {
        let made = context.store.create_subscriptions(tenant, good).await;
        let made = made.map_err(failure::of_store)?;
        (made.number, note_made(context, &made, asked))
    };
    // Those that come first have the places that there are.
    let mut left = room;
    let judged = judged.into_iter().map(|judged| match (judged, &full) {
        (Ok(_), Some(full)) if left == 0 => Err(full.clone()),
        (judged, _) => {
            left = left.saturating_sub(usize::from(judged.is_ok()));
            judged
        }
    });
    let items = judged.map(|judged| match judged {
        Err(problem) => Ok(ItemView::refused(None, problem)),
        // Nothing was made, so there is no id and no secret to tell.
        Ok(_) if dry_run => Ok(ItemView::done(None, 201, None)),
        Ok((made, secret)) => {
            let shown = show_new(context, made, &secret)?;
            Ok(ItemView::done(Some(shown.id.to_string()), 201, Some(shown)))
        }
    });
    let items = items.collect::<Result<_, Problem>>()?;
    Ok(answer(items, None, dry_run))
}

/// For how many of so many the plan leaves room now, and what is said of the others.
async fn room_for(
    context: &Context,
    tenant: TenantId,
    asked: usize,
) -> Result<(usize, Option<Problem>), Problem> {
    let limits = context.store.find_limits(tenant).await;
    let Some(mut used) = limits.map_err(failure::of_store)?.webhooks else {
        return Ok((asked, None));
    };
    let left = used.allowed.saturating_sub(used.used);
    let left = usize::try_from(left).unwrap_or(usize::MAX);
    if left >= asked {
        return Ok((asked, None));
    }
    used.used = used.used.max(used.allowed);
    Ok((left, Some(plan::used_up(&used, context.clock.now()))))
}

async fn change(
    context: &Context,
    tenant: TenantId,
    selected: Selected,
    dry_run: bool,
    decide: impl FnMut(&Subscription) -> Result<Option<Change>, Problem> + Send + 'static,
) -> Result<HttpResponse, Problem> {
    let chosen = context
        .store
        .change_subscriptions(tenant, selected.which.clone(), dry_run, decide)
        .await
        .map_err(failure::of_store)?;
    let is_changed = |(_, outcome): &(_, _)| matches!(outcome, Outcome::Changed(_));
    if !dry_run && chosen.items.iter().any(is_changed) {
        context.broker.hint(Hint::Subscriptions);
    }
    selected.show(tenant, chosen, dry_run, |id, outcome| match outcome {
        Outcome::Changed(shown) | Outcome::Same(shown) => {
            Ok(ItemView::done(Some(id), 200, Some(view(context, *shown)?)))
        }
        Outcome::Refused(problem) => Ok(ItemView::refused(Some(id), problem)),
        Outcome::Missing => Ok(ItemView::missing(id)),
    })
}

/// Ends them, and cancels what is still owed to them. Should the process die in between, the dispatcher
/// cancels what it meets.
async fn delete(
    context: &Context,
    tenant: TenantId,
    selected: Selected,
    dry_run: bool,
) -> Result<HttpResponse, Problem> {
    let store = &context.store;
    let chosen = store
        .delete_subscriptions(tenant, selected.which.clone(), dry_run, context.clock.now())
        .await
        .map_err(failure::of_store)?;
    let ended = chosen.items.iter().filter_map(|(id, outcome)| {
        let is_ended = !matches!(outcome, Outcome::Missing);
        is_ended.then_some(*id)
    });
    let ended: Vec<SubscriptionId> = ended.collect();
    if !dry_run && !ended.is_empty() {
        context.broker.hint(Hint::Subscriptions);
        while store
            .cancel_deliveries(&ended)
            .await
            .map_err(failure::of_store)?
        {}
    }
    selected.show(tenant, chosen, dry_run, |id, outcome| {
        Ok(match outcome {
            Outcome::Missing => ItemView::missing(id),
            _ => ItemView::done(Some(id), 204, None),
        })
    })
}

impl Selected {
    /// Each in its place: also those whose names are no ids.
    fn show<R>(
        self,
        tenant: TenantId,
        chosen: Chosen<R>,
        dry_run: bool,
        mut item: impl FnMut(String, Outcome<R>) -> Result<ItemView, Problem>,
    ) -> Result<HttpResponse, Problem> {
        let next = chosen.next.map(|key| self.query.cursor(tenant, &key));
        let mut outcomes = chosen.items.into_iter();
        let items: Vec<ItemView> = match self.named {
            None => outcomes
                .map(|(id, outcome)| item(id.to_string(), outcome))
                .collect::<Result<_, _>>()?,
            Some(named) => named
                .into_iter()
                .map(|(text, id)| {
                    let outcome = id.and_then(|_| outcomes.next());
                    item(
                        text,
                        outcome.map_or(Outcome::Missing, |(_, outcome)| outcome),
                    )
                })
                .collect::<Result<_, _>>()?,
        };
        Ok(answer(items, next, dry_run))
    }
}

fn answer(data: Vec<ItemView>, next_cursor: Option<String>, dry_run: bool) -> HttpResponse {
    let failed = data.iter().filter(|item| item.problem.is_some()).count();
    HttpResponse::Ok().json(BulkView {
        dry_run,
        succeeded: data.len() - failed,
        failed,
        data,
        next_cursor,
    })
}

impl ItemView {
    const fn done(id: Option<String>, status: u16, webhook: Option<WebhookView>) -> Self {
        Self {
            id,
            status,
            webhook,
            problem: None,
        }
    }

    fn refused(id: Option<String>, problem: Problem) -> Self {
        Self {
            id,
            status: problem.code().status().as_u16(),
            webhook: None,
            problem: Some(problem),
        }
    }

    fn missing(id: String) -> Self {
        Self::refused(Some(id), failure::not_found("webhook"))
    }
}
