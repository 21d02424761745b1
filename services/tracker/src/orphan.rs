//! How many reports wait for their messages.

use crate::Context;
use std::time::Duration;

/// How often orphans are counted: a scrape of the metrics never looks into a table.
const COUNT_EVERY: Duration = Duration::from_secs(15);

pub(crate) fn start(context: &Context) {
    let context = context.clone();
    context.tasks.clone().supervise("tracker.orphans", move || {
        let context = context.clone();
        async move {
            loop {
                let count = context.store.count_orphans().await?;
                let age = count.oldest.map_or(0.0, |oldest| {
                    context.clock.now().since(oldest).as_secs_f64()
                });
                context
                    .metrics
                    .set_orphans(u64::try_from(count.waiting).unwrap_or(0), age);
                tokio::select! {
                    () = tokio::time::sleep(COUNT_EVERY) => {}
                    () = context.shutdown.draining() => return Ok(()),
                }
            }
        }
    });
}
