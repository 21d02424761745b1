//! Memory, under the same load for a long time.

use super::{Stage, fixed, megabytes, tenant_with_endpoints};
use crate::load;
use crate::receiver::Manner;
use crate::report::Row;
use crate::script::Publish;
use crate::system::System;
use crate::target::Target;
use std::time::Duration;

const PER_SECOND: u32 = 500;
/// How often memory is looked at.
const LOOKS: u32 = 20;
/// By how many per cent the last quarter of the looks may be above the second: what is more grows.
const FLAT: Target = Target::AtMost(5.0);

/// Events to one endpoint, and what all processes of ours have in memory meanwhile.
pub async fn memory(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let seconds = stage.time.as_secs();
    let scenario = format!("{PER_SECOND} events/s for {seconds} s");
    stage.begin(&scenario).await?;
    let (tenant, endpoints) = tenant_with_endpoints(stage, 1, Manner::KnowsEvents).await?;
    let script = Publish::new(&tenant.key);
    let count = fixed::count(stage.time, PER_SECOND);
    let (load, looks) = tokio::join!(
        load::open(script, tenant.api, count, PER_SECOND),
        look(stage.system, stage.time)
    );
    let tally = stage.settle(&scenario, &tenant, &load, &endpoints).await;
    for (after, mb) in &looks {
        stage.row(Row::new(
            format!("memory after {} s", after.as_secs()),
            *mb,
            "MB",
        ));
    }
    let sizes: Vec<f64> = looks.into_iter().map(|(_, mb)| mb).collect();
    let more = Row::new("memory, last quarter above the second", growth(&sizes), "%");
    stage.row(more.should(FLAT));
    let told = tally.latencies.quantiles();
    stage.row(Row::new("publish → tenant, p50", told.p50_ms, "ms"));
    stage.row(Row::new("publish → tenant, p99", told.p99_ms, "ms"));
    Ok(())
}

async fn look(system: &System, time: Duration) -> Vec<(Duration, f64)> {
    let pause = time / LOOKS;
    let mut looks = Vec::new();
    for number in 1..=LOOKS {
        tokio::time::sleep(pause).await;
        looks.push((pause * number, megabytes(system.memory())));
    }
    looks
}

/// By how many per cent the mean of the last quarter is above that of the second.
fn growth(sizes: &[f64]) -> f64 {
    let quarter = sizes.len() / 4;
    let mean = |part: &[f64]| part.iter().sum::<f64>() / share(part.len());
    let (early, late) = (&sizes[quarter..2 * quarter], &sizes[3 * quarter..]);
    (mean(late) / mean(early) - 1.0) * 100.0
}

#[expect(clippy::cast_precision_loss, reason = "a handful")]
fn share(count: usize) -> f64 {
    count.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::growth;

    #[test]
    fn growth_is_told_after_what_a_start_takes() {
        let flat = [10.0, 20.0, 40.0, 40.0, 40.0, 40.0, 40.0, 40.0];
        assert!(growth(&flat).abs() < 1e-9);
        let grows = [10.0, 20.0, 40.0, 40.0, 42.0, 43.0, 44.0, 44.0];
        assert!((growth(&grows) - 10.0).abs() < 1e-9);
    }
}
