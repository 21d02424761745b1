//! The walk through all failpoints: at each, in each mode, a process dies by SIGKILL, and what it had
//! accepted is told all the same. It needs a build in which the points are, as the test command makes:
//! `cargo test -p tidings --features failpoints --test walk`.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod account;
mod load;
#[path = "../it/raised.rs"]
mod raised;
mod scene;
#[path = "../it/servers.rs"]
#[expect(
    dead_code,
    reason = "shared with the other binary, which uses the rest"
)]
mod servers;

use failpoint::Point;
use futures_util::{FutureExt, StreamExt, stream};
use load::Load;
use scene::Scene;
use servers::{Backing, Servers};
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use testkit::Process;
use tokio::time::sleep;

/// How many walks are under way at once: most of a walk is waiting.
const AT_ONCE: usize = 4;
/// As before. Each waits 8 s for the leases of the dead to run out.
const AT_ONCE_ON_SERVERS: usize = 8;
/// Longer than what failed waits for its next attempt.
const PAUSED: Duration = Duration::from_millis(1_500);
/// How often a process is started and ended again until nothing is pending.
const ENDS: usize = 5;
/// Within which a point is reached.
const REACHED: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_at_any_point_loses_nothing_in_files() {
    let points = Point::ALL.into_iter().filter(|p| !p.is_of_servers());
    let walks = points.map(|point| (point, async { Backing::Files }));
    walk_all(walks, AT_ONCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_at_any_point_loses_nothing_on_servers() {
    if Servers::find().await.is_none() {
        return;
    }
    let backing = async || Backing::Servers(Servers::find().await.unwrap());
    let walks = Point::ALL.into_iter().map(|point| (point, backing()));
    walk_all(walks, AT_ONCE_ON_SERVERS).await;
}

/// Walks through all of them, also where one fails, and says which did.
async fn walk_all<B: Future<Output = Backing>>(
    walks: impl IntoIterator<Item = (Point, B)>,
    at_once: usize,
) {
    let walks = walks.into_iter().map(|(point, backing)| async move {
        let walked = AssertUnwindSafe(async { walk(point, backing.await).await });
        (point.as_str(), walked.catch_unwind().await.is_err())
    });
    let walked: Vec<_> = stream::iter(walks)
        .buffer_unordered(at_once)
        .collect()
        .await;
    let failed = walked.iter().filter(|(_, has_failed)| *has_failed);
    let failed: Vec<_> = failed.map(|(point, _)| point).collect();
    assert!(
        failed.is_empty(),
        "these points were not survived: {failed:?}"
    );
}

async fn walk(point: Point, backing: Backing) {
    let mut scene = Scene::new(backing, deaths(point));
    if is_of_journal(point) {
        scene = scene.with_proxy().await;
    }
    let scene = scene;
    let mut beside = None;
    let load = match point {
        _ if is_of_journal(point) => die_without_rabbitmq(&scene, point).await,
        Point::StoreBeforeAdopt | Point::DispatcherAfterAdopt => {
            die_taking_over(&scene, point).await
        }
        Point::BrokerAfterIsolation => die_again(&scene, point).await,
        Point::DispatcherBeforeSetAside | Point::DispatcherAfterBacklog => {
            die_around_a_pause(&scene, point).await
        }
        Point::DispatcherAfterLeave | Point::StoreAfterGive => {
            let (load, other) = die_giving(&scene, point).await;
            beside = Some(other);
            load
        }
        Point::DispatcherAfterLater
        | Point::StoreBeforeRecovery
        | Point::DispatcherAfterRecovery
        | Point::SubscriptionsBeforeRequest
        | Point::SubscriptionsBeforeAnswer => die_replaying(&scene, point).await,
        Point::DispatcherBeforeRelease => die_at_the_end(&scene, point).await,
        _ => die_under_load(&scene, point).await,
    };
    let mut process = scene.start().await;
    load.go_on_at(&process);
    if point == Point::DispatcherBeforeSetAside {
        load.enable(true).await.unwrap().expect(200);
    }
    match point {
        Point::SubscriptionsBeforeRequest => drop(load.replay_again().await.expect(202)),
        Point::SubscriptionsBeforeAnswer => {
            load.replay_again().await.expect_problem(409, "conflict");
        }
        _ => {}
    }
    let accepted = load.accepted().await;
    account::settle(&scene, &process, &accepted).await;
    scene.verify_audit_log().await;
    if let Some(other) = beside {
        end(&other).await;
    }
    for _ in 0..ENDS {
        let seen = account::dead_letters(&process, &accepted).await;
        end(&process).await;
        if account::is_balanced(&scene, &accepted, seen).await {
            return;
        }
        // What a provider sent again is not tried for the last time yet.
        process = scene.start().await;
        sleep(PAUSED).await;
    }
    panic!("the queue is not empty after {ENDS} ends");
}

async fn end(process: &Process) {
    let status = process.terminate(Duration::from_secs(25)).await;
    assert!(status.success(), "{}", process.log());
}

/// How many processes die on the walk to a point and at it.
const fn deaths(point: Point) -> usize {
    match point {
        Point::StoreBeforeAdopt | Point::DispatcherAfterAdopt | Point::BrokerAfterIsolation => 2,
        _ => 1,
    }
}

async fn die_under_load(scene: &Scene, point: Point) -> Load {
    let process = scene.start_armed(point).await;
    let load = Load::begin(scene, &process).await;
    scene.expect_death(point, process.wait(REACHED).await);
    load
}

const fn is_of_journal(point: Point) -> bool {
    matches!(
        point,
        Point::IngressBeforeJournal
            | Point::IngressAfterJournal
            | Point::IngressBeforeForward
            | Point::IngressAfterForward
    )
}

/// RabbitMQ is out of reach: callbacks go to the journal, and are forwarded when it is back.
async fn die_without_rabbitmq(scene: &Scene, point: Point) -> Load {
    let process = scene.start_armed(point).await;
    scene.cut();
    let load = Load::begin(scene, &process).await;
    if matches!(
        point,
        Point::IngressBeforeForward | Point::IngressAfterForward
    ) {
        scene.is_kept_in_journal().await;
        scene.heal().await;
    }
    scene.expect_death(point, process.wait(REACHED).await);
    scene.heal().await;
    load
}

/// A polite end: everything but the point is done.
async fn die_at_the_end(scene: &Scene, point: Point) -> Load {
    let process = scene.start_armed(point).await;
    let mut load = Load::begin(scene, &process).await;
    load.is_accepted().await;
    scene.expect_death(point, process.terminate(REACHED).await);
    load
}

/// A first process dies with deliveries in its memory, and a second one while it takes them over.
async fn die_taking_over(scene: &Scene, point: Point) -> Load {
    let process = scene.start().await;
    let mut load = Load::begin(scene, &process).await;
    load.is_accepted().await;
    load.is_under_way().await;
    process.kill();
    scene.expect_death(point, scene.run_armed(point).await);
    load
}

/// A second dispatcher comes, and gets no share in good order. It goes on.
async fn die_giving(scene: &Scene, point: Point) -> (Load, Process) {
    let process = scene.start_armed(point).await;
    let load = Load::begin(scene, &process).await;
    let other = scene.start_beside().await;
    scene.expect_death(point, process.wait(REACHED).await);
    (load, other)
}

/// A subscription is disabled while deliveries of it wait for their next attempt, and enabled again.
async fn die_around_a_pause(scene: &Scene, point: Point) -> Load {
    let process = scene.start_armed(point).await;
    let mut load = Load::begin(scene, &process).await;
    load.refuse();
    load.is_accepted().await;
    load.is_owed().await;
    load.enable(false).await.unwrap().expect(200);
    load.relent();
    if point == Point::DispatcherAfterBacklog {
        sleep(PAUSED).await;
        let _ = load.enable(true).await;
    }
    scene.expect_death(point, process.wait(REACHED).await);
    load
}

/// Everything is told again once it was told.
async fn die_replaying(scene: &Scene, point: Point) -> Load {
    let process = scene.start_armed(point).await;
    let mut load = Load::begin(scene, &process).await;
    load.replay(&process).await;
    scene.expect_death(point, process.wait(REACHED).await);
    load
}

/// A first process dies with jobs in its hand, and a second one as it gets them.
async fn die_again(scene: &Scene, point: Point) -> Load {
    let load = die_under_load(scene, Point::BrokerAfterClaim).await;
    scene.expect_death(point, scene.run_armed(point).await);
    load
}
