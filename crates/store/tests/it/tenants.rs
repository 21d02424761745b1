//! Tenants that are suspended, and tenants that are deleted with everything of theirs.

use crate::event_types;
use crate::scene::{PHONE, Scene};
use crate::schema;
use domain::Shard;
use domain::State as MessageState;
use domain::access::Role;
use domain::account::Environment;
use domain::id::{AccountId, TenantId};
use domain::poll::Silence;
use std::collections::BTreeSet;
use std::time::Duration;
use tidings_store::account::Account;
use tidings_store::directory::{Directory, Found};
use tidings_store::tenant::{Part, State};

/// What is nobody's, and why it may stay.
const OF_NOBODY: [(&str, &str); 13] = [
    ("installation", "of all"),
    ("versions", "of all"),
    ("dispatchers", "processes"),
    ("shards", "of all"),
    ("server_run", "of the server"),
    ("report_keys", "hashes that name nobody, forgotten by age"),
    (
        "suspicions",
        "hashes that name nobody, forgotten within hours",
    ),
    ("audit_head", "of all"),
    (
        "audit_entries",
        "who deleted the tenant is what will be asked: forgotten by age",
    ),
    ("plans", "the operator's"),
    ("report_delays", "of providers, not of tenants"),
    (
        "idempotency_keys",
        "forgotten within a day, while the tenant is remembered",
    ),
    (
        "requests",
        "forgotten within a day, while the tenant is remembered",
    ),
];

fn account(scene: &Scene, id: AccountId, tenant: TenantId, slug: &str) -> Account {
    let now = scene.clock.now();
    Account {
        id,
        tenant_id: tenant,
        slug: slug.parse().unwrap(),
        provider: "stub".to_owned(),
        environment: Environment::default(),
        checks: vec![1],
        status_api: None,
        silence: Silence::default(),
        created_at: now,
        updated_at: now,
    }
}

/// Every table there is.
fn tables() -> BTreeSet<String> {
    let text = schema::text();
    let bodies = text.split("diesel::table!").skip(1);
    let names = bodies.map(|body| {
        let body = body.split("::*;").last().unwrap();
        body.trim().split(' ').next().unwrap().to_owned()
    });
    names.collect()
}

async fn counts(scene: &Scene, tables: &BTreeSet<String>) -> Vec<(String, i64)> {
    let names: Vec<&str> = tables.iter().map(String::as_str).collect();
    let counts = scene.count(&names).await;
    tables.iter().cloned().zip(counts).collect()
}

