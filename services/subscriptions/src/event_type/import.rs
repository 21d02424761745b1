//! Many types at once, from a document: each is judged by itself, and told what became of it.

use super::add::{self, Newest};
use super::check_description;
use super::demand::ImportType;
use crate::caller::Caller;
use crate::input::{self, Faults, present};
use crate::{Context, Desk, failure};
use actix_web::web::{self, Payload};
use actix_web::{HttpRequest, HttpResponse};
use catalog::{Draft, Fault};
use domain::catalog::{MAX_VERSIONS, judge_own_name};
use domain::id::TenantId;
use domain::json::Raw;
use runtime::http::Problem;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use store::event_type::{Added, EventType, NewVersion};
use utoipa::ToSchema;

/// Types to bring: exactly one of `openapi`, `schemas` and `types`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImportEventTypes, examples(json!({
    "dry_run": true,
    "types": [{ "name": "shop.order_placed", "schema": { "type": "object" }, "example": { "number": 1 } }],
})))]
struct Import {
    /// Only says what would be done.
    #[serde(default)]
    dry_run: bool,
    /// A document of `OpenAPI` 3.1: its webhooks.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Object, required = false)]
    openapi: Option<Raw>,
    /// JSON Schemas by the names of the types. Their `examples` bring the example.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = BTreeMap<String, Object>, required = false)]
    schemas: Option<BTreeMap<String, Raw>>,
    /// A list of types.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<ImportType>, required = false, min_items = 1)]
    types: Option<Vec<ImportType>>,
}

/// What became of the types of a document.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportedEventTypes, examples(json!({
    "dry_run": true,
    "data": [{ "name": "shop.order_placed", "result": "created", "version": 1, "errors": [] }],
})))]
struct ImportView {
    /// Whether nothing was written.
    dry_run: bool,
    /// Each in its place.
    data: Vec<ItemView>,
}

/// What became of one type.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportedItem)]
struct ItemView {
    /// Its name.
    name: String,
    /// What was, or would be, done.
    #[schema(schema_with = results)]
    result: &'static str,
    /// Its newest version; null of one that was refused.
    version: Option<u32>,
    /// Why it was refused.
    errors: Vec<FaultView>,
}

fn results() -> utoipa::openapi::schema::Object {
    crate::openapi::said(
        "What was, or would be, done.",
        crate::openapi::word(["created", "version_added", "unchanged", "refused"]),
    )
}

/// Something that is wrong.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportFault)]
struct FaultView {
    /// Where: a JSON Pointer into the body.
    pointer: String,
    /// What, and what to write instead.
    detail: String,
}

/// A type of a document.
struct Item {
    name: String,
    /// Where it is in the request.
    at: String,
    description: Option<String>,
    is_deprecated: bool,
    draft: Result<Draft, Vec<Fault>>,
}

/// What is to be done with one.
enum Judged {
    Add(Box<NewVersion>),
    Unchanged(u32),
    Refused(Vec<Fault>),
}

/// What is there already, by name.
struct There {
    /// The tenant's own.
    own: HashMap<String, Newest>,
    /// Others that count for it.
    others: HashSet<String>,
}

/// Bring many event types
///
/// From a document of `OpenAPI` 3.1, from JSON Schemas by name, or from a list: new ones are made, and those that say
/// something new get a version. Each is judged by itself. With `dry_run` nothing is written.
#[utoipa::path(
    post,
    path = "/v1/event-types/import",
    tag = "Event types",
    operation_id = "import_event_types",
    request_body = Import,
    responses((status = 200, description = "What became of each", body = ImportView)),
)]
pub(super) async fn import(
    request: HttpRequest,
    payload: Payload,
    desk: web::Data<Desk>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let (_, body) = input::read::<Import>(&request, payload).await?;
    let dry_run = body.dry_run;
    let items = items(body)?;
    let context = &desk.context;
    let there = there(context, caller.tenant, &items).await?;
    let names: Vec<String> = items.iter().map(|item| item.name.clone()).collect();
    let judged = web::block(move || judge_all(items, &there)).await;
    let mut judged = judged.map_err(|_| failure::away())?;
    if !dry_run {
        write(context, caller.tenant, &mut judged).await?;
    }
    let data = names
        .into_iter()
        .zip(judged)
        .map(|(name, judged)| show(name, judged));
    Ok(HttpResponse::Ok().json(ImportView {
        dry_run,
        data: data.collect(),
    }))
}

