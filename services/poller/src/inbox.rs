//! Messages from phones that a provider keeps until they are fetched.

use crate::account::Names;
use crate::ask::{Asker, Failed, Stop, reply};
use crate::publish::{Received, publish};
use domain::callback::Kind;
use providers::ask::InboxApi;
use std::time::Duration;
use store::poll::{Inbox, Lease, Recorded};
use telemetry::trace::Kind as SpanKind;

/// How often an inbox is read.
pub(crate) const READ_EVERY: Duration = Duration::from_mins(1);
/// How often in a row, where there is more.
const MOST_FETCHES: usize = 20;

/// The providers whose inboxes can be read.
pub(crate) fn providers() -> Vec<&'static str> {
    let all = providers::registry::all().iter();
    let with = all.filter(|provider| provider.inbox_api().is_some());
    with.map(|provider| provider.name()).collect()
}

/// Reads an account's inbox, where that is due; whether it was. What came is published before the place is written down: a death
/// between them fetches and publishes it again.
pub(crate) async fn read(
    asker: &mut Asker<'_>,
    api: &'static dyn InboxApi,
    names: &Names,
    lease: &Lease,
) -> Result<bool, Failed> {
    let context = asker.context;
    let known = context.store.find_inbox(lease.account_id).await;
    let known = known.map_err(Stop::from)?;
    let now = context.clock.now();
    if known
        .as_ref()
        .is_some_and(|inbox| inbox.fetched_at.plus(READ_EVERY) > now)
    {
        return Ok(false);
    }
    let mut cursor = known.and_then(|inbox| inbox.cursor);
    for _ in 0..MOST_FETCHES {
        let mut span = context.tracer.start("fetch inbox", SpanKind::Client, None);
        span.set("account.id", lease.account_id.to_string().as_str());
        let response = asker
            .send(api.request(&asker.api.access, cursor.as_deref()))
            .await?;
        let at = context.clock.now();
        let fetched = api
            .read(&asker.api.access, reply(&response))
            .map_err(|it| asker.with_wait(it, &response))?;
        if !fetched.statements.is_empty() {
            let received = Received {
                content_type: reply(&response).content_type.map(str::to_owned),
                body: response.body.to_vec(),
            };
            let (kind, said) = (Kind::Inbound, fetched.statements);
            publish(context, names, kind, said, received, at, &span)
                .await
                .map_err(Stop::Ours)?;
        }
        cursor = fetched.cursor.or(cursor);
        let read = Inbox {
            cursor: cursor.clone(),
            fetched_at: at,
        };
        let recorded = context.store.record_inbox(lease, read).await;
        if recorded.map_err(Stop::from)? == Recorded::LeaseLost {
            return Err(Stop::Lost.into());
        }
        if !fetched.has_more {
            break;
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
