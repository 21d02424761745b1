//! Events that name a number, and what endpoints answered to them.

use super::{BREATH, CHANGED, Erased, having, last_of_full};
use crate::Store;
use crate::connection::{Connection, each};
use crate::error::Error;
use crate::retention::PAGE;
use crate::schema::{attempts, deliveries, events};
use crate::sql_types::Uid;
use diesel::prelude::*;
use domain::erasure::{NOTHING, Number};
use domain::event::Resource;
use domain::id::TenantId;

/// An event, by what may name a number.
type Texts = (
    Uid,
    Option<Uid>,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
);

impl Store {
    /// Blanks a number in a tenant's events, and in the answers to them.
    pub(super) async fn erase_events(
        &self,
        tenant: TenantId,
        number: &Number,
        erased: &mut Erased,
    ) -> Result<(), Error> {
        let mut after = Some(i64::MIN);
        while let Some(last) = after {
            let pattern = having(number);
            let page: Vec<(i64, Uid, Option<bool>)> = self
                .read(move |connection| {
                    Ok(each!(connection, c => events::table
                        .filter(events::tenant_id.eq(Uid::from(tenant)))
                        .filter(events::position.gt(last))
                        .order(events::position)
                        .select((
                            events::position,
                            events::id,
                            events::data.like(&pattern)
                                .or(events::resource.like(&pattern))
                                .or(events::context.like(&pattern))
                                .or(events::metadata.like(&pattern)),
                        ))
                        .limit(PAGE)
                        .load(c))?)
                })
                .await?;
            after = last_of_full(&page, PAGE, |row| row.0);
            let naming: Vec<Uid> = page
                .into_iter()
                .filter(|(.., names)| *names == Some(true))
                .map(|(_, id, _)| id)
                .collect();
            for ids in naming.chunks(CHANGED) {
                let (ids, wanted) = (ids.to_vec(), number.clone());
                let done = self.write(move |connection| blank(connection, &wanted, &ids));
                let (events, attempts) = done.await?;
                erased.events += events;
                erased.attempts += attempts;
                tokio::time::sleep(BREATH).await;
            }
        }
        Ok(())
    }
}

fn blank(
    connection: &mut Connection,
    number: &Number,
    ids: &[Uid],
) -> Result<(usize, usize), Error> {
    let rows: Vec<Texts> = each!(connection, c => events::table
        .filter(events::id.eq_any(ids))
        .select((
            events::id,
            events::message_id,
            events::data,
            events::resource,
            events::context,
            events::metadata,
        ))
        .load(c))?;
    let mut blanked = Vec::new();
    for (id, message, data, resource, context, metadata) in rows {
        let of = |text: &Option<String>| text.as_deref().and_then(|text| number.blank_json(text));
        let news = [&resource, &context, &metadata].map(of);
        let new_data = number.blank_json(&data);
        if new_data.is_none() && news.iter().all(Option::is_none) {
            continue;
        }
        let [new_resource, new_context, new_metadata] = news;
        // What is no resource any more is none.
        let resource = new_resource.or(resource).filter(|text| text != NOTHING);
        let found_by: Option<Resource> = resource
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok());
        // An event about a message is found by the message.
        let (kind, found_by) = found_by
            .filter(|_| message.is_none())
            .map(|resource| (resource.kind, resource.id))
            .unzip();
        let set = (
            events::resource_type.eq(kind),
            events::resource_id.eq(found_by),
            events::data.eq(new_data.unwrap_or(data)),
            events::resource.eq(resource),
            events::context.eq(new_context.or(context)),
            events::metadata.eq(new_metadata.or(metadata)),
        );
        each!(connection, c => diesel::update(events::table.filter(events::id.eq(id)))
            .set(set)
            .execute(c))?;
        blanked.push(id);
    }
    let attempts = blank_answers(connection, number, &blanked)?;
    Ok((blanked.len(), attempts))
}

/// An endpoint may say again what it was told.
fn blank_answers(
    connection: &mut Connection,
    number: &Number,
    of_events: &[Uid],
) -> Result<usize, Error> {
    let pattern = having(number);
    let told: Vec<Uid> = each!(connection, c => deliveries::table
        .filter(deliveries::event_id.eq_any(of_events))
        .select(deliveries::id)
        .load(c))?;
    let answers: Vec<Answer> = each!(connection, c => attempts::table
        .filter(attempts::delivery_id.eq_any(&told))
        .filter(attempts::response_body.like(&pattern).or(attempts::detail.like(&pattern)))
        .select((
            attempts::delivery_id,
            attempts::number,
            attempts::response_body,
            attempts::detail,
        ))
        .load(c))?;
    let mut blanked = 0;
    for (delivery, attempt, body, detail) in answers {
        let body = body.and_then(|body| number.blank(&body));
        let detail = detail.and_then(|detail| number.blank_json(&detail));
        if body.is_none() && detail.is_none() {
            continue;
        }
        blanked += each!(connection, c => diesel::update(attempts::table.find((delivery, attempt)))
            .set((
                body.map(|body| attempts::response_body.eq(Some(body))),
                detail.map(|detail| attempts::detail.eq(Some(detail))),
            ))
            .execute(c))?;
    }
    blank_bodies(connection, number, &told)?;
    Ok(blanked)
}

/// The delivery, the number of its attempt, what was answered, and what else was kept.
type Answer = (Uid, i32, Option<String>, Option<String>);

/// What a delivery sends of its own may name a resource by its number.
fn blank_bodies(
    connection: &mut Connection,
    number: &Number,
    deliveries: &[Uid],
) -> Result<(), Error> {
    let bodies: Vec<(Uid, Option<Vec<u8>>)> = each!(connection, c => deliveries::table
        .filter(deliveries::id.eq_any(deliveries))
        .filter(deliveries::body.is_not_null())
        .select((deliveries::id, deliveries::body))
        .load(c))?;
    for (id, body) in bodies {
        let text = body.and_then(|body| String::from_utf8(body).ok());
        let Some(blanked) = text.and_then(|text| number.blank_json(&text)) else {
            continue;
        };
        each!(connection, c => diesel::update(deliveries::table.find(id))
            .set(deliveries::body.eq(Some(blanked.as_bytes())))
            .execute(c))?;
    }
    Ok(())
}
