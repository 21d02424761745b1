//! Who is not let in learns nothing about why.

use super::*;
use testkit::providers::hmac_sha256_hex;

const SECRET: &str = "a-secret-of-the-provider";
const KEY: &str = "an-api-key-0123456789";

type Header<'a> = (&'a str, &'a str);
type Headers<'a> = Vec<Header<'a>>;

fn signature(value: &str) -> Header<'_> {
    ("x-signature", value)
}

fn timestamp(value: &str) -> Header<'_> {
    ("x-timestamp", value)
}

/// Accounts of every sort; the token of `token` and of `both`.
async fn accounts(tenant: &Tenant) -> (String, String) {
    let hmac = json!({
        "type": "hmac", "secret": SECRET, "algorithm": "sha256", "encoding": "hex",
        "header": "X-Signature", "prefix": "sha256=",
        "signed": "timestamp.body", "timestamp_header": "X-Timestamp",
    });
    let token_of = |account: Value| {
        let url = account["callback_urls"]["reports"].as_str().unwrap();
        url.rsplit('/').nth(1).unwrap().to_owned()
    };
    tenant.account("stub", "open").await;
    let elsewhere = json!([{ "type": "ip_allowlist", "cidrs": ["203.0.113.0/24", "::1/128"] }]);
    tenant.account_with("stub", "elsewhere", elsewhere).await;
    let key = json!([{ "type": "api_key", "header": "X-Api-Key", "key": KEY }]);
    tenant.account_with("stub", "key", key).await;
    tenant.account_with("stub", "signed", json!([hmac])).await;
    let token = tenant.account_with("stub", "token", json!([{ "type": "token" }]));
    let token = token_of(token.await);
    let both = tenant.account_with("stub", "both", json!([{ "type": "token" }, hmac]));
    (token, token_of(both.await))
}

