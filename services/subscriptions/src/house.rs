//! What the API does by itself: it forgets old idempotency keys and tokens, removes what deleted tenants have,
//! and counts subscriptions and replays.

use crate::Context;
use domain::id::TenantId;
use std::time::Duration;
use store::subscription::Count;
use store::tenant::Part;

const FORGET_EVERY: Duration = Duration::from_mins(10);
const COUNT_EVERY: Duration = Duration::from_secs(5);
/// How often somebody looks for a deleted tenant.
const REMOVE_EVERY: Duration = Duration::from_secs(5);
/// Between two pages, so that those who work go first.
const BREATH: Duration = Duration::from_millis(20);

pub(crate) fn start(context: &Context) {
    let ours = context.clone();
    context.tasks.supervise("subscriptions.count", move || {
        let context = ours.clone();
        async move {
            if !is_admitted(&context).await {
                return Ok(());
            }
            loop {
                count(&context).await?;
                tokio::select! {
                    () = tokio::time::sleep(COUNT_EVERY) => {}
                    () = context.shutdown.draining() => return Ok(()),
                }
            }
        }
    });
    let ours = context.clone();
    context.tasks.supervise("subscriptions.forget", move || {
        let context = ours.clone();
        async move {
            if !is_admitted(&context).await {
                return Ok(());
            }
            loop {
                while context.store.forget_idempotency_keys().await? > 0 {}
                while context.store.forget_requests().await? > 0 {}
                let now = context.clock.now();
                while context.store.forget_expired_tokens(now).await? > 0 {}
                tokio::select! {
                    () = tokio::time::sleep(FORGET_EVERY) => {}
                    () = context.shutdown.draining() => return Ok(()),
                }
            }
        }
    });
}

/// Removes what deleted tenants have. Any number of processes do it at once: each claims a tenant.
pub(crate) fn remove_tenants(context: &Context) {
    let ours = context.clone();
    context.tasks.supervise("subscriptions.remove", move || {
        let context = ours.clone();
        async move {
            if !is_admitted(&context).await {
                return Ok(());
            }
            loop {
                tokio::select! {
                    removed = remove_claimed(&context) => removed?,
                    () = context.shutdown.draining() => return Ok(()),
                }
                tokio::select! {
                    () = tokio::time::sleep(REMOVE_EVERY) => {}
                    () = context.shutdown.draining() => return Ok(()),
                }
            }
        }
    });
}

/// Of each that is to be looked at. One that cannot be cleared holds up no other, and is let go of at the end; where
/// the store does not take that either, somebody looks in ten minutes.
async fn remove_claimed(context: &Context) -> Result<(), store::Error> {
    let mut failed = Vec::new();
    while let Some(tenant) = context.store.claim_deleted_tenant().await? {
        if let Err(error) = clear(context, tenant).await {
            tracing::debug!(tenant.id = %tenant, %error, "a deleted tenant cannot be cleared");
            failed.push((tenant, error));
        }
    }
    for (tenant, _) in &failed {
        context.store.release_deleted_tenant(*tenant).await?;
    }
    let first = failed.into_iter().next();
    first.map_or(Ok(()), |(_, error)| Err(error))
}

async fn clear(context: &Context, tenant: TenantId) -> Result<(), store::Error> {
    let rows = remove(context, tenant).await?;
    if rows > 0 {
        tracing::info!(tenant.id = %tenant, rows, "what a deleted tenant had was removed");
    } else if context.store.forget_tenant(tenant).await? {
        tracing::info!(tenant.id = %tenant, "a deleted tenant is forgotten");
    }
    Ok(())
}

/// A page at a time; how many rows. Whoever goes on after a crash finds what is left.
async fn remove(context: &Context, tenant: TenantId) -> Result<usize, store::Error> {
    let mut rows = 0;
    for part in Part::ALL {
        loop {
            let removed = context.store.remove_page(tenant, part).await?;
            if removed == 0 {
                break;
            }
            rows += removed;
            tokio::time::sleep(BREATH).await;
        }
    }
    Ok(rows)
}

/// Waits for the store; false where the process drains first.
pub(crate) async fn is_admitted(context: &Context) -> bool {
    tokio::select! {
        () = context.admission.opened() => true,
        () = context.shutdown.draining() => false,
    }
}

async fn count(context: &Context) -> Result<(), store::Error> {
    let replays = context.store.count_replays().await?;
    for state in domain::replay::State::ALL {
        let of_state = replays.iter().filter(|(known, _)| *known == state);
        let number = of_state.map(|(_, number)| number).sum();
        context.metrics.set_replays(state.as_str(), number);
    }
    for (state, number) in context.store.count_breakers().await? {
        let number = u64::try_from(number).unwrap_or(0);
        context.metrics.set_breakers(state.as_str(), number);
    }
    let counts = context.store.count_subscriptions().await?;
    let state_of = |count: &Count| match (count.is_enabled, count.is_failing) {
        (false, _) => "disabled",
        (true, true) => "failing",
        (true, false) => "active",
    };
    for state in ["active", "failing", "disabled"] {
        let in_state = counts.iter().filter(|count| state_of(count) == state);
        let number: i64 = in_state.map(|count| count.number).sum();
        context
            .metrics
            .set_subscriptions(state, u64::try_from(number).unwrap_or(0));
    }
    Ok(())
}
