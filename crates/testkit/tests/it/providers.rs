use serde_json::{Value, json};
use tidings_testkit::providers::{
    africastalking_report, hmac_sha256_hex, orange_report, stub_report,
};

#[test]
fn a_report_of_africas_talking_is_a_form() {
    assert_eq!(
        africastalking_report("ATXid_1", "Success", "+254700000001", &[]),
        "phoneNumber=%2B254700000001&retryCount=0&id=ATXid_1&status=Success&networkCode=63902"
    );
}

#[test]
fn further_fields_are_added_or_replace_the_usual_ones() {
    let extra = [
        ("failureReason", "Delivery Failure"),
        ("networkCode", "99999"),
    ];
    assert_eq!(
        africastalking_report("1", "Failed", "+1", &extra),
        "phoneNumber=%2B1&retryCount=0&id=1&status=Failed&failureReason=Delivery+Failure&networkCode=99999"
    );
}

#[test]
fn reports_of_orange_and_of_the_stub_are_json() {
    let orange = orange_report("r-1", "tel:+2250700000001", "DeliveredToTerminal");
    let delivery =
        json!({"address": "tel:+2250700000001", "deliveryStatus": "DeliveredToTerminal"});
    assert_eq!(
        serde_json::from_str::<Value>(&orange).unwrap(),
        json!({"deliveryInfoNotification": {"callbackData": "r-1", "deliveryInfo": delivery}})
    );

    let stub = stub_report("s-1", "DELIVRD", "+260950000001", None);
    let stub: Value = serde_json::from_str(&stub).unwrap();
    assert_eq!(
        (&stub["messageId"], &stub["status"]),
        (&json!("s-1"), &json!("DELIVRD"))
    );
    assert_eq!(
        (&stub["to"], stub.get("doneAt")),
        (&json!("+260950000001"), None)
    );
    let done = stub_report("s-1", "DELIVRD", "+1", Some("2026-05-01T10:15:30Z"));
    assert!(
        done.contains(r#""doneAt":"2026-05-01T10:15:30Z""#),
        "{done}"
    );
}

/// RFC 4231, test case 2.
#[test]
fn the_hmac_is_that_of_the_rfc() {
    assert_eq!(
        hmac_sha256_hex("Jefe", "what do ya want for nothing?"),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
}
