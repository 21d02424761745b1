use super::*;

const ID: &str = "10c0d78cd4bf77ee@138a3d02644";
const TO: &str = "+260960000001";

fn read(body: &str) -> Vec<String> {
    outcome(api("mtn").read(&access(&[]), &[asked(ID, TO)], reply(200, body)))
}

#[test]
fn a_token_is_asked_for_and_shown() {
    let access = access(&[("client_id", "an id"), ("client_secret", "a&b")]);
    let request = api("mtn").token_request(&access).unwrap();
    assert_eq!(
        written(&request),
        "POST https://api.example/v1/oauth/access_token?grant_type=client_credentials \
         content-type: application/x-www-form-urlencoded accept: application/json \
         client_id=an%20id&client_secret=a%26b"
    );
    let granted = fixture("mtn/token_200.json");
    let token = api("mtn").read_token(reply(200, &granted)).unwrap();
    let request = api("mtn").request(&access, Some(&token), &[asked(ID, TO)], None);
    assert_eq!(
        written(&request),
        "GET https://api.example/v2/messages/sms/outbound/MYCLINIC/\
         10c0d78cd4bf77ee%40138a3d02644/deliveryStatus authorization: Bearer \
         EXAMPLE-NOT-A-REAL-TOKEN accept: application/json "
    );
}

#[test]
fn only_what_has_an_id_and_a_sender_can_be_asked_about() {
    assert!(api("mtn").can_ask(&asked(ID, TO)));
    for (id, from) in [
        (None, Some("MYCLINIC")),
        (Some(ID), None),
        (Some(ID), Some("")),
        (Some(".."), Some("MYCLINIC")),
        (Some(ID), Some(".")),
    ] {
        let asked = Asked {
            provider_message_id: id.map(str::to_owned),
            from: from.map(str::to_owned),
            ..asked("", TO)
        };
        assert!(!api("mtn").can_ask(&asked), "{asked:?}");
    }
}

#[test]
fn the_answer_makes_the_statement_that_the_callback_would() {
    let answer = fixture("mtn/v2_query_deliverystatus_200.json");
    let expected = [
        "DeliveredToTerminal means delivered id=10c0d78cd4bf77ee@138a3d02644 ref=msg-0001 \
         to=260960000001",
    ];
    assert_eq!(read(&answer), expected);
    // The case of names does not matter.
    let shouted = answer
        .replace("statusCode", "StatusCode")
        .replace("requestId", "RequestID");
    assert_eq!(read(&shouted), expected);
    let answered = api("mtn").read(&access(&[]), &[asked(ID, TO)], reply(200, &answer));
    let callback = answer.replacen("\"data\"", "\"deliveryInfo\"", 1);
    let body = tidings_providers::Body {
        media_type: tidings_providers::MediaType::Json,
        bytes: callback.as_bytes(),
    };
    let called = find("mtn")
        .parse(domain::callback::Kind::Reports, body)
        .unwrap();
    let said = domain::callback::Statement::Report(answered.unwrap().reports[0].clone());
    assert_eq!(called, [said]);
}

#[test]
fn an_answer_about_anything_else_says_nothing() {
    let entry = |id: &str, to: &str, word: &str| {
        format!(
            r#"{{"statusCode":"0000","data":{{"requestId":"{id}","deliveryStatus":[{{"receiverAddress":"{to}","status":"{word}"}}]}}}}"#
        )
    };
    let (id, to) = (ID, "tel:+260960000001");
    assert_eq!(
        read(&entry(id, to, "EXPIRED")),
        [format!("EXPIRED means expired id={ID} to={to}")]
    );
    for (id, to) in [
        ("other", to),
        (id, "260960000002"),
        (id, ""),
        (id, "0960000001"),
    ] {
        assert_eq!(read(&entry(id, to, "EXPIRED")), ["foreign 1"], "{id} {to}");
    }
    for (body, expected) in [
        (
            r#"{"statusCode":"4001","statusMessage":"x"}"#,
            r#"Unreadable("an error, \"4001\", as if all were well")"#,
        ),
        (
            r#"{"data":{"requestId":"1","deliveryStatus":[]}}"#,
            r#"Unreadable("the field \"statusCode\" is missing or empty")"#,
        ),
        (
            r#"{"statusCode":"0000"}"#,
            r#"Unreadable("the field \"data\" is missing or empty")"#,
        ),
        (
            r#"{"statusCode":"0000","data":{}}"#,
            r#"Unreadable("the field \"deliveryStatus\" is missing or empty")"#,
        ),
        (
            r#"{"statusCode":"0000","data":[]}"#,
            r#"Unreadable("\"data\" is not an object")"#,
        ),
    ] {
        assert_eq!(read(body), [expected], "{body}");
    }
    assert!(read(r#"{"statusCode":"0000","data":{"deliveryStatus":[]}}"#).is_empty());
}
