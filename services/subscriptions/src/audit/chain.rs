//! `GET /v1/audit/chain`: everybody's entries in the order of the chain, to verify it or take it away.

use super::view::EntryView;
use crate::caller::Operator;
use crate::list::Query;
use crate::openapi::{parameters, query};
use crate::{Desk, failure};
use actix_web::{HttpRequest, HttpResponse, web};
use domain::audit::{Link, to_hex};
use runtime::http::Problem;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Type};

/// How many entries are on a page.
const USUAL: u32 = 200;
const MOST: u32 = 500;

parameters! {
    /// Which part of the chain.
    Part:
    query("after", "Only what comes after this position: 0 unless you say otherwise", ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .build()),
    query("limit", "How many to a page", ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(MOST))
        .default(Some(USUAL.into()))
        .build()),
}

/// A part of the chain, and its ends as they were when it was read.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditChain, examples(json!({
    "head": { "position": 0, "hash": "0000000000000000000000000000000000000000000000000000000000000000" },
    "anchor": { "position": 0, "hash": "0000000000000000000000000000000000000000000000000000000000000000" },
    "data": [],
})))]
struct ChainView {
    /// The newest place.
    head: LinkView,
    /// The place after which the chain begins: of the last entry that is no longer kept, or position 0.
    anchor: LinkView,
    /// The entries, oldest first; none after the newest.
    data: Vec<EntryView>,
}

/// A place in the chain.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditLink)]
struct LinkView {
    /// Its number.
    position: i64,
    /// The hash of the entry there.
    hash: String,
}

/// Walk the audit log
///
/// Everybody's entries in the order of the chain, oldest first, with the ends of the chain. Go on with the last
/// position as `after`.
#[utoipa::path(
    get,
    path = "/v1/audit/chain",
    tag = "Audit log",
    operation_id = "walk_audit_chain",
    params(Part),
    responses((status = 200, description = "A part of it", body = ChainView)),
)]
pub(super) async fn chain(
    request: HttpRequest,
    desk: web::Data<Desk>,
    _: Operator,
) -> Result<HttpResponse, Problem> {
    let query = Query::read(&request, &["after", "limit"])?;
    let position = |text: &str| text.parse().ok().filter(|position: &i64| *position >= 0);
    let limit = |text: &str| text.parse().ok().filter(|it: &u32| (1..=MOST).contains(it));
    let after = query.parsed("after", position, "a whole number, 0 or more")?;
    let limit = query.parsed("limit", limit, "a whole number from 1 to 500")?;
    let part = desk
        .context
        .store
        .audit_chain(after.unwrap_or(0), limit.unwrap_or(USUAL))
        .await
        .map_err(failure::of_store)?;
    Ok(HttpResponse::Ok().json(ChainView {
        head: part.head.into(),
        anchor: part.anchor.into(),
        data: part.entries.into_iter().map(EntryView::from).collect(),
    }))
}

impl From<Link> for LinkView {
    fn from(link: Link) -> Self {
        Self {
            position: link.position,
            hash: to_hex(&link.hash),
        }
    }
}
