//! Twilio: every fixture, and what the fixtures do not show.

use crate::table::{Line, check, find, outcome};
use domain::callback::Kind::{self, Inbound, OptOuts, Reports, Subscriptions};
use tidings_providers::{Answer, Body, MediaType};

const HELLO: &str = "inbound id=SM00000000000000000000000000000001 from=+260970000001 to=+15005550006 at=none: Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. Hello doctor. ";

// The last three are no callbacks: the headers of one, the answer to a query, and a vector of the
// signature, whose test is with the checks of accounts.
#[rustfmt::skip]
const TABLE: &[Line] = &[
    ("inbound_empty_body.txt", Inbound, &["inbound id=SM00000000000000000000000000000001 from=+260970000001 to=+15005550006 at=none: "]),
    ("inbound_multisegment.txt", Inbound, &[HELLO]),
    ("inbound_stop.txt", Inbound, &["inbound id=SM00000000000000000000000000000001 from=+260970000001 to=+15005550006 at=none: STOP"]),
    ("inbound_unicode.txt", Inbound, &["inbound id=SM00000000000000000000000000000001 from=+260970000001 to=+15005550006 at=none: إيقاف"]),
    ("status_delivered.txt", Reports, &["delivered means delivered id=SM00000000000000000000000000000001 to=+260970000001"]),
    ("status_delivered_repeated.txt", Reports, &["delivered means delivered id=SM00000000000000000000000000000001 to=+260970000001"]),
    ("status_failed_21610_optout.txt", Reports, &["failed means failed id=SM00000000000000000000000000000001 to=+260970000001 reason=21610 class=consent"]),
    ("status_queued.txt", Reports, &["queued means sent id=SM00000000000000000000000000000001 to=+260970000001"]),
    ("status_sending.txt", Reports, &["sending means sent id=SM00000000000000000000000000000001 to=+260970000001"]),
    ("status_sent.txt", Reports, &["sent means sent id=SM00000000000000000000000000000001 to=+260970000001"]),
    ("status_undelivered_30003.txt", Reports, &["undelivered means failed id=SM00000000000000000000000000000001 to=+260970000001 reason=30003 class=temporary"]),
    ("status_unknown.txt", Reports, &["huh means nothing id=SM00000000000000000000000000000001 to=+260970000001"]),
    ("_request_headers.txt", Reports, &["unrecognised: the field \"MessageSid\" is missing or empty"]),
    ("message_resource_200.json", Reports, &["unsupported media type"]),
    ("signature_vector_status.json", Reports, &["unsupported media type"]),
];

#[test]
fn every_fixture_becomes_what_the_table_says() {
    check("twilio", TABLE);
}

#[test]
fn an_error_code_has_the_class_of_its_kind() {
    for (code, class) in [
        ("21610", "consent"),
        ("30003", "temporary"),
        ("30004", "unknown"),
        ("30005", "permanent_number"),
        ("30006", "permanent_number"),
        ("30007", "content"),
        ("30008", "unknown"),
        ("63016", "unknown"),
        ("030003", "unknown"),
    ] {
        let body = format!("MessageSid=SM1&MessageStatus=failed&ErrorCode={code}");
        let expected = format!("failed means failed id=SM1 reason={code} class={class}");
        assert_eq!(said(Reports, &body), [expected]);
    }
    let body = "MessageSid=SM1&MessageStatus=failed&ErrorCode=";
    assert_eq!(said(Reports, body), ["failed means failed id=SM1"]);
}

#[test]
fn the_older_names_are_read_where_the_newer_are_missing() {
    for (body, expected) in [
        ("SmsSid=SM1&SmsStatus=sent", "sent means sent id=SM1"),
        (
            "MessageSid=SM1&SmsSid=SM2&MessageStatus=delivered&SmsStatus=sent",
            "delivered means delivered id=SM1",
        ),
        (
            "MessageSid=&SmsSid=SM2&MessageStatus=&SmsStatus=sent",
            "sent means sent id=SM2",
        ),
    ] {
        assert_eq!(said(Reports, body), [expected], "{body}");
    }
}

