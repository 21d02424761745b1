//! Messages to and from a number, and what their histories say of it.

use super::{BREATH, CHANGED, Erased, callback, having, last_of_full};
use crate::Store;
use crate::connection::{Connection, each};
use crate::error::Error;
use crate::retention::PAGE;
use crate::schema::{message_history, messages, polls, send_attempts};
use crate::send_attempt::erased_identity;
use crate::sql_types::Uid;
use diesel::prelude::*;
use domain::erasure::{BLANK, Number};
use domain::id::{AccountId, TenantId};
use domain::report::DedupeKey;
use uuid::Uuid;

/// A message, by what may name a number.
type Texts = (
    Uid,
    Uid,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
);

impl Store {
    /// Blanks the messages to a number, with their histories and the callbacks that told them.
    pub(super) async fn erase_recipients(
        &self,
        tenant: TenantId,
        number: &Number,
        erased: &mut Erased,
    ) -> Result<(), Error> {
        loop {
            let wanted = number.clone();
            let limit = i64::try_from(CHANGED).unwrap_or(PAGE);
            let page = self.write(move |connection| {
                let ids: Vec<Uid> = each!(connection, c => messages::table
                    .filter(messages::tenant_id.eq(Uid::from(tenant)))
                    .filter(messages::recipient.eq(wanted.as_e164()))
                    .order(messages::id)
                    .select(messages::id)
                    .limit(limit)
                    .load(c))?;
                blank(connection, tenant, &wanted, &ids)
            });
            let page = page.await?;
            if page.messages == 0 {
                return Ok(());
            }
            erased.messages += page.messages;
            erased.history += page.history;
            erased.callbacks += page.callbacks;
            tokio::time::sleep(BREATH).await;
        }
    }

    /// Blanks what else of a tenant's messages names a number: their senders, metadata and reasons.
    pub(super) async fn erase_in_messages(
        &self,
        tenant: TenantId,
        number: &Number,
        erased: &mut Erased,
    ) -> Result<(), Error> {
        let mut after = Some(Uid(Uuid::nil()));
        while let Some(last) = after {
            let pattern = having(number);
            let page: Vec<(Uid, Option<bool>)> = self
                .read(move |connection| {
                    Ok(each!(connection, c => messages::table
                        .filter(messages::tenant_id.eq(Uid::from(tenant)))
                        .filter(messages::id.gt(last))
                        .order(messages::id)
                        .select((
                            messages::id,
                            messages::sender.like(&pattern)
                                .or(messages::metadata.like(&pattern))
                                .or(messages::failure_reason.like(&pattern)),
                        ))
                        .limit(PAGE)
                        .load(c))?)
                })
                .await?;
            after = last_of_full(&page, PAGE, |row| row.0);
            let naming = page.into_iter().filter(|(_, names)| *names == Some(true));
            let naming: Vec<Uid> = naming.map(|(id, _)| id).collect();
            for ids in naming.chunks(CHANGED) {
                let (ids, wanted) = (ids.to_vec(), number.clone());
                let done = self.write(move |connection| blank(connection, tenant, &wanted, &ids));
                let done = done.await?;
                erased.messages += done.messages;
                erased.history += done.history;
                erased.callbacks += done.callbacks;
                tokio::time::sleep(BREATH).await;
            }
        }
        Ok(())
    }
}