/// Fills a table behind the store's back, where no story of it is short.
async fn fill(scene: &Scene, tenant: TenantId, account: AccountId) {
    let is_postgres = scene.explain("select 1").is_none();
    let id = |id: uuid::Uuid| {
        if is_postgres {
            format!("'{id}'")
        } else {
            format!("x'{}'", id.simple())
        }
    };
    let (tenant, account) = (id(tenant.0), id(account.0));
    let some = id(AccountId::new(scene.clock.now(), &scene.random).0);
    let (now, bytes) = if is_postgres {
        ("now()", "'\\x00'")
    } else {
        ("0", "x'00'")
    };
    for sql in [
        format!("insert into members (id, tenant_id, email, role, created_at, updated_at) values ({some}, {tenant}, 'a@b', 0, {now}, {now})"),
        format!("insert into access_tokens (hash, tenant_id, created_at, expires_at) values ({bytes}, {tenant}, {now}, {now})"),
        format!("insert into console_links (hash, tenant_id, member_id, created_at, expires_at) values ({bytes}, {tenant}, {some}, {now}, {now})"),
        format!("insert into sweeps (id, tenant_id, subscription_id, shard, action, wanted, reached, before) values ({some}, {tenant}, {some}, 0, 0, 0, {some}, {some})"),
        format!("insert into trials (id, tenant_id, subscription_id, event_id, event_type, request_body, begun_at) values ({some}, {tenant}, {some}, {some}, 't', '', {now})"),
        format!("insert into replays (id, tenant_id, shard, state, selection, reached, through, total, done, deliveries, next_at, created_at) values ({some}, {tenant}, 0, 0, '', 0, 0, 0, 0, 0, {now}, {now})"),
        format!("insert into previous_secrets (id, tenant_id, subscription_id, secret, expires_at) select {some}, tenant_id, id, {bytes}, {now} from subscriptions"),
        format!("insert into attempts (delivery_id, number, id, started_at, duration_ms) select id, 1, id, {now}, 1 from deliveries"),
        format!("insert into polls (id, message_id, tenant_id, at, send_attempt, outcome) select id, id, tenant_id, {now}, 1, 0 from messages where tenant_id = {tenant}"),
        format!("insert into send_attempts (message_id, number, tenant_id, account_id, provider_account, provider, identity_key, created_at) select id, 2, tenant_id, account_id, 'a', 'stub', id, {now} from messages where tenant_id = {tenant}").replace("'stub', id,", if is_postgres { "'stub', decode('07', 'hex')," } else { "'stub', id," }),
        format!("insert into security_events (id, tenant_id, reason, at, count) values ({some}, {tenant}, 0, {now}, 1)"),
        format!("insert into quarantine (id, tenant_id, provider_account, kind, reason, received_at, source_ip, size_bytes, sealed) values ({some}, {tenant}, 'a', 0, 0, {now}, 'a', 1, {bytes})"),
        format!("insert into dead_letters (id, key, tenant_id, queue, kind, death, reason, attempts, first_seen_at, died_at, size_bytes, payload) values ({some}, {bytes}, {tenant}, 'q', 'k', 'd', 'r', 1, {now}, {now}, 1, {bytes})"),
        format!("insert into tallies (slot, account_id, name, tenant_id, provider, count) values (1, {account}, 'a', {tenant}, 'stub', 1), (2, {account}, 'a', {tenant}, 'stub', 1), (1, {account}, 'b', {tenant}, 'stub', 1)"),
        format!("insert into limit_counters (tenant_id, kind, day, used, told) values ({tenant}, 0, 20000, 1, 0), ({tenant}, 1, 0, 1, 0)"),
        format!("insert into account_sources (account_id, source, first_seen_at) values ({account}, 's', {now})"),
        format!("insert into inboxes (account_id, fetched_at) values ({account}, {now})"),
        format!("insert into poll_leases (account_id, owner, until, fence, failures, rest_until, rest_reason) values ({account}, 'o', {now}, 1, 0, {now}, 0)"),
        format!("insert into provider_health (account_id, tenant_id, state, since) values ({account}, {tenant}, 0, {now})"),
    ] {
        scene.change(&sql).await;
    }
}

async fn run_through(scene: &Scene, tenant: TenantId) -> usize {
    let mut rows = 0;
    for part in Part::ALL {
        loop {
            let removed = scene.store.remove_page(tenant, part).await.unwrap();
            if removed == 0 {
                break;
            }
            rows += removed;
        }
    }
    rows
}

