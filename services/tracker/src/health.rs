//! The health of provider accounts, looked at once a minute by every tracker; each change is told once.

use crate::Context;
use domain::health::Condition;
use std::time::Duration;
use store::health::Judged;
use wire::Hint;

/// How often all accounts are judged, by the clock that counts are dated by.
const JUDGE_EVERY: Duration = Duration::from_mins(1);
/// How often that clock is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(crate) fn start(degraded_from: f64, context: &Context) {
    let context = context.clone();
    context.tasks.clone().supervise("tracker.health", move || {
        let context = context.clone();
        async move {
            let mut judged_at = None;
            loop {
                let now = context.clock.now();
                let is_due = |last| now.since(last) >= JUDGE_EVERY || last > now;
                if judged_at.is_none_or(is_due) {
                    let judged = context.store.judge_providers(degraded_from).await?;
                    tell(&context, &judged);
                    judged_at = Some(now);
                }
                tokio::select! {
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    () = context.shutdown.draining() => return Ok(()),
                }
            }
        }
    });
}

fn tell(context: &Context, judged: &Judged) {
    let ratios = judged.missed.iter();
    context
        .metrics
        .set_reports_missed(ratios.map(|(provider, ratio)| (provider.as_str(), *ratio)));
    for (account, condition) in &judged.changed {
        context.metrics.event("tidings");
        if *condition == Condition::Degraded {
            tracing::warn!(account.id = %account, "reports of a provider account do not come");
        } else {
            tracing::info!(account.id = %account, "reports of a provider account come again");
        }
    }
    for shard in &judged.shards {
        context.broker.hint(Hint::Events(*shard));
    }
}
