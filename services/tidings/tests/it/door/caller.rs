//! Who is calling, behind proxies and in spite of what callers write.

use super::*;

const PROXIES: (&str, &str) = ("TIDINGS_INGRESS__TRUSTED_PROXIES", "127.0.0.0/8,10.0.0.0/8");
const HEADER: &str = "TIDINGS_INGRESS__CLIENT_ADDRESS_HEADER";

/// Posts to an account that believes `203.0.113.0/24` and `2001:db8::/32` only.
async fn call(app: &TestApp, headers: &[(&str, &str)]) -> Answer {
    let headers = [&[JSON], headers].concat();
    app.ingress
        .post_raw(CLINIC, &headers, delivered(&format!("{headers:?}")))
        .await
}

async fn choosy(app: &TestApp) -> Tenant {
    let tenant = app.tenant("Clinic").await;
    let cidrs = json!(["203.0.113.0/24", "2001:db8::/32"]);
    let auth = json!([{ "type": "ip_allowlist", "cidrs": cidrs }]);
    tenant.account_with("stub", "clinic", auth).await;
    tenant
}

/// These callers are believed to be at these addresses, and those are not believed.
async fn check(header: &str, believed: &[(&[(&str, &str)], &str)], not: &[&[(&str, &str)]]) {
    let app = TestApp::start_with(&[PROXIES, (HEADER, header)]).await;
    let tenant = choosy(&app).await;
    for (headers, source) in believed {
        let answer = call(&app, headers).await;
        assert_eq!(answer.status, 200, "{headers:?}: {answer}");
        let seen = processed(&tenant, &accepted_id(&answer)).await;
        assert_eq!(seen["source_ip"], *source, "{headers:?}");
    }
    for headers in not {
        let answer = call(&app, headers).await;
        assert_eq!(answer.status, 401, "{headers:?}: {answer}");
    }
}

#[tokio::test]
async fn x_forwarded_for_is_read_from_the_right() {
    const NAME: &str = "x-forwarded-for";
    check(
        NAME,
        &[
            (&[(NAME, "203.0.113.7")], "203.0.113.7"),
            (&[(NAME, "198.51.100.1, 203.0.113.7")], "203.0.113.7"),
            (&[(NAME, "203.0.113.7, 10.0.0.1,127.0.0.9")], "203.0.113.7"),
            (
                &[(NAME, "198.51.100.1"), (NAME, "203.0.113.7:4711")],
                "203.0.113.7",
            ),
            (&[(NAME, "2001:DB8::7")], "2001:db8::7"),
            (&[(NAME, "[2001:db8::7]:443")], "2001:db8::7"),
            (&[(NAME, "::ffff:203.0.113.7")], "203.0.113.7"),
            (
                &[(NAME, "203.0.113.7"), ("x-real-ip", "198.51.100.1")],
                "203.0.113.7",
            ),
        ],
        &[
            &[],
            &[(NAME, "")],
            &[(NAME, "198.51.100.1")],
            &[(NAME, "203.0.113.7, 198.51.100.1")],
            &[(NAME, "203.0.113.7"), (NAME, "198.51.100.1")],
            &[(NAME, "203.0.113.7, unknown")],
            &[(NAME, "203.0.113.7, ")],
            &[(NAME, "203.0.113.7é")],
            &[(NAME, "203.0.113.007")],
            &[("forwarded", "for=203.0.113.7")],
            &[("x-real-ip", "203.0.113.7")],
        ],
    )
    .await;
}

#[tokio::test]
async fn forwarded_is_read_from_the_right() {
    const NAME: &str = "forwarded";
    check(
        NAME,
        &[
            (&[(NAME, "for=203.0.113.7")], "203.0.113.7"),
            (
                &[(NAME, "For=\"[2001:db8::7]:4711\";proto=https;by=10.0.0.1")],
                "2001:db8::7",
            ),
            (
                &[(NAME, "for=198.51.100.1, for=203.0.113.7, for=10.1.2.3")],
                "203.0.113.7",
            ),
            (
                &[
                    (NAME, "for=198.51.100.1"),
                    (NAME, "proto=http; for=203.0.113.7"),
                ],
                "203.0.113.7",
            ),
        ],
        &[
            &[],
            &[(NAME, "for=203.0.113.7, for=198.51.100.1")],
            &[(NAME, "for=203.0.113.7, for=_hidden")],
            &[(NAME, "by=203.0.113.7")],
            &[("x-forwarded-for", "203.0.113.7")],
        ],
    )
    .await;
}

#[tokio::test]
async fn x_real_ip_is_one_address() {
    const NAME: &str = "x-real-ip";
    check(
        NAME,
        &[
            (&[(NAME, "203.0.113.7")], "203.0.113.7"),
            (&[(NAME, " 2001:db8::7 ")], "2001:db8::7"),
        ],
        &[
            &[(NAME, "198.51.100.1")],
            &[(NAME, "198.51.100.1, 203.0.113.7")],
            &[("x-forwarded-for", "203.0.113.7")],
        ],
    )
    .await;
}

#[tokio::test]
async fn what_a_caller_writes_about_itself_counts_for_nothing() {
    let app = TestApp::start().await;
    let tenant = choosy(&app).await;
    let claims = [
        ("x-forwarded-for", "203.0.113.7"),
        ("forwarded", "for=203.0.113.7"),
        ("x-real-ip", "203.0.113.7"),
    ];
    call(&app, &claims)
        .await
        .expect_problem(401, "unauthorized");
    tenant.account("stub", "open").await;
    let headers = [&[JSON], &claims[..]].concat();
    let path = "/v1/callbacks/open/reports";
    let answer = app.ingress.post_raw(path, &headers, delivered("m-1")).await;
    let seen = processed(&tenant, &accepted_id(&answer)).await;
    assert_eq!(seen["source_ip"], "127.0.0.1");
}
