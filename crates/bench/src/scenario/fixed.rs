//! Events on a timetable.

use super::{PerEvent, Stage, tenant_with_endpoints};
use crate::load::{self, Load};
use crate::receiver::Manner;
use crate::report::Row;
use crate::script::Publish;
use crate::target::Target;
use std::time::Duration;

/// So many events in a second to one endpoint. What each cost.
pub async fn events(
    stage: &mut Stage<'_>,
    per_second: u32,
    targets: [Target; 2],
) -> anyhow::Result<PerEvent> {
    let scenario = format!("{per_second} events/s, one endpoint");
    stage.begin(&scenario).await?;
    let (tenant, endpoints) = tenant_with_endpoints(stage, 1, Manner::KnowsEvents).await?;
    let before = stage.system.cost();
    let script = Publish::new(&tenant.key);
    let count = count(stage.time, per_second);
    let load = load::open(script, tenant.api, count, per_second).await;
    let cost = stage.system.cost_since(&before);
    let tally = stage.settle(&scenario, &tenant, &load, &endpoints).await;

    let told = tally.latencies.quantiles();
    let what = format!("publish → tenant at {per_second}/s");
    let [p50, p99] = targets;
    stage.row(Row::new(format!("{what}, p50"), told.p50_ms, "ms").should(p50));
    stage.row(Row::new(format!("{what}, p99"), told.p99_ms, "ms").should(p99));
    add_answers(stage, load, per_second);
    Ok(PerEvent::new(&cost, tally.accepted))
}

fn add_answers(stage: &mut Stage<'_>, load: Load, per_second: u32) {
    let answers = load.answers.quantiles();
    let what = format!("publish answered at {per_second}/s");
    stage.row(Row::new(format!("{what}, p50"), answers.p50_ms, "ms"));
    stage.row(Row::new(format!("{what}, p99"), answers.p99_ms, "ms"));
}

/// How many are due within the time.
pub fn count(time: Duration, per_second: u32) -> u64 {
    (time * per_second).as_secs()
}
