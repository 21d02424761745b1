//! Signatures that are not the provider's, of this request.

use super::{SIGNATURE, VONAGE, WRONG_SIGNATURE, good, report, twilio};
use crate::attack::scene::{PUBLIC_URL, REMOVED, RIVALS_SECRET, SECRET, genuine, mac, sha256_hex};
use crate::attack::{Attack, attack};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::Hmac;
use sha2::{Digest, Sha256, Sha512};

pub fn table(now: i64) -> Vec<Attack> {
    let mut table = signed();
    table.extend(timed(now));
    table.extend(parameters());
    table
}

fn signed() -> Vec<Attack> {
    let (report, good) = (report(), good());
    let bare = sha256_hex(SECRET, &report);
    let other_body = report.replace("m-1", "m-2");
    let by = |secret: &str| format!("sha256={}", sha256_hex(secret, &report));
    let coded = STANDARD.encode(mac::<Hmac<Sha256>>(SECRET, &report));
    let sha1 = hex::encode(mac::<Hmac<sha1::Sha1>>(SECRET, &report));
    let sha512 = hex::encode(mac::<Hmac<Sha512>>(SECRET, &report));
    let unkeyed = hex::encode(Sha256::digest(&report));
    let zeros = "0".repeat(64);
    let unpadded = STANDARD_NO_PAD.encode(mac::<Hmac<Sha256>>(SECRET, &report));
    let with = |name, value: String| {
        attack(name, "signed")
            .with(SIGNATURE, value)
            .refused(WRONG_SIGNATURE)
    };
    vec![
        attack("no signature", "signed").refused(WRONG_SIGNATURE),
        with(
            "the signature of another body",
            format!("sha256={}", sha256_hex(SECRET, other_body)),
        ),
        with(
            "the signature of a stranger's secret",
            by("a-secret-of-a-stranger"),
        ),
        with("an unkeyed hash of the body", format!("sha256={unkeyed}")),
        with(
            "the prefix of a signature in capitals",
            format!("SHA256={bare}"),
        ),
        with("a signature without its prefix", bare.clone()),
        with(
            "a signature whose algorithm the request names",
            format!("sha1={sha1}"),
        ),
        with("an algorithm of none", "none=".to_owned()),
        with(
            "a longer algorithm cut to length",
            format!("sha256={}", &sha512[..64]),
        ),
        with("an empty signature", String::new()),
        with("the prefix of a signature alone", "sha256=".to_owned()),
        with(
            "a signature of nothing but zeros",
            format!("sha256={zeros}"),
        ),
        with("two signatures in one header", format!("{good},{good}")),
        with("base64 where hex is expected", format!("sha256={coded}")),
        with("half a signature", format!("sha256={}", &bare[..32])),
        with("one byte of a signature", format!("sha256={}", &bare[..2])),
        with("a signature and a byte more", format!("{good}00")),
        with("a signature with a space in it", format!("sha256= {bare}")),
        attack("a good signature in two headers", "signed")
            .with(SIGNATURE, &good)
            .with(SIGNATURE, &good)
            .refused(WRONG_SIGNATURE),
        attack("a good and a wrong signature", "signed")
            .with(SIGNATURE, by(RIVALS_SECRET))
            .with(SIGNATURE, &good)
            .refused(WRONG_SIGNATURE),
        attack("a signature in another header", "signed")
            .with("x-hub-signature-256", &good)
            .refused(WRONG_SIGNATURE),
        attack("a signature in the query", "signed")
            .to(format!("/v1/callbacks/signed/reports?x-signature={good}"))
            .refused(WRONG_SIGNATURE),
        attack("a signature by a secret that was removed", "rotated")
            .with(SIGNATURE, by(REMOVED))
            .refused(WRONG_SIGNATURE),
        attack("hex where base64 is expected", "coded")
            .with(SIGNATURE, bare)
            .refused(WRONG_SIGNATURE),
        attack("base64 without its padding", "coded")
            .with(SIGNATURE, unpadded)
            .refused(WRONG_SIGNATURE),
    ]
}

