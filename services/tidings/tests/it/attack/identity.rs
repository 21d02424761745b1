//! Callers who claim to be elsewhere, and addresses that look like an account's.

use crate::app::SOON;
use crate::attack::scene::{Known, PHONE, RIVALS_SECRET, Scene, sha256_hex};
use crate::attack::{Attack, attack};
use serde_json::json;
use testkit::providers::stub_report;

#[tokio::test]
async fn whoever_claims_to_be_another_comes_to_nothing() {
    let proxied = ("TIDINGS_INGRESS__TRUSTED_PROXIES", "127.0.0.0/8");
    let scene = Scene::set_with(&[proxied]).await;
    scene.withstands(&table(&scene.known)).await;
}

#[tokio::test]
async fn a_provider_that_reports_about_anothers_message_has_an_orphan_of_its_own() {
    let scene = Scene::set().await;
    let body = stub_report("theirs", "DELIVRD", PHONE, None);
    let theirs = scene.clinic.message("signed", "theirs", PHONE).await;
    let signature = format!("sha256={}", sha256_hex(RIVALS_SECRET, &body));
    let headers = [
        ("content-type", "application/json"),
        ("x-signature", &*signature),
    ];
    let path = "/v1/callbacks/rival/reports";
    let answer = scene.app.ingress.post_raw(path, &headers, body).await;
    let id = answer.expect(200)["callback_id"].clone();
    let path = format!("/v1/callbacks/{}", id.as_str().unwrap());
    let is_processed = |found: &serde_json::Value| found["status"] == "processed";
    let seen = scene.rival.api.get_until(&path, is_processed, SOON).await;
    assert_eq!(seen["reports"][0]["outcome"], "orphaned", "{seen}");
    scene.clinic.api.get(&path).await.expect(404);
    let path = format!("/v1/messages/{theirs}");
    let found = scene.clinic.api.get(&path).await.expect(200);
    assert_eq!(
        (&found["state"], &found["history"]),
        (&json!("pending"), &json!([]))
    );
}

pub fn table(known: &Known) -> Vec<Attack> {
    let mut table = addresses();
    table.extend(paths());
    table.extend(names(known));
    table
}

/// Behind a proxy that we trust, by callers who are not in `203.0.113.0/24`.
fn addresses() -> Vec<Attack> {
    const LIST: &str = "x-forwarded-for";
    let claims = |name, header, value: &str| {
        attack(name, "elsewhere")
            .with(header, value)
            .refused("unauthorized_ip")
    };
    let hops = format!("203.0.113.7{}", ", 127.0.0.1".repeat(40));
    vec![
        claims(
            "the leftmost address is what the caller wrote",
            LIST,
            "203.0.113.7, 198.51.100.1",
        ),
        claims(
            "an address in a line before the proxy's",
            LIST,
            "203.0.113.7",
        )
        .with(LIST, "198.51.100.1"),
        claims(
            "an address before one that cannot be read",
            LIST,
            "203.0.113.7, unknown",
        ),
        claims("an address before nothing", LIST, "203.0.113.7, "),
        claims(
            "an address behind more hops than there are proxies",
            LIST,
            &hops,
        ),
        claims("an address with leading zeros", LIST, "203.0.113.007"),
        claims("an address as one number", LIST, "3405803783"),
        claims(
            "an address with a network beside it",
            LIST,
            "203.0.113.7/32",
        ),
        claims("an address in quotes", LIST, "\"203.0.113.7\""),
        claims(
            "another's address as an ipv6 address",
            LIST,
            "::ffff:198.51.100.1",
        ),
        claims(
            "an address within a compatible ipv6 address",
            LIST,
            "::203.0.113.7",
        ),
        claims(
            "an address within a translated ipv6 address",
            LIST,
            "64:ff9b::203.0.113.7",
        ),
        claims("an address with a zone", LIST, "2001:db8::7%eth0"),
        claims(
            "an address in a header that nobody looks at",
            "x-real-ip",
            "203.0.113.7",
        ),
        claims(
            "an address in the standard's header, where another is used",
            "forwarded",
            "for=203.0.113.7",
        ),
        claims(
            "an address in a header with an underscore",
            "x_forwarded_for",
            "203.0.113.7",
        ),
        claims("an address of a proxy in front", "via", "1.1 203.0.113.7"),
    ]
}

