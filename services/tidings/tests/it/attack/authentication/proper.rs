//! What the providers of the accounts would send: the same requests, with nothing wrong.

use super::{SIGNATURE, VONAGE, good, report, twilio};
use crate::attack::scene::{
    KEY, Known, PUBLIC_URL, RIVALS_SECRET, SECRET, genuine, mac, sha256_hex,
};
use crate::attack::{Attack, attack};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Hmac;
use sha2::Sha256;

/// One request for each account, with its slug.
pub fn requests(known: &Known) -> Vec<(&'static str, Attack)> {
    let report = report();
    let time = known.now.to_string();
    let coded = STANDARD.encode(mac::<Hmac<Sha256>>(SECRET, &report));
    let timed = sha256_hex(SECRET, format!("{time}.{report}"));
    let user = STANDARD.encode(format!("jasmin:{SECRET}"));
    let url = format!("{PUBLIC_URL}/v1/callbacks/twilio-ci/reports");
    let sig = sha256_hex(SECRET, VONAGE);
    let rivals = format!("sha256={}", sha256_hex(RIVALS_SECRET, &report));
    let to = |account: &str, token: &str| format!("/v1/callbacks/{account}/{token}/reports");
    [
        ("open", None),
        ("signed", Some((SIGNATURE, good()))),
        ("rotated", Some((SIGNATURE, good()))),
        ("guarded", Some((SIGNATURE, good()))),
        ("coded", Some((SIGNATURE, coded))),
        ("rival", Some((SIGNATURE, rivals))),
        ("key", Some(("x-api-key", KEY.to_owned()))),
        ("gateway", Some(("authorization", format!("Basic {user}")))),
        (
            "twilio-ci",
            Some(("x-twilio-signature", twilio(SECRET, &url))),
        ),
        ("at", None),
        ("orange-ci", None),
    ]
    .map(|(account, header)| match header {
        Some((name, value)) => (account, attack(account, account).with(name, value)),
        None => (account, attack(account, account)),
    })
    .into_iter()
    .chain([
        ("token", attack("", "token").to(to("token", &known.token))),
        (
            "both",
            attack("", "both")
                .to(to("both", &known.both))
                .with(SIGNATURE, good()),
        ),
        (
            "timed",
            attack("", "timed")
                .with(SIGNATURE, timed)
                .with("x-timestamp", time),
        ),
        (
            "vonage-ci",
            attack("", "vonage-ci").body(format!("{}&sig={sig}", genuine("vonage").1)),
        ),
    ])
    .collect()
}