fn timed(now: i64) -> Vec<Attack> {
    let report = report();
    let sign = |time: &str| sha256_hex(SECRET, format!("{time}.{report}"));
    let at = |name, time: &str| {
        attack(name, "timed")
            .with(SIGNATURE, sign(time))
            .with("x-timestamp", time)
            .refused(WRONG_SIGNATURE)
    };
    let time = now.to_string();
    vec![
        attack("no time with a signature of the body alone", "timed")
            .with(SIGNATURE, sha256_hex(SECRET, &report))
            .refused(WRONG_SIGNATURE),
        attack("a time with a signature of the body alone", "timed")
            .with(SIGNATURE, sha256_hex(SECRET, &report))
            .with("x-timestamp", &time)
            .refused(WRONG_SIGNATURE),
        attack("a signed time that is left out", "timed")
            .with(SIGNATURE, sign(&time))
            .refused(WRONG_SIGNATURE),
        attack("a signed time twice", "timed")
            .with(SIGNATURE, sign(&time))
            .with("x-timestamp", &time)
            .with("x-timestamp", &time)
            .refused(WRONG_SIGNATURE),
        at("an empty time, signed", ""),
        at("a time that is no number, signed", "now"),
        at("a time with a fraction, signed", &format!("{time}.0")),
        at("a time with a plus, signed", &format!("+{time}")),
        at("a time with a space in it, signed", &format!("{time} 0")),
        at("a time in hex, signed", &format!("0x{now:x}")),
        at("a time that no number holds, signed", &"9".repeat(40)),
    ]
}

fn parameters() -> Vec<Attack> {
    let url = format!("{PUBLIC_URL}/v1/callbacks/twilio-ci/reports");
    let body = genuine("vonage").1;
    let sig = sha256_hex(SECRET, VONAGE);
    let md5 = hex::encode(md5::Md5::digest(format!("{VONAGE}{SECRET}")));
    let by = |name, signature: String| {
        attack(name, "twilio-ci")
            .with("x-twilio-signature", signature)
            .refused(WRONG_SIGNATURE)
    };
    let saying = |name, body: String| {
        attack(name, "vonage-ci")
            .body(body)
            .refused(WRONG_SIGNATURE)
    };
    vec![
        attack("no signature of twilio", "twilio-ci").refused(WRONG_SIGNATURE),
        by(
            "twilio's signature of another url",
            twilio(SECRET, &url.replace("reports", "inbound")),
        ),
        by(
            "twilio's signature of http for https",
            twilio(SECRET, &url.replace("https", "http")),
        ),
        by(
            "twilio's signature of another host",
            twilio(SECRET, &url.replace("sms.", "sms2.")),
        ),
        by(
            "twilio's signature by another token",
            twilio(RIVALS_SECRET, &url),
        ),
        by(
            "twilio's signature of the url with a query",
            twilio(SECRET, &format!("{url}?a=b")),
        ),
        by("twilio's signature of a smaller form", twilio(SECRET, &url))
            .body(format!("{}&ErrorCode=1", genuine("twilio").1)),
        saying("no signature of vonage", body.clone()),
        saying(
            "vonage's md5 where sha256 is configured",
            format!("{body}&sig={md5}"),
        ),
        saying(
            "vonage's signature twice",
            format!("{body}&sig={sig}&sig={sig}"),
        ),
        saying(
            "vonage's signature of another status",
            format!("{}&sig={sig}", body.replace("delivered", "failed")),
        ),
        saying(
            "vonage's parameters hidden in one",
            format!("messageId=m-1%26msisdn%3D254700000001&status=delivered&sig={sig}"),
        ),
        saying(
            "a body beside vonage's signed query",
            body.replace("m-1", "m-2"),
        )
        .to(format!("/v1/callbacks/vonage-ci/reports?{body}&sig={sig}")),
        attack("vonage's signature in a header", "vonage-ci")
            .with("sig", sig)
            .refused(WRONG_SIGNATURE),
    ]
}
