//! What is done to the system, one thing after the other.

mod callback;
mod crowd;
mod fixed;
mod lost;
mod neighbour;
mod saturation;
mod soak;

use crate::ceiling::Ceilings;
use crate::load::Load;
use crate::receiver::{Endpoint, Manner};
use crate::report::{Account, Report, Row};
use crate::system::{Cost, System};
use crate::tally::{self, Tally};
use crate::target::Targets;
use crate::tenant::Tenant;
use std::time::Duration;
use tokio::time::sleep;

/// The longest that what was accepted may take to arrive.
const DRAIN: Duration = Duration::from_secs(90);

/// Before each scenario, at most as long as it sends: what the last one has left to be moved to the disk is not
/// what the next one is about.
const CALM: Duration = Duration::from_secs(2);

/// What scenarios are played on, and where they write their numbers.
pub struct Stage<'a> {
    pub system: &'a mut System,
    pub ceilings: Ceilings,
    pub targets: Targets,
    /// How long a scenario sends.
    pub time: Duration,
    pub report: &'a mut Report,
    /// Hears what goes on.
    pub say: fn(&str),
}

impl Stage<'_> {
    /// Plays all of them.
    pub async fn play(&mut self) -> anyhow::Result<()> {
        let saturated = saturation::one_endpoint(self).await?;
        saturation::ten_endpoints(self).await?;
        fixed::events(self, 100, self.targets.at_100).await?;
        let fixed = fixed::events(self, 500, self.targets.at_500).await?;
        callback::accepted(self).await?;
        callback::to_state(self).await?;
        callback::to_tenant(self).await?;
        neighbour::hangs(self).await?;
        crowd::hangs(self).await?;
        self.add_costs(&saturated, &fixed);
        Ok(())
    }

    /// Plays only the one that shows whether memory grows.
    pub async fn soak(&mut self) -> anyhow::Result<()> {
        soak::memory(self).await
    }

    async fn begin(&mut self, scenario: &str) -> anyhow::Result<()> {
        self.system.check()?;
        (self.say)(scenario);
        sleep(CALM.min(self.time)).await;
        Ok(())
    }

    /// Waits until everything has arrived, and accounts for it.
    async fn settle(
        &mut self,
        scenario: &str,
        tenant: &Tenant,
        load: &Load,
        endpoints: &[Endpoint],
    ) -> Tally {
        let tally = tally::settle(load, endpoints, DRAIN).await;
        lost::explain(tenant, load, &tally, self.say).await;
        let account = Account::new(scenario, load, &tally);
        self.report.accounts.push(account);
        tally
    }

    fn row(&mut self, row: Row) {
        self.report.rows.push(row);
    }

    fn add_costs(&mut self, saturated: &PerEvent, fixed: &PerEvent) {
        let (ours, servers) = (self.system.peaks(), self.system.server_memory());
        let total = megabytes(ours.iter().map(|(_, bytes)| bytes).sum());
        self.row(
            Row::new("memory, all processes of ours, peak", total, "MB")
                .should(self.targets.memory_mb),
        );
        let memory = ours.into_iter().chain(servers);
        let costs = saturated.0.iter().zip(&fixed.0).zip(memory);
        for (((process, saturated_ms), (_, fixed_ms)), (_, bytes)) in costs {
            self.report.costs.push(crate::report::Cost {
                process: process.clone(),
                saturated_ms: *saturated_ms,
                fixed_ms: *fixed_ms,
                memory_mb: megabytes(bytes),
            });
        }
    }
}

/// A tenant with so many endpoints that are told every event.
async fn tenant_with_endpoints(
    stage: &Stage<'_>,
    count: usize,
    manner: Manner,
) -> anyhow::Result<(Tenant, Vec<Endpoint>)> {
    let tenant = Tenant::create(stage.system.api).await?;
    let mut endpoints = Vec::new();
    for _ in 0..count {
        let endpoint = Endpoint::start(manner).await?;
        tenant.subscribe(&endpoint, "*").await?;
        endpoints.push(endpoint);
    }
    Ok((tenant, endpoints))
}

/// Milliseconds of CPU for an event, by process and then by server.
struct PerEvent(Vec<(String, f64)>);

impl PerEvent {
    fn new(cost: &Cost, events: usize) -> Self {
        let all = cost.ours.iter().chain(&cost.servers);
        let per_event = |(name, cpu): &(String, Duration)| (name.clone(), share_ms(*cpu, events));
        Self(all.map(per_event).collect())
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn share_ms(cpu: Duration, events: usize) -> f64 {
    cpu.as_secs_f64() * 1_000.0 / events.max(1) as f64
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