#[test]
fn a_time_without_a_zone_is_no_provider_time() {
    for time in ["2605011015", "2026-05-01T10:15:00Z", "soon"] {
        let body = format!("MessageSid=SM1&MessageStatus=delivered&RawDlrDoneDate={time}");
        assert_eq!(said(Reports, &body), ["delivered means delivered id=SM1"]);
    }
}

#[test]
fn a_text_that_could_be_base64_is_taken_as_it_stands() {
    let text = "SGVsbG8gZG9jdG9yLiBIZWxsbyBkb2N0b3IuIEhlbGxvIGRvY3Rvci4gSGVsbG8gZG9jdG9yLg==";
    let body = format!(
        "MessageSid=SM1&From=%2B260970000001&To=4455&Body={}",
        text.replace('=', "%3D")
    );
    let expected = format!("inbound id=SM1 from=+260970000001 to=4455 at=none: {text}");
    assert_eq!(said(Inbound, &body), [expected]);
}

#[test]
fn addresses_of_other_channels_and_impossible_numbers_are_no_reason_to_refuse() {
    assert_eq!(
        said(
            Reports,
            "MessageSid=SM1&MessageStatus=read&To=whatsapp:%2B260970000001"
        ),
        ["read means delivered id=SM1 to=whatsapp:+260970000001"]
    );
    assert_eq!(
        said(Reports, "MessageSid=SM1&MessageStatus=sent&To=+26097"),
        ["sent means sent id=SM1 to=+26097"]
    );
    assert_eq!(
        said(Inbound, "MessageSid=SM1&From=MTN&To=4455&Body=+x+"),
        ["inbound id=SM1 from=MTN to=4455 at=none:  x "]
    );
}

#[test]
fn a_callback_without_its_fields_or_of_another_kind_is_unrecognised() {
    for (kind, body) in [
        (Reports, ""),
        (Reports, "MessageStatus=delivered&To=%2B260970000001"),
        (Reports, "MessageSid=SM1&To=%2B260970000001"),
        (Reports, "messagesid=SM1&messagestatus=delivered"),
        (Inbound, "MessageSid=SM1&From=1&To=2"),
        (Inbound, "MessageSid=SM1&To=2&Body=x"),
        (Inbound, "MessageSid=SM1&From=1&Body=x"),
        (
            Inbound,
            "MessageSid=SM1&MessageStatus=sent&From=%2B1&To=%2B2",
        ),
        (OptOuts, "MessageSid=SM1&MessageStatus=delivered"),
        (Subscriptions, "MessageSid=SM1&MessageStatus=delivered"),
    ] {
        let outcome = said(kind, body);
        assert!(outcome[0].starts_with("unrecognised: "), "{body}");
    }
}

#[test]
fn hostile_forms_are_refused_and_never_guessed_at() {
    let long = "x".repeat(513);
    for (body, code) in [
        (
            "MessageSid=SM1&MessageStatus=sent&MessageStatus=sent".to_owned(),
            "malformed_form",
        ),
        (
            "MessageSid=SM1&Message%53id=SM1&MessageStatus=sent".to_owned(),
            "malformed_form",
        ),
        (
            "MessageSid=%ff&MessageStatus=sent".to_owned(),
            "malformed_form",
        ),
        (
            format!("MessageSid={long}&MessageStatus=sent"),
            "unrecognised",
        ),
        (format!("MessageSid=SM1&SmsSid={long}&To=1"), "unrecognised"),
    ] {
        let outcome = said(Reports, &body);
        assert!(outcome[0].starts_with(&format!("{code}: ")), "{outcome:?}");
    }
    assert_eq!(
        said(
            Reports,
            "MessageSid=+SM1%00&MessageStatus=se%00nt&ErrorCode=%00"
        ),
        ["se\u{fffd}nt means nothing id= SM1\u{fffd} reason=\u{fffd} class=unknown"]
    );
}

#[test]
fn an_inbound_message_is_answered_with_no_message() {
    let no_reply = Answer::Fixed {
        content_type: "text/xml",
        body: "<Response/>",
    };
    assert_eq!(find("twilio").answer(Inbound), no_reply);
    assert_eq!(find("twilio").answer(Reports), Answer::Standard);
}

fn said(kind: Kind, body: &str) -> Vec<String> {
    let body = Body {
        media_type: MediaType::Form,
        bytes: body.as_bytes(),
    };
    outcome(find("twilio").parse(kind, body))
}
