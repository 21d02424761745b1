//! Faults of processes and servers under load. A binary of its own: it crashes servers that the other
//! tests use, and nothing may run beside it.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod crash;
mod fleet;
mod load;
mod outage;
#[path = "../it/raised.rs"]
mod raised;
#[path = "../it/servers.rs"]
#[expect(
    dead_code,
    reason = "shared with the other binary, which uses the rest"
)]
mod servers;

use fleet::Fleet;
use load::Load;
use serde_json::Value;
use servers::{Servers, variable};
use std::time::{Duration, Instant};
use testkit::{Api, ServerControl};
use tokio::sync::Mutex;
use tokio::time::sleep;

const POSTGRES_CONTROL: &str = "TIDINGS_TEST_POSTGRES_CONTROL";
const AMQP_CONTROL: &str = "TIDINGS_TEST_AMQP_CONTROL";
/// Within which a shard whose owner is gone has another.
const TAKEN_OVER: Duration = Duration::from_secs(10);
/// Within which everything is well again after a server has come back.
const HEALED: Duration = Duration::from_secs(30);

/// One story at a time: each has the servers to itself.
static TURN: Mutex<()> = Mutex::const_new(());

/// Two of each role under load; of each pair one is killed, one frozen for 30 s, one stopped politely;
/// then RabbitMQ and PostgreSQL crash and come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_and_servers_fail_under_load_and_nothing_is_lost_or_told_under_two_ids() {
    let Some((servers, postgres, rabbit)) = scene().await else {
        return;
    };
    let _turn = TURN.lock().await;
    let mut fleet = Fleet::distributed(servers.settings()).await;
    fleet.wait_for_shards(&[32, 32], TAKEN_OVER).await;
    let load = Load::start(&fleet.addresses()).await;
    load.grow_by(60).await;

    fleet.kill_replica(0);
    fleet.wait_for_shards_of(1, 64, TAKEN_OVER).await;
    fleet.start_replica_again(0).await;
    load.use_addresses(&fleet.addresses());
    fleet.wait_for_shards(&[32, 32], TAKEN_OVER).await;

    let frozen_at = Instant::now();
    fleet.freeze_replica(1);
    fleet.wait_for_shards_of(0, 64, TAKEN_OVER).await;
    sleep(Duration::from_secs(30).saturating_sub(frozen_at.elapsed())).await;
    fleet.thaw_replica(1);
    fleet.wait_for_shards(&[32, 32], TAKEN_OVER).await;
    load.grow_by(60).await;

    fleet.terminate_replica(0).await;
    fleet.wait_for_shards_of(1, 64, TAKEN_OVER).await;
    fleet.start_replica_again(0).await;
    load.use_addresses(&fleet.addresses());
    fleet.wait_for_shards(&[32, 32], TAKEN_OVER).await;

    for server in [&rabbit, &postgres] {
        server.restart().await;
        fleet.wait_until_ready(HEALED).await;
        load.grow_by(60).await;
    }
    let account = load.end().await;
    assert!(account.told > 1_000, "{account:?}");
    assert_eq!((account.lost, account.two_ids), (0, 0), "{account:?}");
    fleet.end().await;
}

/// RabbitMQ blocks publishers when it is short of memory: that is told, costs nobody a wait, and callbacks
/// are kept in the journal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rabbitmq_short_of_memory_is_told_and_callbacks_are_kept_until_it_has_some() {
    let Some((servers, _, rabbit)) = scene().await else {
        return;
    };
    let _turn = TURN.lock().await;
    let fleet = Fleet::distributed(servers.settings()).await;
    let load = Load::start(&fleet.addresses()).await;
    load.grow_by(10).await;
    rabbit.block().await;
    let is_blocked = |said: &Value| {
        let detail = said["checks"]["broker"]["detail"].as_str();
        detail.is_some_and(|detail| detail.contains("blocks publishing"))
    };
    let ingress = Api::anonymous(&fleet.admin_url("ingress", 0));
    let blocked = fleet::until_answer(&ingress, "/readyz", is_blocked, HEALED).await;
    assert_eq!(
        blocked["ready"], true,
        "the journal takes callbacks: {blocked}"
    );
    load.grow_by(20).await;
    rabbit.unblock().await;
    fleet.wait_until_ready(HEALED).await;
    load.grow_by(10).await;
    let account = load.end().await;
    assert_eq!((account.lost, account.two_ids), (0, 0), "{account:?}");
    fleet.end().await;
}

/// The servers, and how to crash them; none where they are not given, which is said.
#[expect(clippy::print_stderr, reason = "says what was not run")]
async fn scene() -> Option<(Servers, ServerControl, ServerControl)> {
    let (Some(postgres), Some(rabbit)) = (variable(POSTGRES_CONTROL), variable(AMQP_CONTROL))
    else {
        eprintln!("not run: {POSTGRES_CONTROL} and {AMQP_CONTROL} are not both set");
        return None;
    };
    let servers = Servers::find().await?;
    Some((
        servers,
        ServerControl::new(postgres),
        ServerControl::new(rabbit),
    ))
}
