use super::*;

const ID: &str = "9d523078-1d3d-4c90-8984-000000000001";
const TO: &str = "+2250700000001";

fn read(body: &str) -> Vec<String> {
    outcome(api("orange").read(&access(&[]), &[asked(ID, TO)], reply(200, body)))
}

#[test]
fn the_credentials_are_shown_to_the_api_or_for_a_token() {
    let bare = access(&[("client_id", "me"), ("client_secret", "s")]);
    let from_number = Asked {
        from: Some("+2250000".to_owned()),
        ..asked(ID, TO)
    };
    assert!(api("orange").token_request(&bare).is_none());
    let request = api("orange").request(&bare, None, std::slice::from_ref(&from_number), None);
    assert_eq!(
        written(&request),
        format!(
            "GET https://api.example/outbound/tel%3A%2B2250000/requests/{ID}/deliveryInfos \
             authorization: Basic bWU6cw== accept: application/json "
        )
    );
    let elsewhere = access(&[
        ("client_id", "me"),
        ("client_secret", "s"),
        ("token_url", "https://auth.example/oauth/v3/token"),
    ]);
    let request = api("orange").token_request(&elsewhere).unwrap();
    assert_eq!(
        written(&request),
        "POST https://auth.example/oauth/v3/token authorization: Basic bWU6cw== content-type: \
         application/x-www-form-urlencoded accept: application/json grant_type=client_credentials"
    );
    for granted in [
        "orange/token_v3_200.json",
        "orange/token_v2_legacy_200.json",
    ] {
        assert!(
            api("orange")
                .read_token(reply(200, &fixture(granted)))
                .is_ok()
        );
    }
    let request = api("orange").request(&elsewhere, Some(&token()), &[asked(ID, TO)], None);
    assert_eq!(
        written(&request),
        format!(
            "GET https://api.example/outbound/MYCLINIC/requests/{ID}/deliveryInfos authorization: \
             Bearer t0 accept: application/json "
        )
    );
    assert_eq!(api("orange").base_url(), None);
    let urls = api("orange").fields().iter().filter(|field| field.is_url());
    assert_eq!(
        urls.map(|field| field.name).collect::<Vec<_>>(),
        ["token_url"]
    );
}

#[test]
fn one_address_of_a_request_is_asked_about() {
    let answer = fixture("orange/UNVERIFIED_oneapi_deliveryinfos_query_200.json");
    let expected =
        format!("DeliveredToTerminal means delivered id={ID} ref={ID} to=tel:+2250700000001");
    assert_eq!(read(&answer), [expected.clone(), "foreign 1".to_owned()]);
    let alone = r#"{"deliveryInfoList":{"deliveryInfo":{"address":"tel:+2250700000001","deliveryStatus":"DeliveredToTerminal"}}}"#;
    assert_eq!(read(alone), [expected]);
}

#[test]
fn the_list_of_another_request_is_foreign() {
    let of = |url: &str| {
        format!(
            r#"{{"deliveryInfoList":{{"resourceURL":"{url}","deliveryInfo":[{{"address":"2250700000001","deliveryStatus":"MessageWaiting"}}]}}}}"#
        )
    };
    for url in [
        "https://x/outbound/y/requests/other/deliveryInfos",
        "https://x/outbound/y",
        "",
    ] {
        assert_eq!(read(&of(url)), ["foreign 1"], "{url}");
    }
    let escaped = format!("https://x/requests/{}", ID.replace('-', "%2D"));
    assert_eq!(read(&of(&escaped)).len(), 1);
    assert!(read(&of(&escaped))[0].starts_with("MessageWaiting means sent"));
}

#[test]
fn errors_and_other_shapes_are_said() {
    for (body, expected) in [
        (
            fixture("orange/error_service_exception.json"),
            r#"Unreadable("an error, \"SVC0002\", as if all were well")"#,
        ),
        (
            fixture("orange/error_policy_exception.json"),
            r#"Unreadable("an error, \"POL1102\", as if all were well")"#,
        ),
        (
            fixture("orange/error_service_exception.json").replace("SVC0002", "SVC0001"),
            r#"Unavailable("SVC0001 was answered")"#,
        ),
        (
            "{}".to_owned(),
            r#"Unreadable("the field \"deliveryInfoList\" is missing or empty")"#,
        ),
        (
            r#"{"deliveryInfoList":{}}"#.to_owned(),
            r#"Unreadable("the field \"deliveryInfo\" is missing or empty")"#,
        ),
    ] {
        assert_eq!(read(&body), [expected], "{body}");
    }
}
