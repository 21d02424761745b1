//! Callers who do not show that they are the provider.

mod proper;
mod signature;

use crate::attack::scene::{
    KEY, Known, PHONE, RIVALS_SECRET, SECRET, Scene, genuine, mac, sha256_hex,
};
use crate::attack::{Attack, attack};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Hmac;

const SIGNATURE: &str = "x-signature";
const WRONG_TOKEN: &str = "invalid_token";
const WRONG_SIGNATURE: &str = "invalid_signature";
const WRONG_KEY: &str = "invalid_api_key";
/// What Vonage signs of the report.
const VONAGE: &str = "&messageId=m-1&msisdn=254700000001&status=delivered";

#[tokio::test]
async fn whoever_does_not_show_that_it_is_the_provider_comes_to_nothing() {
    let scene = Scene::set().await;
    scene.withstands(&table(&scene.known)).await;
    // Each account lets its provider in: it was not for another reason that nobody got in.
    for (name, attack) in proper::requests(&scene.known) {
        let answer = testkit::raw(scene.app.ingress.base_url(), attack.bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{name}: {answer}");
    }
}

pub fn table(known: &Known) -> Vec<Attack> {
    let mut table = signature::table(known.now);
    table.extend(keys());
    table.extend(tokens(known));
    table.extend(addresses());
    table.extend(accounts());
    table
}

/// Of the account `signed`, and of those that sign likewise.
fn report() -> String {
    genuine("stub").1
}

/// The signature of the report, as `signed` wants it.
fn good() -> String {
    format!("sha256={}", sha256_hex(SECRET, report()))
}

/// What Twilio signs with a body, when it calls this URL.
fn twilio(secret: &str, url: &str) -> String {
    let fields = format!("MessageSidm-1MessageStatusdeliveredTo{PHONE}");
    STANDARD.encode(mac::<Hmac<sha1::Sha1>>(secret, format!("{url}{fields}")))
}

fn keys() -> Vec<Attack> {
    let with = |name, value: String| {
        attack(name, "key")
            .with("x-api-key", value)
            .refused(WRONG_KEY)
    };
    let basic = |name, value: String| {
        attack(name, "gateway")
            .with("authorization", value)
            .refused(WRONG_KEY)
    };
    let user = |pair: String| format!("Basic {}", STANDARD.encode(pair));
    let good = user(format!("jasmin:{SECRET}"));
    vec![
        attack("no key", "key").refused(WRONG_KEY),
        with("a wrong key of the right length", KEY.replace('9', "8")),
        with("the beginning of a key", KEY[..KEY.len() - 1].to_owned()),
        with("a key and a byte more", format!("{KEY}0")),
        with("a key in capitals", KEY.to_uppercase()),
        with("a list with the key in it", format!("{KEY}, x")),
        with("a key in quotes", format!("\"{KEY}\"")),
        attack("a key twice", "key")
            .with("x-api-key", KEY)
            .with("x-api-key", KEY)
            .refused(WRONG_KEY),
        attack("a key in another header", "key")
            .with("authorization", format!("Bearer {KEY}"))
            .refused(WRONG_KEY),
        attack("a key in the query", "key")
            .to(format!("/v1/callbacks/key/reports?X-Api-Key={KEY}"))
            .refused(WRONG_KEY),
        attack("no user and no password", "gateway").refused(WRONG_KEY),
        basic(
            "the right user with a wrong password",
            user("jasmin:wrong".to_owned()),
        ),
        basic(
            "the right password of a wrong user",
            user(format!("kannel:{SECRET}")),
        ),
        basic("a user without a password", user("jasmin:".to_owned())),
        basic(
            "a user and a password in plain text",
            format!("Basic jasmin:{SECRET}"),
        ),
        basic("credentials that are no base64", "Basic !!!!".to_owned()),
        basic("bearer in place of basic", good.replace("Basic", "Bearer")),
        basic("credentials with a second pair", format!("{good}, {good}")),
    ]
}

fn tokens(known: &Known) -> Vec<Attack> {
    let Known { token, both, .. } = known;
    let to = |name, token: &str| {
        attack(name, "token")
            .to(format!("/v1/callbacks/token/{token}/reports"))
            .refused(WRONG_TOKEN)
    };
    let turned = if token.ends_with('0') { '1' } else { '0' };
    let encoded = format!("%{:02x}{}", token.as_bytes()[0], &token[1..]);
    vec![
        attack("no token", "token").refused(WRONG_TOKEN),
        to(
            "a token with its last character wrong",
            &format!("{}{turned}", &token[..token.len() - 1]),
        ),
        to(
            "a token without its last character",
            &token[..token.len() - 1],
        ),
        to("a token and a character more", &format!("{token}0")),
        to("the token of another account", both),
        to("a token that is spelt with an escape", &encoded),
        to("a token that is an escaped space", "%20"),
        attack("a token in the query", "token")
            .to(format!("/v1/callbacks/token/reports?token={token}"))
            .refused(WRONG_TOKEN),
        attack("a token in a header", "token")
            .with("authorization", format!("Bearer {token}"))
            .refused(WRONG_TOKEN),
        attack("a token where the account has none", "open")
            .to(format!("/v1/callbacks/open/{token}/reports"))
            .refused(WRONG_TOKEN),
        attack("the right token without the signature", "both")
            .to(format!("/v1/callbacks/both/{both}/reports"))
            .refused(WRONG_SIGNATURE),
        attack("the right signature without the token", "both")
            .with(SIGNATURE, good())
            .refused(WRONG_TOKEN),
    ]
}

fn addresses() -> Vec<Attack> {
    let claims = |name, header, value: &str| {
        attack(name, "elsewhere")
            .with(header, value)
            .refused("unauthorized_ip")
    };
    vec![
        attack("an address outside the networks", "elsewhere").refused("unauthorized_ip"),
        claims(
            "x-forwarded-for by no proxy",
            "x-forwarded-for",
            "203.0.113.7",
        ),
        claims("forwarded by no proxy", "forwarded", "for=203.0.113.7"),
        claims("x-real-ip by no proxy", "x-real-ip", "203.0.113.7"),
        attack("the right address with a wrong signature", "guarded")
            .with(
                SIGNATURE,
                format!("sha256={}", sha256_hex(RIVALS_SECRET, report())),
            )
            .refused(WRONG_SIGNATURE),
    ]
}

fn accounts() -> Vec<Attack> {
    const UNKNOWN: &str = "unknown_account";
    vec![
        attack("an account that there is not", "nobody").refused(UNKNOWN),
        attack(
            "an account that there is not, with another's signature",
            "nobody-2",
        )
        .with(SIGNATURE, good())
        .refused(UNKNOWN),
        attack("an account that was deleted", "gone")
            .with(SIGNATURE, good())
            .refused(UNKNOWN),
        attack("another tenant's account with one's own signature", "rival")
            .with(SIGNATURE, good())
            .refused(WRONG_SIGNATURE),
        attack("a kind that the provider does not have", "open")
            .to("/v1/callbacks/open/opt-outs")
            .refused(UNKNOWN),
        attack("a body that is not read before the caller is known", "key")
            .body("{")
            .refused(WRONG_KEY),
        attack(
            "a content type that is not told before the caller is known",
            "key",
        )
        .content_type("text/plain")
        .refused(WRONG_KEY),
        attack("a query by get of a stranger", "key")
            .method("GET")
            .to("/v1/callbacks/key/reports?id=m-1&status=1")
            .refused(WRONG_KEY),
    ]
}