fn items(body: Import) -> Result<Vec<Item>, Problem> {
    match (body.openapi, body.schemas, body.types) {
        (Some(document), None, None) => of_document(&document),
        (None, Some(schemas), None) => {
            add::check_count("/schemas", schemas.len())?;
            Ok(schemas.into_iter().map(of_schema).collect())
        }
        (None, None, Some(types)) => {
            add::check_count("/types", types.len())?;
            Ok(types.into_iter().enumerate().map(of_type).collect())
        }
        _ => Err(input::invalid(
            "",
            "write one of openapi, schemas and types",
        )),
    }
}

fn of_document(document: &Raw) -> Result<Vec<Item>, Problem> {
    let value: Value = serde_json::from_str(document.as_str()).unwrap_or_default();
    let found =
        catalog::webhooks(&value).map_err(|fault| super::refusal("/openapi", vec![fault]))?;
    let item = |one: catalog::Described| Item {
        name: one.name,
        at: format!("/openapi{}", one.pointer),
        description: one.description.map(cut),
        is_deprecated: one.is_deprecated,
        draft: match one.body {
            Ok((schema, example)) => Ok(draft(schema, example)),
            Err(fault) => Err(vec![Fault::new("", fault.detail)]),
        },
    };
    Ok(found.into_iter().map(item).collect())
}

fn of_schema((name, schema): (String, Raw)) -> Item {
    let value: Value = serde_json::from_str(schema.as_str()).unwrap_or_default();
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let example = value.get("examples").and_then(|all| all.get(0));
    Item {
        at: format!("/schemas/{}", input::escaped(&name)),
        name,
        description: text("description").or_else(|| text("title")).map(cut),
        is_deprecated: value.get("deprecated").and_then(Value::as_bool) == Some(true),
        draft: match example {
            Some(example) => Ok(draft(schema, Raw::of(example))),
            None => Err(vec![Fault::new(
                "/examples",
                "bring an example in the schema's examples",
            )]),
        },
    }
}

fn of_type((index, one): (usize, ImportType)) -> Item {
    Item {
        at: format!("/types/{index}"),
        name: one.name,
        description: one.description,
        is_deprecated: one.deprecated,
        draft: Ok(Draft {
            schema: one.schema,
            example: one.example,
            is_breaking: one.breaking,
            upgrade: one.upgrade,
            downgrade: one.downgrade,
        }),
    }
}

fn draft(schema: Raw, example: Raw) -> Draft {
    Draft {
        schema,
        example,
        is_breaking: false,
        upgrade: None,
        downgrade: None,
    }
}

/// Documents say more than a description holds.
fn cut(text: String) -> String {
    let plain: String = text
        .chars()
        .filter(|c| !c.is_control() || *c == '\n')
        .collect();
    plain.chars().take(super::MAX_DESCRIPTION_CHARS).collect()
}

async fn there(context: &Context, tenant: TenantId, items: &[Item]) -> Result<There, Problem> {
    let names: Vec<String> = items.iter().map(|item| item.name.clone()).collect();
    let store = &context.store;
    let own = store.newest_versions(tenant, names.clone()).await;
    let all = store.find_event_types(tenant, names).await;
    let (own, all) = (
        own.map_err(failure::of_store)?,
        all.map_err(failure::of_store)?,
    );
    let is_other = |of: &EventType| of.owner != tenant;
    Ok(There {
        own: own
            .into_iter()
            .map(|one| (one.0.name.clone(), one))
            .collect(),
        others: all.into_iter().filter(is_other).map(|of| of.name).collect(),
    })
}

