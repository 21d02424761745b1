//! New types and versions: judged away from the threads that serve, then written.

use super::demand::{CreateType, CreateVersion};
use super::{check_description, refusal};
use crate::input::{self, Faults};
use crate::{Context, failure};
use actix_web::web;
use catalog::{Draft, Fault, Standing};
use domain::catalog::{MAX_OWN_TYPES, MAX_VERSIONS, judge_own_name};
use domain::id::TenantId;
use runtime::http::{Code, Problem};
use store::event_type::{Added, EventType, NewVersion, Version};

/// A type that is there, with its newest version.
pub(super) type Newest = (EventType, Version);

pub(super) async fn create(
    context: &Context,
    tenant: TenantId,
    wanted: CreateType,
) -> Result<Newest, Problem> {
    let mut faults = Faults::default();
    if let Err(error) = judge_own_name(&wanted.name) {
        faults.add("/name", error.to_string());
    }
    check_description(&mut faults, wanted.description.as_deref());
    faults.unless_any()?;
    let names = vec![wanted.name.clone()];
    let there = context.store.find_event_types(tenant, names).await;
    if !there.map_err(failure::of_store)?.is_empty() {
        let detail = format!("there is a type {} already", wanted.name);
        return Err(conflict("/name", detail));
    }
    let draft = wanted.draft();
    judge(draft.clone(), None)
        .await?
        .map_err(|faults| refusal("", faults))?;
    let addition = NewVersion {
        description: wanted.description,
        is_deprecated: wanted.deprecated,
        ..addition(wanted.name, 1, draft)
    };
    let (name, at) = (addition.name.clone(), context.clock.now());
    let (description, is_deprecated) = (addition.description.clone(), addition.is_deprecated);
    let version = version_of(&addition, at);
    add(context, tenant, addition).await?;
    let of = EventType {
        owner: tenant,
        name,
        description,
        is_deprecated,
        is_archived: false,
        newest: 1,
        created_at: at,
        updated_at: at,
    };
    Ok((of, version))
}

pub(super) async fn add_version(
    context: &Context,
    tenant: TenantId,
    name: String,
    wanted: CreateVersion,
) -> Result<Version, Problem> {
    let found = context
        .store
        .newest_versions(tenant, vec![name.clone()])
        .await
        .map_err(failure::of_store)?;
    let (_, newest) = found
        .into_iter()
        .next()
        .ok_or_else(|| failure::not_found("event type"))?;
    let draft = Draft::from(wanted);
    if says_the_same(&draft, &newest) {
        let detail = format!("version {} says the same", newest.number);
        return Err(conflict("/schema", detail));
    }
    if newest.number >= MAX_VERSIONS {
        let detail = format!("a type has at most {MAX_VERSIONS} versions");
        return Err(conflict("/schema", detail));
    }
    let judged = judge(draft.clone(), Some(standing(&newest))).await?;
    judged.map_err(|faults| refusal("", faults))?;
    let addition = addition(name, newest.number + 1, draft);
    let version = version_of(&addition, context.clock.now());
    add(context, tenant, addition).await?;
    Ok(version)
}

/// Writes one.
async fn add(context: &Context, tenant: TenantId, addition: NewVersion) -> Result<(), Problem> {
    let name = addition.name.clone();
    let added = context
        .store
        .add_event_type_versions(tenant, vec![addition], context.clock.now())
        .await
        .map_err(failure::of_store)?;
    context.catalog.forget(&name);
    match added.first() {
        Some(Added::New) => Ok(()),
        Some(Added::Overtaken) => Err(conflict("/name", overtaken())),
        Some(Added::TooMany) => Err(conflict("/name", too_many())),
        None => Err(failure::broken()),
    }
}

pub(super) fn overtaken() -> String {
    "somebody else changed this type meanwhile: look at it and try again".to_owned()
}

pub(super) fn too_many() -> String {
    format!("there are {MAX_OWN_TYPES} types already, archived ones included")
}

/// Judges a version on a thread that may take its time.
async fn judge(draft: Draft, newest: Option<Standing>) -> Result<Result<(), Vec<Fault>>, Problem> {
    let judged = web::block(move || catalog::judge(&draft, newest.as_ref())).await;
    judged.map_err(|_| failure::away())
}

pub(super) fn standing(newest: &Version) -> Standing {
    Standing {
        schema: newest.schema.clone(),
        example: newest.example.clone(),
    }
}

/// Whether nothing would change.
pub(super) fn says_the_same(draft: &Draft, newest: &Version) -> bool {
    draft.schema.means_the_same(&newest.schema) && draft.example.means_the_same(&newest.example)
}

pub(super) fn addition(name: String, number: u32, draft: Draft) -> NewVersion {
    NewVersion {
        name,
        description: None,
        is_deprecated: false,
        number,
        schema: draft.schema,
        example: draft.example,
        is_breaking: draft.is_breaking,
        upgrade: draft.upgrade,
        downgrade: draft.downgrade,
    }
}

fn version_of(addition: &NewVersion, at: domain::Timestamp) -> Version {
    Version {
        number: addition.number,
        schema: addition.schema.clone(),
        example: addition.example.clone(),
        is_breaking: addition.is_breaking,
        upgrade: addition.upgrade.clone(),
        downgrade: addition.downgrade.clone(),
        created_at: at,
    }
}

fn conflict(at: &str, detail: String) -> Problem {
    Problem::new(Code::Conflict, detail.clone()).at(at, detail)
}

/// Refuses a list that is empty, or longer than may be brought at once.
pub(super) fn check_count(at: &str, count: usize) -> Result<(), Problem> {
    let most = catalog::MAX_ITEMS;
    if (1..=most).contains(&count) {
        return Ok(());
    }
    Err(input::invalid(at, format!("bring 1 to {most} types")))
}
