//! As many events as are taken.

use super::{PerEvent, Stage, share_ms, tenant_with_endpoints};
use crate::load::{self, Load, rate};
use crate::receiver::Manner;
use crate::report::Row;
use crate::script::Publish;
use crate::tally::Tally;
use std::time::Duration;

/// Events to one endpoint. What the publishing and the deliveries of an event cost.
pub async fn one_endpoint(stage: &mut Stage<'_>) -> anyhow::Result<PerEvent> {
    let scenario = "saturated, one endpoint";
    stage.begin(scenario).await?;
    let before = stage.system.cost();
    let (load, tally) = publish(stage, scenario, 1, stage.time).await?;
    let cost = stage.system.cost_since(&before);
    let (ceilings, targets) = (stage.ceilings, stage.targets);

    let through = Row::new(
        "events → one endpoint, until the last",
        through(&load, &tally),
        "/s",
    );
    stage.row(
        through
            .below("HTTP", ceilings.http)
            .should(targets.one_endpoint),
    );
    let published = Row::new("events published, 64 connections", load.rate(), "/s");
    stage.row(published.below("store", ceilings.store));
    let answers = load.answers.quantiles();
    stage.row(Row::new(
        "publish under saturation, p50",
        answers.p50_ms,
        "ms",
    ));
    let p99 = Row::new("publish under saturation, p99", answers.p99_ms, "ms");
    stage.row(p99.should(targets.publish_p99_ms));
    let cpu = share_ms(cost.total(), tally.accepted);
    let cpu = Row::new("CPU per event, all processes and servers", cpu, "ms");
    stage.row(cpu.should(targets.cpu_ms));
    Ok(PerEvent::new(&cost, tally.accepted))
}

/// Events to ten endpoints, each of which is told all of them. They are published for a third of the
/// time, because what follows takes longer.
pub async fn ten_endpoints(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let scenario = "saturated, ten endpoints";
    stage.begin(scenario).await?;
    let (load, tally) = publish(stage, scenario, 10, stage.time / 3).await?;
    let through = through(&load, &tally);
    let row = Row::new("deliveries to ten endpoints, until the last", through, "/s");
    let (ceilings, targets) = (stage.ceilings, stage.targets);
    stage.row(
        row.below("HTTP", ceilings.http)
            .should(targets.ten_endpoints),
    );
    Ok(())
}

async fn publish(
    stage: &mut Stage<'_>,
    scenario: &str,
    endpoints: usize,
    time: Duration,
) -> anyhow::Result<(Load, Tally)> {
    let (tenant, endpoints) = tenant_with_endpoints(stage, endpoints, Manner::KnowsEvents).await?;
    let script = Publish::new(&tenant.key);
    let load = load::closed(script, tenant.api, 0..u64::MAX, time).await;
    let tally = stage.settle(scenario, &tenant, &load, &endpoints).await;
    Ok((load, tally))
}

/// Deliveries in a second, from the first publish to the last arrival: a backlog that is worked off
/// later counts as slowness.
fn through(load: &Load, tally: &Tally) -> f64 {
    let last = tally.last.unwrap_or(load.began);
    rate(tally.told, last - load.began)
}
