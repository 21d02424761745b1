//! Keeps the chain: entries get their places, and its head is told where nobody can change it afterwards.

use crate::Context;
use crate::house::is_admitted;
use domain::Timestamp;
use domain::audit::to_hex;
use std::time::Duration;

/// How long an entry waits for its place.
const CHAIN_EVERY: Duration = Duration::from_secs(1);
/// How often the head is told. Whoever keeps logs elsewhere notices what is cut off or written anew since.
const TELL_EVERY: Duration = Duration::from_hours(1);

/// Any number of processes do it at once: one at a time gets the head.
pub(crate) fn keep_chain(context: &Context) {
    let ours = context.clone();
    context.tasks.supervise("subscriptions.audit", move || {
        let context = ours.clone();
        async move {
            if !is_admitted(&context).await {
                return Ok(());
            }
            let mut told_at = None;
            loop {
                while context.store.chain_audit().await? > 0 {}
                if is_due(told_at, context.clock.now()) {
                    tell(&context).await?;
                    told_at = Some(context.clock.now());
                }
                tokio::select! {
                    () = tokio::time::sleep(CHAIN_EVERY) => {}
                    () = context.shutdown.draining() => return Ok(()),
                }
            }
        }
    });
}

fn is_due(told_at: Option<Timestamp>, now: Timestamp) -> bool {
    told_at.is_none_or(|told_at| now.since(told_at) >= TELL_EVERY)
}

async fn tell(context: &Context) -> Result<(), store::Error> {
    let (head, anchor) = context.store.audit_ends().await?;
    context.metrics.set_audit_head(head.position, &head.hash);
    tracing::info!(
        position = head.position,
        hash = to_hex(&head.hash),
        begins_after = anchor.position,
        "the head of the audit log"
    );
    Ok(())
}