#[tokio::test]
async fn every_failure_to_authenticate_is_the_same_answer_and_has_no_effect() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let (token, both) = accounts(&tenant).await;
    let body = delivered("m-1");
    let now = app.clock.now().as_seconds();
    let sign = |time: &str| {
        let content = format!("{time}.{body}");
        format!("sha256={}", hmac_sha256_hex(SECRET, content))
    };
    let time = now.to_string();
    let good = sign(&time);
    let bare = good.strip_prefix("sha256=").unwrap();
    let twice = format!("{good}, {good}");
    let wrong = good.replace(|c: char| c.is_ascii_digit(), "0");
    let stale = (now - 302).to_string();
    let ahead = (now + 310).to_string();
    let body_alone = format!("sha256={}", hmac_sha256_hex(SECRET, &body));
    let other_secret = format!(
        "sha256={}",
        hmac_sha256_hex("another-secret-01234", format!("{time}.{body}"))
    );
    let at = |account: &str| format!("/v1/callbacks/{account}/reports");
    let with = |account: &str, token: &str| format!("/v1/callbacks/{account}/{token}/reports");
    let last_off = format!(
        "{}{}",
        &token[..47],
        if token.ends_with('0') { '1' } else { '0' }
    );
    let requests: Vec<(&str, String, Headers)> = vec![
        ("an unknown account", at("nobody"), vec![]),
        (
            "an unknown account with a token",
            with("nobody", &token),
            vec![],
        ),
        ("no token", at("token"), vec![]),
        (
            "a wrong token",
            with("token", "0123456789abcdef0123456789abcdef"),
            vec![],
        ),
        ("nearly the token", with("token", &last_off), vec![]),
        (
            "the token in capitals",
            with("token", &token.to_uppercase()),
            vec![],
        ),
        ("the token cut", with("token", &token[..46]), vec![]),
        ("another account's token", with("token", &both), vec![]),
        ("a token where there is none", with("open", &token), vec![]),
        ("an empty-looking token", with("token", "%20"), vec![]),
        ("a wrong address", at("elsewhere"), vec![]),
        (
            "a claimed address",
            at("elsewhere"),
            vec![("x-forwarded-for", "203.0.113.7")],
        ),
        ("no key", at("key"), vec![]),
        (
            "a wrong key",
            at("key"),
            vec![("x-api-key", "an-api-key-0123456780")],
        ),
        ("an empty key", at("key"), vec![("x-api-key", "")]),
        (
            "a repeated key",
            at("key"),
            vec![("x-api-key", KEY), ("x-api-key", KEY)],
        ),
        (
            "a list of keys",
            at("key"),
            vec![("x-api-key", "x, an-api-key-0123456789")],
        ),
        ("the key elsewhere", at("key"), vec![("authorization", KEY)]),
        ("no signature", at("signed"), vec![]),
        ("no time", at("signed"), vec![signature(&good)]),
        ("a time alone", at("signed"), vec![timestamp(&time)]),
        (
            "a wrong signature",
            at("signed"),
            vec![signature(&wrong), timestamp(&time)],
        ),
        (
            "no prefix",
            at("signed"),
            vec![signature(bare), timestamp(&time)],
        ),
        (
            "the prefix alone",
            at("signed"),
            vec![signature("sha256="), timestamp(&time)],
        ),
        (
            "no hex",
            at("signed"),
            vec![signature("sha256=zz"), timestamp(&time)],
        ),
        (
            "half a signature",
            at("signed"),
            vec![signature(&good[..39]), timestamp(&time)],
        ),
        (
            "a list of signatures",
            at("signed"),
            vec![signature(&twice), timestamp(&time)],
        ),
        (
            "a repeated signature",
            at("signed"),
            vec![signature(&good), signature(&good), timestamp(&time)],
        ),
        (
            "a repeated time",
            at("signed"),
            vec![signature(&good), timestamp(&time), timestamp(&time)],
        ),
        (
            "another secret",
            at("signed"),
            vec![signature(&other_secret), timestamp(&time)],
        ),
        (
            "the body alone signed",
            at("signed"),
            vec![signature(&body_alone), timestamp(&time)],
        ),
        (
            "another time",
            at("signed"),
            vec![signature(&good), timestamp(&stale)],
        ),
        (
            "a signature without its token",
            at("both"),
            vec![signature(&good), timestamp(&time)],
        ),
        ("a token without its signature", with("both", &both), vec![]),
        (
            "a kind the provider lacks",
            "/v1/callbacks/open/opt-outs".into(),
            vec![],
        ),
    ];
    let genuine_but_old =
        [&stale, &ahead, "0", "-1", "99999999999"].map(|time| (time.to_owned(), sign(time)));
    let genuine_but_no_time = [
        " ",
        "now",
        "+1",
        "1e9",
        "1.5",
        "0x10",
        "9999999999999999999999",
    ]
    .map(|time| (time.to_owned(), sign(time)));
    // Compared with the first of them.
    let unknown = app.ingress.post_raw(&at("nobody"), &[], "").await;
    let refuse = async |what: &str, path: &str, headers: &[(&str, &str)], body: &str| {
        let answer = app.ingress.post_raw(path, headers, body).await;
        answer.expect_problem(401, "unauthorized");
        assert_eq!(told(&answer), told(&unknown), "{what}");
    };
    for (what, path, headers) in &requests {
        let headers = [&[JSON], &headers[..]].concat();
        refuse(what, path, &headers, &body).await;
    }
    for (time, signature) in genuine_but_old.iter().chain(&genuine_but_no_time) {
        let headers = [JSON, ("x-signature", signature), ("x-timestamp", time)];
        refuse(time, &at("signed"), &headers, &body).await;
    }
    // What is wrong with the rest of such a request is not told either.
    refuse("not JSON", &at("nobody"), &[JSON], "{").await;
    refuse(
        "another type",
        &at("token"),
        &[("content-type", "text/plain")],
        "x",
    )
    .await;
    refuse("no body", &at("key"), &[], "").await;
    let path = "/v1/callbacks/key/reports?id=1";
    let keyless = app.ingress.request("GET", path, &[], "").await;
    assert_eq!(told(&keyless), told(&unknown));

    let headers = [JSON, ("x-signature", &*good), ("x-timestamp", &*time)];
    let mut accepted = Vec::new();
    for (path, headers) in [
        (at("open"), &[JSON][..]),
        (with("token", &token), &[JSON]),
        (at("key"), &[JSON, ("X-API-KEY", KEY)]),
        (at("signed"), &headers),
        (with("both", &both), &headers),
    ] {
        accepted.push(accepted_id(
            &app.ingress.post_raw(&path, headers, &*body).await,
        ));
    }
    assert_only(&tenant, &accepted).await;
}

#[tokio::test]
async fn the_reason_is_counted_where_only_the_operator_sees_it() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    let (_, both) = accounts(&tenant).await;
    let body = delivered("m-1");
    let old = (app.clock.now().as_seconds() - 400).to_string();
    let signature = hmac_sha256_hex(SECRET, format!("{old}.{body}"));
    let signature = format!("sha256={signature}");
    let signed = [("x-signature", &*signature), ("x-timestamp", &*old)];
    let both = format!("/v1/callbacks/both/{both}/reports");
    let expected: [(&str, &str, &[Header]); 7] = [
        ("unknown_account", "/v1/callbacks/nobody/reports", &[]),
        ("invalid_token", "/v1/callbacks/token/reports", &[]),
        ("invalid_token", "/v1/callbacks/open/x/reports", &[]),
        ("unauthorized_ip", "/v1/callbacks/elsewhere/reports", &[]),
        ("invalid_api_key", "/v1/callbacks/key/reports", &[]),
        ("invalid_signature", "/v1/callbacks/signed/reports", &[]),
        ("stale_timestamp", &both, &signed),
    ];
    for (kind, path, headers) in expected {
        let before = security_events(&app, kind).await;
        app.ingress
            .post_raw(path, headers, &*body)
            .await
            .expect(401);
        assert_eq!(
            security_events(&app, kind).await,
            before + 1,
            "{kind} at {path}"
        );
    }
    assert_eq!(answered(&app, "stub", "unauthorized").await, 6);
    assert_eq!(answered(&app, "unknown", "unauthorized").await, 1);
}
