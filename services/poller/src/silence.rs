//! The end of messages of which nothing was heard: a report that says so, through the same door as every other.

use crate::Context;
use crate::account::{Account, Names};
use crate::publish::{Received, publish};
use domain::callback::{Kind, Statement};
use domain::erasure::BLANK;
use domain::id::AccountId;
use domain::poll::{SILENCE, SILENCE_REASON};
use domain::report::Report;
use domain::{State, Timestamp};
use std::collections::BTreeMap;
use store::poll::DueMessage;
use telemetry::Span;

/// How many messages one job gives up.
const AT_ONCE: usize = 50;

/// Says of these messages that no report came; returns when that is safe.
pub(crate) async fn tell(
    context: &Context,
    account: &Account,
    account_id: AccountId,
    messages: &[&DueMessage],
    now: Timestamp,
    span: &Span,
) -> Result<(), String> {
    // Of an account that was deleted the messages say whose it was, and to others it was not shown.
    let mut by_tenant: BTreeMap<_, (Names, Vec<Statement>)> = BTreeMap::new();
    for message in messages {
        let names = account.names_of(account_id, message);
        let (_, statements) = by_tenant
            .entry(names.tenant_id)
            .or_insert_with(|| (names, Vec::new()));
        statements.push(Statement::Report(report(message, account.silence.state)));
    }
    for (names, statements) in by_tenant.into_values() {
        for some in statements.chunks(AT_ONCE) {
            let (some, nothing) = (some.to_vec(), Received::default());
            publish(context, &names, Kind::Reports, some, nothing, now, span).await?;
        }
    }
    Ok(())
}

/// Nobody contradicts it: it is no provider's word.
fn report(message: &DueMessage, state: State) -> Report {
    Report {
        provider_message_id: message.provider_message_id.clone(),
        client_reference: message.client_reference.clone(),
        recipient: Some(message.to.clone()).filter(|to| to != BLANK),
        part: None,
        word: SILENCE.to_owned(),
        state: Some(state),
        is_temporary: true,
        provider_time: None,
        failure_reason: Some(SILENCE_REASON.to_owned()),
        failure_class: None,
        network_code: None,
        cost: None,
        provider_response: None,
    }
}
