//! Each provider in its own words, from the wire to the state of the message.

use super::*;

/// A callback that says that the message `m-1` was delivered, as the provider sends it.
struct Said {
    provider: &'static str,
    method: &'static str,
    query: &'static str,
    content_type: Option<(&'static str, &'static str)>,
    body: &'static str,
    /// What its answer holds.
    answer: &'static str,
}

const fn posted(
    provider: &'static str,
    content_type: (&'static str, &'static str),
    body: &'static str,
    answer: &'static str,
) -> Said {
    Said {
        provider,
        method: "POST",
        query: "",
        content_type: Some(content_type),
        body,
        answer,
    }
}

const fn called(provider: &'static str, query: &'static str) -> Said {
    Said {
        provider,
        method: "GET",
        query,
        content_type: None,
        body: "",
        answer: ACCEPTED,
    }
}

const ACCEPTED: &str = r#""status":"accepted""#;

const SAID: [Said; 13] = [
    posted(
        "africastalking",
        FORM,
        "id=m-1&status=Success&phoneNumber=%2B254700000001",
        ACCEPTED,
    ),
    posted(
        "orange",
        JSON,
        r#"{"deliveryInfoNotification":{"callbackData":"m-1","deliveryInfo":{"address":"tel:+254700000001","deliveryStatus":"DeliveredToTerminal"}}}"#,
        ACCEPTED,
    ),
    posted(
        "mtn",
        JSON,
        r#"{"ClientCorrelatorId":"m-1","receiverAddress":"254700000001","deliveryStatus":"DELIVRD"}"#,
        ACCEPTED,
    ),
    posted(
        "airtel",
        JSON,
        r#"{"messageId":"m-1","status":"DELIVRD","to":"+254700000001"}"#,
        r#""ok":true"#,
    ),
    posted(
        "zamtel",
        JSON,
        r#"{"messageId":"m-1","status":"DELIVRD","to":"+254700000001"}"#,
        r#""ok":true"#,
    ),
    called(
        "kannel",
        "?id=m-1&status=1&to=%2B254700000001&ts=1760000000",
    ),
    posted("kannel", FORM, "id=m-1&status=1", ACCEPTED),
    posted(
        "jasmin",
        FORM,
        "id=m-1&message_status=DELIVRD&dlvrd=001&err=000",
        "ACK/Jasmin",
    ),
    posted(
        "twilio",
        FORM,
        "MessageSid=m-1&MessageStatus=delivered&To=%2B254700000001",
        ACCEPTED,
    ),
    posted(
        "infobip",
        JSON,
        r#"{"results":[{"messageId":"m-1","to":"254700000001","status":{"groupId":3,"groupName":"DELIVERED","id":5,"name":"DELIVERED_TO_HANDSET"},"doneAt":"2026-01-02T03:04:05.000+0000"}]}"#,
        ACCEPTED,
    ),
    posted(
        "vonage",
        JSON,
        r#"{"messageId":"m-1","msisdn":"254700000001","status":"delivered"}"#,
        ACCEPTED,
    ),
    called(
        "vonage",
        "?messageId=m-1&msisdn=254700000001&status=delivered",
    ),
    posted(
        "stub",
        JSON,
        r#"{"messageId":"m-1","status":"DELIVRD"}"#,
        ACCEPTED,
    ),
];

#[tokio::test]
async fn every_provider_is_understood_and_answered_as_it_asks() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    for (number, said) in SAID.iter().enumerate() {
        let slug = format!("{}-{number}", said.provider);
        tenant.account(said.provider, &slug).await;
        let message = tenant.message(&slug, "m-1", PHONE).await;
        let path = format!("/v1/callbacks/{slug}/reports{}", said.query);
        let headers: Vec<_> = said.content_type.into_iter().collect();
        let answer = app
            .ingress
            .request(said.method, &path, &headers, said.body)
            .await;
        assert_eq!(answer.status, 200, "{slug}: {answer}");
        assert!(answer.text.contains(said.answer), "{slug}: {answer}");
        tenant.wait_for_state(&message, "delivered").await;
    }
}

#[tokio::test]
async fn a_get_with_a_query_is_a_callback_of_those_who_call_so_and_of_nobody_else() {
    let app = TestApp::start().await;
    let tenant = clinic(&app).await;
    tenant.account("kannel", "gateway").await;
    let get = async |path: &str| app.ingress.request("GET", path, &[], "").await;
    get("/v1/callbacks/clinic/reports?messageId=m-1&status=DELIVRD")
        .await
        .expect_problem(405, "method_not_allowed");
    get("/v1/callbacks/gateway/reports?id=m-1")
        .await
        .expect_problem(422, "unrecognised");
    get("/v1/callbacks/gateway/reports?id=m-1&id=m-2&status=1")
        .await
        .expect_problem(400, "malformed_form");
    let ping = get("/v1/callbacks/gateway/reports").await;
    assert_eq!((ping.status, ping.text.as_str()), (200, ""), "{ping}");
    // What came is kept: the query.
    let id = accepted_id(&get("/v1/callbacks/gateway/reports?id=m-1&status=1").await);
    let path = format!("/v1/callbacks/{id}");
    let kept = tenant
        .api
        .get_until(&path, |kept| kept["status"] == "processed", SOON)
        .await;
    assert_eq!(kept["body_base64"], "aWQ9bS0xJnN0YXR1cz0x");
}

#[tokio::test]
async fn gateways_that_pad_their_numbers_mean_the_same_message() {
    let app = TestApp::start().await;
    let tenant = app.tenant("Clinic").await;
    for provider in ["kannel", "jasmin"] {
        let slug = format!("{provider}-gateway");
        tenant.account(provider, &slug).await;
        let message = tenant.message(&slug, "0042", PHONE).await;
        let body = "id=000042&status=1&message_status=DELIVRD";
        let path = format!("/v1/callbacks/{slug}/reports");
        let answer = app.ingress.post_form(&path, body).await;
        assert_eq!(answer.status, 200, "{answer}");
        tenant.wait_for_state(&message, "delivered").await;
    }
}
