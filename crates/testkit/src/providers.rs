//! Callbacks as providers send them, written by hand from what is on the wire.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

/// A delivery report of Africa's Talking, as a form. `extra` adds fields, such as `failureReason`, or
/// replaces the usual ones.
pub fn africastalking_report(
    id: &str,
    status: &str,
    phone: &str,
    extra: &[(&str, &str)],
) -> String {
    let usual = [
        ("phoneNumber", phone),
        ("retryCount", "0"),
        ("id", id),
        ("status", status),
        ("networkCode", "63902"),
    ];
    let is_replaced = |&(name, _): &(&str, &str)| extra.iter().any(|(other, _)| *other == name);
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(usual.into_iter().filter(|field| !is_replaced(field)))
        .extend_pairs(extra)
        .finish()
}

/// A delivery receipt of Orange, as JSON. `address` is `tel:+2250700000001`, or the number alone.
pub fn orange_report(resource_id: &str, address: &str, status: &str) -> String {
    json!({"deliveryInfoNotification": {
        "callbackData": resource_id,
        "deliveryInfo": {"address": address, "deliveryStatus": status},
    }})
    .to_string()
}

/// A delivery report of the stub, as JSON. `status` is a word of SMPP 3.4; `done_at` is RFC 3339.
pub fn stub_report(id: &str, status: &str, to: &str, done_at: Option<&str>) -> String {
    let mut report = json!({"provider": "stub", "messageId": id, "to": to, "status": status});
    if let Some(done_at) = done_at {
        report["doneAt"] = done_at.into();
    }
    report.to_string()
}

/// What an `hmac` check with `sha256` and `hex` expects of this body: 64 digits in lower case.
pub fn hmac_sha256_hex(secret: &str, bytes: impl AsRef<[u8]>) -> String {
    match Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        Ok(mut mac) => {
            mac.update(bytes.as_ref());
            hex::encode(mac.finalize().into_bytes())
        }
        Err(error) => panic!("HMAC takes a key of any length: {error}"),
    }
}
