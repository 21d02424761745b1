//! What an operator sees of the door in the metrics.

use super::*;
use testkit::eventually;

#[tokio::test]
async fn traffic_is_counted_by_what_became_of_it() {
    let app = TestApp::start().await;
    let tenant = clinic(&app).await;
    tenant.message("clinic", "m-1", PHONE).await;
    let reports = [
        ("m-1", "DELIVRD", "applied"),
        ("m-1", "DELIVRD", "duplicate"),
        ("m-1", "ACCEPTD", "stale"),
        ("m-1", "TELEPORTED", "unmapped"),
        ("nobody-s", "DELIVRD", "orphaned"),
    ];
    for (id, word, outcome) in reports {
        let body = stub_report(id, word, PHONE, None);
        accepted_id(&app.ingress.post_raw(CLINIC, &[JSON], body).await);
        eventually(outcome, SOON, async || {
            let count = counted(&app, "tidings_reports_total", &[("outcome", outcome)]).await;
            (whole(count) == 1).then_some(())
        })
        .await;
    }
    app.ingress.post_raw(CLINIC, &[JSON], "{").await.expect(400);
    app.ingress
        .post_raw(CLINIC, &[JSON], "{}")
        .await
        .expect(422);
    app.ingress
        .post_raw(CLINIC, &[FORM], "status=%")
        .await
        .expect(400);
    app.ingress
        .post_raw(CLINIC, &[("content-type", "text/csv")], "")
        .await
        .expect(415);
    app.ingress
        .request("GET", &format!("{CLINIC}?x"), &[], "")
        .await
        .expect(405);
    app.ingress
        .post_raw("/v1/callbacks/clinic/opt-outs", &[], "")
        .await
        .expect(401);
    app.ingress
        .post_raw("/v1/callbacks/nobody/reports", &[], "")
        .await
        .expect(401);
    for (provider, outcome, count) in [
        ("stub", "accepted", 5),
        ("stub", "malformed_json", 1),
        ("stub", "malformed_form", 1),
        ("stub", "unrecognised", 1),
        ("stub", "unsupported_media_type", 1),
        ("stub", "method_not_allowed", 1),
        ("stub", "unauthorized", 1),
        ("unknown", "unauthorized", 1),
    ] {
        assert_eq!(
            answered(&app, provider, outcome).await,
            count,
            "{provider} {outcome}"
        );
    }
    assert_eq!(security_events(&app, "unknown_account").await, 2);
    let changes = [("provider", "stub"), ("state", "delivered")];
    let changes = counted(&app, "tidings_messages_state_changes_total", &changes).await;
    assert_eq!(whole(changes), 1);
}

#[tokio::test]
async fn the_queue_is_told_and_empties() {
    let app = TestApp::start().await;
    clinic(&app).await;
    let posts = (0..50).map(|n| {
        app.ingress
            .post_raw(CLINIC, &[JSON], delivered(&n.to_string()))
    });
    for answer in futures_util::future::join_all(posts).await {
        accepted_id(&answer);
    }
    eventually("the queue is empty", SOON, async || {
        let metrics = app.admin.get("/metrics").await;
        let depth = metrics
            .text
            .lines()
            .find(|line| line.starts_with("tidings_queue_depth{") && line.contains("callbacks"));
        match depth.map(|line| line.ends_with(" 0")) {
            Some(true) => Ok(()),
            _ => Err(format!("{depth:?}")),
        }
    })
    .await;
}