fn judge_all(items: Vec<Item>, there: &There) -> Vec<Judged> {
    let mut seen = HashSet::new();
    items
        .into_iter()
        .map(|item| {
            let is_new = seen.insert(item.name.clone());
            let at = item.at.clone();
            match judge(item, there, is_new) {
                Ok(judged) => judged,
                Err(faults) => Judged::Refused(
                    faults
                        .into_iter()
                        .map(|fault| Fault::new(format!("{at}{}", fault.pointer), fault.detail))
                        .collect(),
                ),
            }
        })
        .collect()
}

fn judge(item: Item, there: &There, is_new: bool) -> Result<Judged, Vec<Fault>> {
    let refuse = |pointer: &str, detail: String| Err(vec![Fault::new(pointer, detail)]);
    if let Err(error) = judge_own_name(&item.name) {
        return refuse("", error.to_string());
    }
    if !is_new {
        return refuse("", "this name is there twice".to_owned());
    }
    if there.others.contains(&item.name) {
        return refuse("", "this type is the operator's".to_owned());
    }
    let mut faults = Faults::default();
    check_description(&mut faults, item.description.as_deref());
    if let Err(problem) = faults.unless_any() {
        return refuse("/description", problem.detail().to_owned());
    }
    let draft = item.draft?;
    let newest = there.own.get(&item.name).map(|(_, newest)| newest);
    if let Some(newest) = newest {
        if add::says_the_same(&draft, newest) {
            return Ok(Judged::Unchanged(newest.number));
        }
        if newest.number >= MAX_VERSIONS {
            return refuse("", format!("a type has at most {MAX_VERSIONS} versions"));
        }
    }
    catalog::judge(&draft, newest.map(add::standing).as_ref())?;
    let number = newest.map_or(1, |newest| newest.number + 1);
    Ok(Judged::Add(Box::new(NewVersion {
        description: item.description,
        is_deprecated: item.is_deprecated,
        ..add::addition(item.name, number, draft)
    })))
}

/// Writes what is to be added; what was overtaken is refused after all.
async fn write(context: &Context, tenant: TenantId, judged: &mut [Judged]) -> Result<(), Problem> {
    let wanted = |one: &Judged| match one {
        Judged::Add(addition) => Some(NewVersion::clone(addition)),
        Judged::Unchanged(_) | Judged::Refused(_) => None,
    };
    let additions: Vec<NewVersion> = judged.iter().filter_map(wanted).collect();
    if additions.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = additions.iter().map(|one| one.name.clone()).collect();
    let added = context
        .store
        .add_event_type_versions(tenant, additions, context.clock.now())
        .await
        .map_err(failure::of_store)?;
    for name in &names {
        context.catalog.forget(name);
    }
    let to_add = judged
        .iter_mut()
        .filter(|one| matches!(one, Judged::Add(_)));
    for (one, added) in to_add.zip(added) {
        let detail = match added {
            Added::New => continue,
            Added::Overtaken => add::overtaken(),
            Added::TooMany => add::too_many(),
        };
        *one = Judged::Refused(vec![Fault::new("", detail)]);
    }
    Ok(())
}

fn show(name: String, judged: Judged) -> ItemView {
    let (result, version, faults) = match judged {
        Judged::Add(one) if one.number == 1 => ("created", Some(1), Vec::new()),
        Judged::Add(one) => ("version_added", Some(one.number), Vec::new()),
        Judged::Unchanged(number) => ("unchanged", Some(number), Vec::new()),
        Judged::Refused(faults) => ("refused", None, faults),
    };
    let errors = faults.into_iter().map(|fault| FaultView {
        pointer: fault.pointer,
        detail: fault.detail,
    });
    ItemView {
        name: domain::text::cut(&name, 128).to_owned(),
        result,
        version,
        errors: errors.collect(),
    }
}
