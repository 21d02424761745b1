//! The database goes away, or a connection to it ends.

use crate::proxy::{Cut, Proxy};
use crate::scene::{Scene, ask};
use domain::{Clock, Random};
use futures_util::future::join_all;
use std::time::{Duration, Instant};
use tidings_store::{Error, Store};

fn open(url: &str) -> Store {
    Store::open_postgres(url, Clock::system(), Random::system()).unwrap()
}

/// Until it works, for 30 s at most; everything it is told meanwhile is an outage.
async fn heals<T, F: Future<Output = Result<T, Error>>>(attempt: impl Fn() -> F) -> T {
    let begun = Instant::now();
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(error) => assert!(error.is_outage() && error.is_transient(), "{error}"),
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "it does not heal"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

on_postgres!(a_store_opens_while_its_database_is_away_and_works_once_it_is_there);
async fn a_store_opens_while_its_database_is_away_and_works_once_it_is_there(scene: Scene) {
    let proxy = Proxy::before(scene.url()).await;
    let (url, address) = (proxy.url(scene.url()), proxy.address.clone());
    drop(proxy);
    let store = open(&url);
    let error = store.check().await.unwrap_err();
    assert!(error.is_outage() && error.is_transient(), "{error}");
    assert!(store.ping().await.unwrap_err().is_outage());
    let _proxy = heals(|| async { Ok(Proxy::at(scene.url(), &address).await) }).await;
    heals(|| store.check()).await;
    heals(|| store.ping()).await;
}

on_postgres!(while_the_database_is_away_everybody_is_told_so_at_once);
async fn while_the_database_is_away_everybody_is_told_so_at_once(scene: Scene) {
    // It accepts connections and says nothing: each attempt takes its whole time.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let store = open(&format!("postgres://postgres@127.0.0.1:{port}/t"));
    assert!(store.ping().await.unwrap_err().is_outage());
    let begun = Instant::now();
    let writes = join_all((0..100).map(|_| store.publish_event(scene.event("job.created"), None)));
    let reads = join_all((0..100).map(|_| store.has_tenant(scene.tenant)));
    let (writes, reads) = tokio::join!(writes, reads);
    assert!(
        writes
            .iter()
            .all(|told| told.as_ref().is_err_and(Error::is_outage))
    );
    assert!(
        reads
            .iter()
            .all(|told| told.as_ref().is_err_and(Error::is_outage))
    );
    // One attempt of 3 s may have been under way.
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
}

on_postgres!(connections_that_the_server_ended_are_replaced);
async fn connections_that_the_server_ended_are_replaced(scene: Scene) {
    for _ in 0..3 {
        let writes = join_all((0..20).map(|_| scene.publish("job.created")));
        let reads = join_all((0..20).map(|_| scene.store.has_tenant(scene.tenant)));
        let _ = tokio::join!(writes, reads);
        let others = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                      where datname = current_database() and pid <> pg_backend_pid()";
        assert_ne!(ask(scene.url(), others).await, ["0"]);
        heals(|| scene.store.ping()).await;
        heals(|| scene.store.has_tenant(scene.tenant)).await;
        heals(|| {
            scene
                .store
                .version(tidings_store::installation::Versioned::Accounts)
        })
        .await;
    }
}

on_postgres!(a_server_that_became_read_only_is_left);
async fn a_server_that_became_read_only_is_left(scene: Scene) {
    scene.store.ping().await.unwrap();
    let (_, database) = scene.url().rsplit_once('/').unwrap();
    let set = |mode: &str| {
        format!("alter database {database} set default_transaction_read_only = {mode}")
    };
    ask(scene.url(), &set("on")).await;
    let others = "select pg_terminate_backend(pid) from pg_stat_activity \
                  where datname = current_database() and pid <> pg_backend_pid()";
    ask(scene.url(), others).await;
    // What there was is gone, and a new connection does not take a server that does not write.
    loop {
        let error = scene.store.ping().await.unwrap_err();
        assert!(error.is_outage(), "{error}");
        if matches!(error, Error::Away { .. }) {
            break;
        }
    }
    let back = format!("begin read write; {}; commit", set("off"));
    ask(scene.url(), &back).await;
    heals(|| scene.store.ping()).await;
}

on_postgres!(a_commit_whose_answer_got_lost_is_told_as_it_ended);
async fn a_commit_whose_answer_got_lost_is_told_as_it_ended(scene: Scene) {
    let proxy = Proxy::before(scene.url()).await;
    let store = open(&proxy.url(scene.url()));
    store.ping().await.unwrap();
    for cut in [Cut::AfterCommit, Cut::BeforeCommit, Cut::AfterCommit] {
        let event = scene.event("job.created");
        let id = event.id;
        proxy.cut(cut);
        let told = store.publish_event(event, None).await;
        let is_there = scene
            .store
            .find_event(scene.tenant, id)
            .await
            .unwrap()
            .is_some();
        match cut {
            Cut::AfterCommit => assert!(told.is_ok() && is_there, "{told:?}"),
            _ => assert!(
                matches!(told, Err(Error::Undone(_))) && !is_there,
                "{told:?}"
            ),
        }
    }
}

// A server that crashed gives ids of transactions out again that it wrote nowhere: whoever asks after
// his would hear of somebody else's.
on_postgres!(a_commit_that_got_lost_in_a_crash_is_never_told_as_done);
async fn a_commit_that_got_lost_in_a_crash_is_never_told_as_done(scene: Scene) {
    let proxy = Proxy::before(scene.url()).await;
    for cut in [Cut::AfterCommit, Cut::BeforeCommit] {
        let store = open(&proxy.url(scene.url()));
        // Every thread has its connection.
        for ping in join_all((0..30).map(|_| store.ping())).await {
            ping.unwrap();
        }
        // What a crash leaves of an unlogged table.
        ask(scene.url(), "truncate server_run").await;
        proxy.cut(cut);
        let told = store.publish_event(scene.event("job.created"), None).await;
        assert!(matches!(told, Err(Error::Uncertain(_))), "{told:?}");
    }
}

on_postgres!(a_group_whose_commit_got_lost_is_told_as_a_whole);
async fn a_group_whose_commit_got_lost_is_told_as_a_whole(scene: Scene) {
    let proxy = Proxy::before(scene.url()).await;
    let store = open(&proxy.url(scene.url()));
    for cut in [Cut::AfterCommit, Cut::BeforeCommit] {
        let events: Vec<_> = (0..60).map(|_| scene.event("job.created")).collect();
        proxy.cut(cut);
        let publish = |event: &domain::event::Event| store.publish_event(event.clone(), None);
        let told = join_all(events.iter().map(publish)).await;
        for (event, told) in events.iter().zip(told) {
            let found = scene
                .store
                .find_event(scene.tenant, event.id)
                .await
                .unwrap();
            assert_eq!(found.is_some(), told.is_ok(), "{told:?}");
        }
    }
}

on_postgres!(with_fewer_connections_than_it_wants_it_writes_on_those_it_gets);
async fn with_fewer_connections_than_it_wants_it_writes_on_those_it_gets(scene: Scene) {
    let (_, name) = scene.url().rsplit_once('/').unwrap();
    let clerk = format!(
        "create role {name} login connection limit 1; \
         grant all on all tables in schema public to {name}; \
         grant all on all sequences in schema public to {name}"
    );
    ask(scene.url(), &clerk).await;
    let store = open(&scene.url().replace("postgres@", &format!("{name}@")));
    store.ping().await.unwrap();
    for _ in 0..5 {
        let publish = (0..60).map(|_| store.publish_event(scene.event("job.created"), None));
        for told in join_all(publish).await {
            told.unwrap();
        }
    }
    let error = store.has_tenant(scene.tenant).await.unwrap_err();
    assert!(error.is_outage(), "{error}");
    drop(store);
    ask(
        scene.url(),
        &format!("drop owned by {name}; drop role {name}"),
    )
    .await;
}
