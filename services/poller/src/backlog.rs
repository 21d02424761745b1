//! What is before the pollers, counted now and then: a scrape of the metrics never looks into a table.

use crate::Context;
use std::collections::BTreeSet;
use std::time::Duration;
use store::poll::RestReason;

const COUNT_EVERY: Duration = Duration::from_secs(15);

pub(crate) fn start(context: &Context) {
    let context = context.clone();
    context.tasks.clone().supervise("poller.backlog", move || {
        let context = context.clone();
        async move {
            let mut told = askable();
            loop {
                count(&context, &mut told).await?;
                tokio::select! {
                    () = tokio::time::sleep(COUNT_EVERY) => {}
                    () = context.shutdown.draining() => return Ok(()),
                }
            }
        }
    });
}

/// The providers that can be asked.
fn askable() -> BTreeSet<String> {
    let all = providers::registry::all().iter();
    let askable = all.filter(|provider| providers::access::is_askable(**provider));
    askable.map(|provider| provider.name().to_owned()).collect()
}

/// Providers that were told once are told as long as the process lives: a number that went away would stay.
async fn count(context: &Context, told: &mut BTreeSet<String>) -> Result<(), store::Error> {
    let backlog = context.store.poll_backlog().await?;
    let now = context.clock.now();
    let overdue = backlog
        .oldest
        .map_or(0.0, |oldest| now.since(oldest).as_secs_f64());
    context.metrics.set_poll_oldest_overdue(overdue);
    told.extend(backlog.resting.keys().map(|(provider, _)| provider.clone()));
    for provider in told.iter() {
        for reason in RestReason::ALL {
            let resting = backlog.resting.get(&(provider.clone(), reason));
            let count = resting.copied().unwrap_or(0);
            context
                .metrics
                .set_provider_breakers(provider, reason.as_str(), count);
        }
    }
    Ok(())
}