async fn a_deleted_tenant_leaves_no_row_in_any_table(scene: Scene) {
    let store = &scene.store;
    let tables = tables();
    for (table, _) in OF_NOBODY {
        assert!(tables.contains(table), "{table} is no table");
    }
    let theirs: BTreeSet<String> = tables
        .into_iter()
        .filter(|table| OF_NOBODY.iter().all(|(name, _)| name != table))
        .collect();
    // Another tenant, of whom everything stays.
    let other = TenantId::new(scene.clock.now(), &scene.random);
    scene.make_tenant(other).await;
    let stays = AccountId::new(scene.clock.now(), &scene.random);
    store
        .create_account(account(&scene, stays, other, "stays"))
        .await
        .unwrap();

    store
        .create_account(account(&scene, scene.account, scene.tenant, "clinic"))
        .await
        .unwrap();
    scene.subscribe(&["*"]).await;
    let known = scene.registration("m-1", PHONE);
    let known = domain::message::Registration {
        notification_id: Some("n-1".to_owned()),
        ..known
    };
    store.register_message(scene.tenant, known).await.unwrap();
    let reports = vec![
        Scene::report("m-1", MessageState::Delivered),
        Scene::report("m-2", MessageState::Delivered),
    ];
    let callback = scene.callback(reports.clone());
    scene.track(vec![callback]).await;
    // The same again is a second receipt of it.
    scene.track(vec![scene.callback(reports)]).await;
    scene.publish("job.created").await;
    let directory = Directory::default();
    let holding = scene.hold_all("dispatcher").await;
    scene.fan_out(&holding, &directory).await;
    fill(&scene, scene.tenant, scene.account).await;
    let types = vec![event_types::version("shop.opened", 1)];
    event_types::add(&scene, scene.tenant, types).await;
    for (table, rows) in counts(&scene, &theirs).await {
        assert!(
            rows > 0,
            "{table} was not filled: this test says nothing of it"
        );
    }

    let now = scene.clock.now();
    assert!(store.delete_tenant(scene.tenant, now).await.unwrap());
    assert!(!store.delete_tenant(scene.tenant, now).await.unwrap());
    assert!(!store.has_tenant(scene.tenant).await.unwrap());
    let slug = |slug: &str| store.find_account_by_slug(slug.parse().unwrap());
    assert_eq!(slug("clinic").await.unwrap(), None);
    assert!(slug("stays").await.unwrap().is_some());
    // What is under way ends first.
    assert_eq!(store.claim_deleted_tenant().await.unwrap(), None);
    scene.clock.advance(Duration::from_mins(2));
    let claimed = store.claim_deleted_tenant().await.unwrap();
    assert_eq!(claimed, Some(scene.tenant));
    assert_eq!(store.claim_deleted_tenant().await.unwrap(), None);
    // Who cannot go on lets go of it.
    store.release_deleted_tenant(scene.tenant).await.unwrap();
    assert_eq!(store.claim_deleted_tenant().await.unwrap(), claimed);
    // Half of it, then a crash: whoever comes next goes on.
    for part in Part::ALL.into_iter().take(3) {
        store.remove_page(scene.tenant, part).await.unwrap();
    }
    scene.clock.advance(Duration::from_mins(10));
    let again = scene.reopen();
    assert_eq!(
        again.claim_deleted_tenant().await.unwrap(),
        Some(scene.tenant)
    );
    assert!(run_through(&scene, scene.tenant).await > 10);
    assert!(!store.forget_tenant(scene.tenant).await.unwrap());
    // What was on its way comes late, and goes with the next look.
    scene.publish("job.created").await;
    scene.clock.advance(Duration::from_hours(26));
    assert_eq!(
        store.claim_deleted_tenant().await.unwrap(),
        Some(scene.tenant)
    );
    assert_eq!(run_through(&scene, scene.tenant).await, 1);
    assert_eq!(run_through(&scene, scene.tenant).await, 0);
    assert!(store.forget_tenant(scene.tenant).await.unwrap());

    for (table, rows) in counts(&scene, &theirs).await {
        let left = match table.as_str() {
            // The platform and the other one; the other's key; its account.
            "tenants" => 2,
            "api_keys" | "provider_accounts" => 1,
            _ => 0,
        };
        assert_eq!(rows, left, "{table}");
    }
    // Nobody's rows are removed by mistake.
    assert_eq!(run_through(&scene, other).await, 0);
    assert!(slug("stays").await.unwrap().is_some());
}
on_each_engine!(a_deleted_tenant_leaves_no_row_in_any_table);

async fn a_suspended_tenants_events_become_deliveries_that_wait(scene: Scene) {
    let store = &scene.store;
    let id = scene.subscribe(&["*"]).await;
    let directory = Directory::default();
    let refresh = async || {
        let tenants = vec![scene.tenant];
        store.refresh_directory(&directory, tenants).await.unwrap()
    };
    refresh().await;
    let found = || directory.find(scene.tenant, id);
    assert!(matches!(found(), Found::Subscription(_)));
    let set = async |state| {
        let now = scene.clock.now();
        let set = store.set_tenant_state(scene.tenant, state, now).await;
        set.unwrap().unwrap()
    };
    assert_eq!(set(State::Suspended).await.state, State::Suspended);
    assert!(refresh().await, "every dispatcher hears of it");
    assert!(matches!(found(), Found::Suspended));
    let key = scene.key(Role::Owner);
    store
        .create_key(scene.tenant, key.clone(), scene.clock.now())
        .await
        .unwrap();
    let bearer = store.find_bearer_of_key(key.hash).await.unwrap().unwrap();
    assert_eq!(bearer.state, State::Suspended);
    scene.publish("job.created").await;
    let holding = scene.hold_all("dispatcher").await;
    scene.fan_out(&holding, &directory).await;
    assert_eq!(scene.count(&["deliveries"]).await, [1], "none is lost");
    assert!(
        holding
            .shards
            .iter()
            .any(|lease| lease.shard == Shard::of_subscription(id))
    );
    assert_eq!(set(State::Active).await.state, State::Active);
    refresh().await;
    assert!(matches!(found(), Found::Subscription(_)));
    // A tenant that is deleted has no subscription any more.
    store
        .delete_tenant(scene.tenant, scene.clock.now())
        .await
        .unwrap();
    refresh().await;
    assert!(matches!(found(), Found::Gone));
}
on_each_engine!(a_suspended_tenants_events_become_deliveries_that_wait);