fn blank(
    connection: &mut Connection,
    tenant: TenantId,
    number: &Number,
    ids: &[Uid],
) -> Result<Erased, Error> {
    let mut erased = Erased::default();
    let rows: Vec<Texts> = each!(connection, c => messages::table
        .filter(messages::id.eq_any(ids))
        .select((
            messages::id,
            messages::account_id,
            messages::recipient,
            messages::sender,
            messages::metadata,
            messages::failure_reason,
        ))
        .load(c))?;
    for (id, account, recipient, sender, metadata, reason) in rows {
        let is_to = recipient == number.as_e164();
        let blanked = |text: &Option<String>| text.as_deref().and_then(|text| number.blank(text));
        let sender_blanked = blanked(&sender);
        let reason_blanked = blanked(&reason);
        let metadata_blanked = metadata.as_deref().and_then(|text| number.blank_json(text));
        if !is_to
            && sender_blanked.is_none()
            && reason_blanked.is_none()
            && metadata_blanked.is_none()
        {
            continue;
        }
        let set = (
            messages::sender.eq(sender_blanked.or(sender)),
            messages::metadata.eq(metadata_blanked.or(metadata)),
            messages::failure_reason.eq(reason_blanked.or(reason)),
        );
        erased.messages += each!(connection, c => diesel::update(messages::table.find(id))
            .set(set)
            .execute(c))?;
        if is_to {
            // The key was made of the number too, and there are not many numbers.
            let id_bytes = id.0.into_bytes();
            let fields = [Some(id_bytes.as_slice())];
            let key = DedupeKey::of("erased message", AccountId::from(account), &fields).0;
            each!(connection, c => diesel::update(messages::table.find(id))
                .set((
                    messages::recipient.eq(BLANK),
                    messages::identity_key.eq(key.as_slice()),
                ))
                .execute(c))?;
            blank_send_attempts(connection, id)?;
        }
    }
    // What providers answered may name a number as well.
    each!(connection, c => diesel::update(polls::table.filter(polls::message_id.eq_any(ids)))
        .set(polls::detail.eq(None::<String>))
        .execute(c))?;
    erased.history = blank_history(connection, number, ids)?;
    let told: Vec<Option<Uid>> = each!(connection, c => message_history::table
        .filter(message_history::message_id.eq_any(ids))
        .filter(message_history::callback_id.is_not_null())
        .select(message_history::callback_id)
        .load(c))?;
    let told: Vec<Uid> = told.into_iter().flatten().collect();
    erased.callbacks = callback::remove(connection, tenant, &told)?;
    Ok(erased)
}

/// Their keys were made of the number as well. A message has a few.
fn blank_send_attempts(connection: &mut Connection, message: Uid) -> Result<(), Error> {
    let attempts: Vec<(i32, Uid)> = each!(connection, c => send_attempts::table
        .filter(send_attempts::message_id.eq(message))
        .select((send_attempts::number, send_attempts::account_id))
        .load(c))?;
    for (number, account) in attempts {
        let key = erased_identity(
            message.into(),
            account.into(),
            u32::try_from(number).unwrap_or(0),
        );
        each!(connection, c => diesel::update(send_attempts::table.find((message, number)))
            .set(send_attempts::identity_key.eq(key.as_slice()))
            .execute(c))?;
    }
    Ok(())
}

/// A line of a history: whose, which, and its texts.
type Line = (
    Uid,
    i32,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
);

fn blank_history(
    connection: &mut Connection,
    number: &Number,
    ids: &[Uid],
) -> Result<usize, Error> {
    let pattern = having(number);
    let lines: Vec<Line> = each!(connection, c => message_history::table
        .filter(message_history::message_id.eq_any(ids))
        .filter(message_history::word.like(&pattern)
            .or(message_history::failure_reason.like(&pattern))
            .or(message_history::reason.like(&pattern))
            .or(message_history::provider_response.like(&pattern)))
        .select((
            message_history::message_id,
            message_history::ordinal,
            message_history::word,
            message_history::failure_reason,
            message_history::reason,
            message_history::provider_response,
        ))
        .load(c))?;
    let mut blanked = 0;
    let blank = |text: &Option<String>| text.as_deref().and_then(|text| number.blank(text));
    for (id, ordinal, word, failure_reason, reason, response) in lines {
        let new_word = number.blank(&word);
        let (new_failure_reason, new_reason) = (blank(&failure_reason), blank(&reason));
        let new_response = blank(&response);
        if [&new_word, &new_failure_reason, &new_reason, &new_response]
            .iter()
            .all(|text| text.is_none())
        {
            continue;
        }
        let set = (
            message_history::word.eq(new_word.unwrap_or(word)),
            message_history::failure_reason.eq(new_failure_reason.or(failure_reason)),
            message_history::reason.eq(new_reason.or(reason)),
            message_history::provider_response.eq(new_response.or(response)),
        );
        blanked += each!(connection, c => diesel::update(message_history::table.find((id, ordinal)))
            .set(set)
            .execute(c))?;
    }
    Ok(blanked)
}