/// Of an account that would believe the caller.
fn paths() -> Vec<Attack> {
    let to = |name, target: &str| attack(name, "open").to(target).nowhere();
    vec![
        to("a slug in capitals", "/v1/callbacks/OPEN/reports"),
        to(
            "a slug in other letters that look alike",
            "/v1/callbacks/%D0%BEpen/reports",
        ),
        to(
            "a slug in wide letters",
            "/v1/callbacks/%EF%BD%8Fpen/reports",
        ),
        to(
            "a slug that is spelt with an escape",
            "/v1/callbacks/%6fpen/reports",
        ),
        to(
            "a slug that ends with a nul",
            "/v1/callbacks/open%00/reports",
        ),
        to(
            "a slug that ends with a space",
            "/v1/callbacks/open%20/reports",
        ),
        to(
            "a slug that ends with a line",
            "/v1/callbacks/open%0d%0a/reports",
        ),
        to(
            "a slug with a dot at its end",
            "/v1/callbacks/open./reports",
        ),
        to("a slug with a parameter", "/v1/callbacks/open;v=1/reports"),
        to("a slug that is a quote", "/v1/callbacks/'or'1'='1/reports"),
        to("a slug that is a pattern", "/v1/callbacks/%25/reports"),
        to(
            "a slug that is a path up",
            "/v1/callbacks/../callbacks/open/reports",
        ),
        to(
            "a slug that is an escaped path up",
            "/v1/callbacks/%2e%2e/callbacks/open/reports",
        ),
        to(
            "a slug that is doubly escaped",
            "/v1/callbacks/%256fpen/reports",
        ),
        to("a slug of no character", "/v1/callbacks//reports"),
        to(
            "a slug of 64 characters",
            &format!("/v1/callbacks/{}/reports", "o".repeat(64)),
        ),
        to(
            "a slug and a kind behind an escaped slash",
            "/v1/callbacks/open%2freports",
        ),
        to("a slug behind two slashes", "//v1/callbacks/open/reports"),
        to("a slash behind the kind", "/v1/callbacks/open/reports/"),
        to("a kind in capitals", "/v1/callbacks/open/REPORTS"),
        to("a kind with an ending", "/v1/callbacks/open/reports.json"),
        to("a kind that there is not", "/v1/callbacks/open/faxes"),
        to("a path in capitals", "/V1/callbacks/open/reports"),
        to(
            "an older address with a tenant's slug",
            "/api/webhooks/legacy/open/delivery",
        ),
        to(
            "an older address with a path up",
            "/api/webhooks/legacy/../../../v1/callbacks/open/reports",
        ),
        to("an address of the api", "/v1/messages"),
        to("an address of the operator", "/metrics"),
    ]
}

fn names(known: &Known) -> Vec<Attack> {
    const LONGEST: &str = "ooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooo";
    vec![
        attack("a slug of 63 characters that nobody has", LONGEST).refused("unknown_account"),
        attack("a slug that another's begins with", "ope").refused("unknown_account"),
        attack("a slug that begins with another's", "open-2").refused("unknown_account"),
        attack("a provider's name that nobody took", "mtn")
            .to("/api/webhooks/legacy/mtn/delivery")
            .refused("unknown_account"),
        attack(
            "an older address of an account with a token",
            "africastalking",
        )
        .to("/api/webhooks/africastalking/delivery")
        .refused("invalid_token"),
        attack(
            "an older address with a token in the query",
            "africastalking",
        )
        .to(format!(
            "/api/webhooks/africastalking/delivery?token={}",
            known.token
        ))
        .refused("invalid_token"),
        attack("the key of the api in place of the account's", "key")
            .with("authorization", format!("Bearer {}", testkit::ADMIN_KEY))
            .refused("invalid_api_key"),
    ]
}
