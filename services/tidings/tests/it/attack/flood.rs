//! Callers who keep at it.

use crate::app::SOON;
use crate::attack::scene::{FAILURES, KEY, PHONE, Scene, genuine};
use crate::attack::seen::Counts;
use crate::attack::{Attack, attack};
use futures_util::future::join_all;
use testkit::providers::stub_report;
use testkit::{eventually, raw};

const PROXIED: (&str, &str) = ("TIDINGS_INGRESS__TRUSTED_PROXIES", "127.0.0.0/8");
const THREE: (&str, &str) = (FAILURES, "3");
const FROM: &str = "x-forwarded-for";

#[tokio::test]
async fn a_source_that_fails_too_often_is_not_listened_to_and_others_are() {
    let scene = Scene::set_with(&[PROXIED, THREE]).await;
    scene.withstands(&table()).await;
}

#[tokio::test]
async fn a_source_is_told_how_long_to_wait_before_its_body_is_read() {
    let scene = Scene::set_with(&[PROXIED, THREE]).await;
    let from = format!("{FROM}: 198.51.100.1");
    let ingress = scene.app.ingress.base_url();
    for failure in failures("198.51.100.1") {
        raw(ingress, failure.bytes()).await;
    }
    // Nothing follows this head, and nothing is waited for.
    let head = format!(
        "POST /v1/callbacks/key/reports HTTP/1.1\r\nhost: x\r\n{from}\r\nconnection: close\r\n\
         content-length: 100000\r\n\r\n"
    );
    let asked = std::time::Instant::now();
    let answer = raw(ingress, head).await;
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    assert!(asked.elapsed() < SOON / 4, "{:?}", asked.elapsed());
    let answer = answer.to_ascii_lowercase();
    let wait = answer.split("\r\nretry-after: ").nth(1).unwrap();
    let wait: u64 = wait.lines().next().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait} s");
}

#[tokio::test]
async fn a_flood_of_failures_is_a_few_rows_and_no_job_each() {
    const FLOOD: usize = 300;
    let scene = Scene::set_with(&[PROXIED]).await;
    let ingress = &scene.app.ingress;
    let body = genuine("stub").1;
    let headers = [("content-type", "application/json"), (FROM, "198.51.100.9")];
    let path = "/v1/callbacks/nobody/reports";
    let posts = (0..FLOOD).map(|_| ingress.post_raw(path, &headers, &*body));
    for answer in join_all(posts).await {
        answer.expect_problem(401, "unauthorized");
    }
    let path = "/v1/security-events?type=unknown_account&account=nobody";
    let page = scene
        .app
        .operator
        .get_until(
            path,
            |page| {
                let rows = page["data"].as_array().unwrap();
                rows.iter()
                    .filter_map(|row| row["count"].as_u64())
                    .sum::<u64>()
                    == 300
            },
            SOON,
        )
        .await;
    // One for each minute that it went on in.
    assert!(page["data"].as_array().unwrap().len() <= 2, "{page}");
    let page = scene
        .app
        .operator
        .get("/v1/quarantine?limit=100")
        .await
        .expect(200);
    assert!(page["data"].as_array().unwrap().len() <= 2, "{page}");
    let counts = Counts::of(&scene.app).await;
    let unauthorized = r#"tidings_callbacks_total{outcome="unauthorized",provider="unknown"}"#;
    assert_eq!(counts.count(unauthorized), 300);
    assert_eq!(
        counts.count(r#"tidings_queue_depth{queue="callbacks.v1"}"#),
        0
    );
}

#[tokio::test]
async fn an_account_that_is_called_too_often_is_shed_before_it_is_read() {
    let one = ("TIDINGS_INGRESS__RATE_LIMIT__ACCOUNT_PER_SECOND", "1");
    let scene = Scene::set_with(&[one]).await;
    let post = async |id: &str| {
        let body = stub_report(id, "DELIVRD", PHONE, None);
        let headers = [("content-type", "application/json")];
        let path = "/v1/callbacks/open/reports";
        scene.app.ingress.post_raw(path, &headers, body).await
    };
    let taken = post("m-9").await.expect(200)["callback_id"].clone();
    for _ in 0..3 {
        let shed = post("m-1").await;
        shed.expect_problem(503, "unavailable");
        assert!(shed.header("retry-after").is_some(), "{shed}");
    }
    let shed = r#"tidings_callbacks_total{outcome="unavailable",provider="stub"}"#;
    eventually("the callback that was taken is there", SOON, async || {
        let page = scene.clinic.api.get("/v1/callbacks").await.expect(200);
        let found = page["data"].as_array().unwrap();
        (found.len() == 1 && found[0]["id"] == taken).then_some(())
    })
    .await;
    assert_eq!(Counts::of(&scene.app).await.count(shed), 3);
}

/// Three failures use up what a source has; what it sends then is not listened to, whatever it is.
pub fn table() -> Vec<Attack> {
    const SOURCE: &str = "198.51.100.1";
    const NEIGHBOUR: &str = "2001:db8:1:2:3:4:5:6";
    let from = |name, account, source: &str| attack(name, account).with(FROM, source);
    let mut table = Vec::from(failures(SOURCE));
    table.extend([
        from("a fourth failure", "key", SOURCE).limited(),
        from("the right key at last", "key", SOURCE)
            .with("x-api-key", KEY)
            .limited(),
        from("another account", "signed", SOURCE).limited(),
        from("an account that there is not, once more", "nobody", SOURCE).limited(),
        from("a token to guess", "token", SOURCE)
            .to("/v1/callbacks/token/0123456789abcdef0123456789abcdef/reports")
            .limited(),
        from("a body of 16 kb", "key", SOURCE)
            .body("x".repeat(16_000))
            .limited(),
        from("a body that cannot be read", "key", SOURCE)
            .body("{")
            .limited(),
        from("a query by get", "gateway", SOURCE)
            .method("GET")
            .to("/v1/callbacks/gateway/reports?id=m-1")
            .limited(),
        from(
            "a source that claims to be another",
            "key",
            "203.0.113.1, 198.51.100.1",
        )
        .limited(),
        from("a source as an ipv6 address", "key", "::ffff:198.51.100.1").limited(),
        from("a source with a port", "key", "198.51.100.1:4711").limited(),
        from("another source", "key", "198.51.100.2").refused("invalid_api_key"),
    ]);
    table.extend([
        from("a first neighbour in a network", "key", "2001:db8:1:2::1").refused("invalid_api_key"),
        from("a second neighbour in a network", "key", "2001:db8:1:2::2")
            .refused("invalid_api_key"),
        from(
            "a third neighbour in a network",
            "key",
            "2001:db8:1:2:ffff::",
        )
        .refused("invalid_api_key"),
        from("a fourth neighbour in a network", "key", NEIGHBOUR).limited(),
        from("a neighbour in the next network", "key", "2001:db8:1:3::1")
            .refused("invalid_api_key"),
    ]);
    table
}

fn failures(source: &str) -> [Attack; 3] {
    let from = |name, account| attack(name, account).with(FROM, source);
    [
        from("a first failure", "key").refused("invalid_api_key"),
        from("a second failure", "signed").refused("invalid_signature"),
        from("a third failure", "nobody").refused("unknown_account"),
    ]
}
