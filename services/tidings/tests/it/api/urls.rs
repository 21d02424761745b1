//! Which URLs may be subscribed.

use super::pointers;
use crate::app::TestApp;
use serde_json::json;

#[tokio::test]
async fn by_default_only_public_http_urls_may_be_subscribed() {
    let app = TestApp::start_with(&[("TIDINGS_EGRESS__ALLOW_NETWORKS", "")]).await;
    let tenant = app.tenant("Clinic").await;
    let webhook = |url: &str| json!({ "url": url, "events": ["*"] });
    let made = tenant
        .api
        .post("/v1/webhooks", webhook("https://example.com/hook"))
        .await;
    let path = format!("/v1/webhooks/{}", super::id(&made.expect(201)));
    for url in [
        "http://example.com",
        "https://EXAMPLE.com:8443/a?b=c#d",
        "http://example.com:1024/",
        "http://93.184.216.34/hook",
        "http://[2606:2800:220:1:248:1893:25c8:1946]/",
        "https://münchen.example/",
        "http://name-that-nobody-has.example/",
    ] {
        tenant
            .api
            .post("/v1/webhooks", webhook(url))
            .await
            .expect(201);
        tenant.api.put(&path, webhook(url)).await.expect(200);
    }
    let kept = tenant.api.get(&path).await.expect(200);
    let too_long = format!("https://example.com/{}", "x".repeat(2048));
    for url in [
        // Forms.
        "",
        "example.com",
        "//example.com/",
        "/hook",
        "http:example.com",
        "http:///example.com",
        "http://",
        "https:\\\\example.com",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "javascript:alert(1)",
        "data:text/plain,x",
        "ws://example.com/",
        "http://exam ple.com/",
        " http://example.com/",
        "http://example.com/\n",
        "http://example.com\u{0}/",
        "http://exa_mple..com/",
        &too_long,
        // User-info.
        "http://user@example.com/",
        "http://user:password@example.com/",
        "http://@example.com/",
        "http://:@example.com/",
        "http://example.com@127.0.0.1/",
        // This machine, in many notations.
        "http://127.0.0.1/",
        "http://127.0.0.1:8081/",
        "http://127.1/",
        "http://127.255.255.254/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.0.0.1./",
        "http://①②⑦.⓪.⓪.①/",
        "http://%31%32%37.0.0.1/",
        "http://[::1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://0.0.0.0/",
        "http://0/",
        "http://[::]/",
        "http://localhost/",
        "http://LOCALHOST/",
        "http://localhost./",
        "http://a.localhost/",
        "http://017700000001/",
        "http://0x7f.0x0.0x0.0x1/",
        "http://00000177.0.0.01/",
        "http://１２７.０.０.１/",
        "http://127。0。0。1/",
        "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
        "http://localhost%2e/",
        "http://127.0.0.1#@example.com/",
        "http://127.0.0.1?@example.com/",
        "http://[::ffff:0:127.0.0.1]/",
        "http://[64:ff9b:1::7f00:1]/",
        "http://[2001:0:7f00:1::f7f7:f7f7]/",
        "http://[2a00:1450::5efe:7f00:1]/",
        "http://[::1%25eth0]/",
        "http://[fe80::1%25lo]/",
        "http://[::1/",
        "http://example.com%00.example.org/",
        "http://4294967296/",
        "http://1.2.3.4.5/",
        // Other people's networks.
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://169.254.1.1/",
        "http://[fc00::1]/",
        "http://[fe80::1]/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://192.0.2.1/",
        "http://240.0.0.1/",
        // Where clouds keep their secrets.
        "http://169.254.169.254/latest/meta-data/",
        "http://2852039166/",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:169.254.169.254]/",
        "http://100.100.100.200/",
        "http://0xA9FEA9FE/",
        "http://0251.0376.0251.0376/",
        "http://[64:ff9b::169.254.169.254]/",
        "http://[2002:a9fe:a9fe::]/",
        "http://169.254.170.2/",
        "http://192.0.0.192/",
        "http://168.63.129.16/",
        "http://[fd20:ce::254]/",
        // Ports.
        "http://example.com:22/",
        "http://example.com:25/",
        "http://example.com:0/",
        "http://example.com:1023/",
        "http://example.com:65536/",
    ] {
        for answer in [
            tenant.api.post("/v1/webhooks", webhook(url)).await,
            tenant.api.put(&path, webhook(url)).await,
        ] {
            let problem = answer.expect_problem(422, "url_not_allowed");
            assert_eq!(pointers(&problem), ["/url"], "{url}");
        }
    }
    assert_eq!(
        tenant.api.get(&path).await.expect(200),
        kept,
        "a refused PUT changes nothing"
    );
}

#[tokio::test]
async fn what_the_operator_allows_is_allowed_and_nothing_beside_it() {
    let app = TestApp::start_with(&[
        ("TIDINGS_EGRESS__ALLOW_NETWORKS", "10.1.0.0/16"),
        ("TIDINGS_EGRESS__ALLOW_PORTS", "443"),
        ("TIDINGS_EGRESS__REQUIRE_HTTPS", "true"),
    ])
    .await;
    let tenant = app.tenant("Clinic").await;
    let subscribe = async |url: &str| {
        let body = json!({ "url": url, "events": ["*"] });
        tenant.api.post("/v1/webhooks", body).await
    };
    for url in ["https://10.1.2.3/", "https://example.com/"] {
        subscribe(url).await.expect(201);
    }
    for url in [
        "http://10.1.2.3/",
        "http://example.com/",
        "https://10.2.0.1/",
        "https://127.0.0.1/",
        "https://example.com:8443/",
        "https://10.1.2.3:80/",
    ] {
        subscribe(url).await.expect_problem(422, "url_not_allowed");
    }
}
