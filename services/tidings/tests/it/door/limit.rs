//! Failures are charged to their source, and what is authenticated to its account.

use super::*;
use std::time::Duration;
use testkit::RawConnection;

const NOBODY: &str = "/v1/callbacks/nobody/reports";
const THREE: (&str, &str) = ("TIDINGS_INGRESS__RATE_LIMIT__FAILURES_PER_MINUTE", "3");
const PROXIED: (&str, &str) = ("TIDINGS_INGRESS__TRUSTED_PROXIES", "127.0.0.0/8");

/// Posts as a caller at this address.
async fn call(app: &TestApp, from: &str, path: &str) -> Answer {
    let headers = [JSON, ("x-forwarded-for", from)];
    app.ingress.post_raw(path, &headers, delivered("m-1")).await
}

async fn fail_three_times(app: &TestApp, from: &str) {
    for _ in 0..3 {
        call(app, from, NOBODY)
            .await
            .expect_problem(401, "unauthorized");
    }
}

async fn keyless(app: &TestApp) -> Tenant {
    let tenant = app.tenant("Clinic").await;
    let anywhere =
        json!([{ "type": "ip_allowlist", "cidrs": ["0.0.0.0/0", "::/0"], "allow_any": true }]);
    tenant
        .account_with("stub", "clinic", anywhere.clone())
        .await;
    tenant.account_with("stub", "branch", anywhere).await;
    tenant
}

#[tokio::test]
async fn a_source_that_keeps_failing_is_asked_to_wait_and_then_let_in_again() {
    const BRANCH: &str = "/v1/callbacks/branch/reports";
    let app = TestApp::start_with(&[THREE, PROXIED]).await;
    keyless(&app).await;
    let here = "198.51.100.1";
    accepted_id(&call(&app, here, CLINIC).await);
    fail_three_times(&app, here).await;
    for path in [NOBODY, BRANCH, "/v1/callbacks/clinic-2/token/reports"] {
        let answer = call(&app, here, path).await;
        answer.expect_problem(429, "rate_limited");
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=21).contains(&wait), "{wait} s");
    }
    assert_eq!(security_events(&app, "rate_limited").await, 3);
    // Not where it is known, not for those who only look, and not for anybody else.
    accepted_id(&call(&app, here, CLINIC).await);
    let looks = [("x-forwarded-for", here)];
    app.ingress
        .request("GET", NOBODY, &looks, "")
        .await
        .expect(200);
    accepted_id(&call(&app, "198.51.100.2", BRANCH).await);
    call(&app, "198.51.100.2", NOBODY).await.expect(401);
    // What it does where it is known does not clear it elsewhere.
    call(&app, here, BRANCH).await.expect(429);
    app.clock.advance(Duration::from_mins(1));
    accepted_id(&call(&app, here, BRANCH).await);
    fail_three_times(&app, here).await;
    call(&app, here, NOBODY).await.expect(429);
}

#[tokio::test]
async fn a_refused_source_is_answered_before_its_body_is_read() {
    let app = TestApp::start_with(&[THREE]).await;
    for _ in 0..3 {
        app.ingress.post_raw(NOBODY, &[JSON], "").await.expect(401);
    }
    let mut connection = RawConnection::open(app.ingress.base_url()).await;
    let head = format!("POST {NOBODY} HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n");
    connection.send(head).await;
    let answer = connection.receive(Duration::from_secs(3)).await;
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
}

#[tokio::test]
async fn a_source_is_known_where_it_authenticated_for_an_hour() {
    let app = TestApp::start_with(&[THREE, PROXIED]).await;
    keyless(&app).await;
    let here = "2001:db8:1:2::1";
    accepted_id(&call(&app, here, CLINIC).await);
    app.clock.advance(Duration::from_mins(59));
    // Neighbours in its network are one source with it.
    fail_three_times(&app, "2001:db8:1:2:ffff::1").await;
    call(&app, here, NOBODY).await.expect(429);
    accepted_id(&call(&app, "2001:db8:1:2::7", CLINIC).await);
    accepted_id(&call(&app, "2001:db8:1:3::1", "/v1/callbacks/branch/reports").await);
    app.clock.advance(Duration::from_mins(61));
    fail_three_times(&app, here).await;
    call(&app, here, CLINIC)
        .await
        .expect_problem(429, "rate_limited");
}

#[tokio::test]
async fn an_account_that_calls_too_often_is_shed_alone_until_it_slows_down() {
    let settings = [("TIDINGS_INGRESS__RATE_LIMIT__ACCOUNT_PER_SECOND", "1")];
    let app = TestApp::start_with(&settings).await;
    let tenant = clinic(&app).await;
    tenant.account("stub", "branch").await;
    let taken = post(&app, CLINIC, "m-1").await;
    let shed = app
        .ingress
        .post_raw(CLINIC, &[JSON], delivered("m-2"))
        .await;
    shed.expect_problem(503, "unavailable");
    let wait: u64 = shed.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=2).contains(&wait), "{wait} s");
    assert_eq!(answered(&app, "stub", "unavailable").await, 1);
    let other = post(&app, "/v1/callbacks/branch/reports", "m-1").await;
    // Being shed is no failure to authenticate, and a stranger's failures are not the account's.
    assert_eq!(
        whole(counted(&app, "tidings_security_events_total", &[]).await),
        0
    );
    app.clock.advance(Duration::from_secs(1));
    app.ingress
        .post_raw("/v1/callbacks/clinic/x/reports", &[JSON], "")
        .await
        .expect(401);
    let later = post(&app, CLINIC, "m-2").await;
    assert_only(&tenant, &[taken, other, later]).await;
    assert_eq!(answered(&app, "stub", "accepted").await, 3);
}

#[tokio::test]
async fn many_good_callbacks_from_one_source_are_never_limited() {
    let app = TestApp::start_with(&[THREE]).await;
    clinic(&app).await;
    let each = (0..200).map(|n| {
        let app = &app;
        async move { post(app, CLINIC, &format!("m-{n}")).await }
    });
    let ids: BTreeSet<_> = futures_util::future::join_all(each)
        .await
        .into_iter()
        .collect();
    assert_eq!(ids.len(), 200);
}
