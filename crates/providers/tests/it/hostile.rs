//! Bodies that nobody sends in good faith.

use crate::table::{find, outcome};
use domain::callback::{Kind, Statement};
use tidings_providers::{Body, MediaType, registry};

fn parse_json(bytes: &[u8]) -> Vec<String> {
    outcome(find("stub").parse(
        Kind::Reports,
        Body {
            media_type: MediaType::Json,
            bytes,
        },
    ))
}

fn parse_form(bytes: &[u8]) -> Vec<String> {
    outcome(find("africastalking").parse(
        Kind::Reports,
        Body {
            media_type: MediaType::Form,
            bytes,
        },
    ))
}

#[test]
fn what_is_not_json_is_malformed() {
    let with_bom = [
        b"\xef\xbb\xbf".as_slice(),
        br#"{"messageId":"1","status":"DELIVRD"}"#,
    ]
    .concat();
    let bodies: [&[u8]; 10] = [
        b"",
        b"messageId=1&status=DELIVRD",
        br#"{"messageId":"1","status":"DELIVRD"#,
        br#"{"messageId":"1","status":"DELIVRD"} {}"#,
        br#"{"messageId":"1","status":"DELIVRD",}"#,
        br#"{"messageId":"\ud800","status":"DELIVRD"}"#,
        br#"{"messageId":"1","status":"DELIVRD","x":1e999}"#,
        b"{\"messageId\":\"\xff\",\"status\":\"DELIVRD\"}",
        b"{\"messageId\":\"\x00\",\"status\":\"DELIVRD\"}",
        &with_bom,
    ];
    for body in bodies {
        assert!(
            parse_json(body)[0].starts_with("malformed_json: "),
            "{}",
            body.escape_ascii()
        );
    }
}

#[test]
fn a_repeated_member_is_malformed_wherever_it_is() {
    for body in [
        r#"{"messageId":"1","messageId":"1","status":"DELIVRD"}"#,
        r#"{"messageId":"1","status":"DELIVRD","x":{"y":[{"a":1,"a":1}]}}"#,
        r#"{"messageId":"1","status":"DELIVRD","st\u0061tus":"UNDELIV"}"#,
    ] {
        assert!(
            parse_json(body.as_bytes())[0].starts_with("malformed_json: "),
            "{body}"
        );
    }
}

#[test]
fn thirty_two_levels_are_taken_and_one_more_is_not() {
    let body = |depth: usize| {
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        format!(r#"{{"messageId":"1","status":"DELIVRD","x":{open}{close}}}"#)
    };
    assert_eq!(
        parse_json(body(32).as_bytes()),
        ["DELIVRD means delivered id=1"]
    );
    for depth in [33, 100_000] {
        let outcome = parse_json(body(depth).as_bytes());
        assert!(
            outcome[0].starts_with("malformed_json: "),
            "{depth} {outcome:?}"
        );
    }
}

#[test]
fn a_nul_is_replaced_in_every_derived_text() {
    let body = br#"{"messageId":"a\u0000b","status":"DELIV\u0000RD","to":"\u0000"}"#;
    assert_eq!(
        parse_json(body),
        ["DELIV\u{fffd}RD means nothing id=a\u{fffd}b to=\u{fffd}"]
    );
    assert_eq!(
        parse_form(b"id=%00&status=Sent"),
        ["Sent means sent id=\u{fffd}"]
    );
    for provider in registry::all() {
        for kind in Kind::ALL {
            let body = b"id=a%00&text=b%00&from=c%00&to=d%00&phoneNumber=e%00&senderId=f%00\
                &shortCode=g%00&keyword=h%00&updateType=i%00&status=j%00&messageId=k%00\
                &MessageSid=l%00&MessageStatus=m%00&From=n%00&To=o%00&Body=p%00&ErrorCode=q%00\
                &msisdn=r%00&content=s%00&coding=8&message_status=t%00&err=u%00&uuid=v%00";
            let body = Body {
                media_type: MediaType::Form,
                bytes: body,
            };
            let statements = provider.parse(kind, body).unwrap_or_default();
            assert!(!format!("{statements:?}").contains("\\0"), "{statements:?}");
        }
    }
}

#[test]
fn huge_numbers_are_taken_by_their_digits() {
    let id = format!("{}.5", "9".repeat(300));
    let body = format!(r#"{{"messageId":{id},"status":1E2,"part":1}}"#);
    assert_eq!(
        parse_json(body.as_bytes()),
        [format!("1E2 means nothing id={id} part=1")]
    );
}

#[test]
fn an_id_that_is_too_long_is_unrecognised_and_not_shown() {
    let body = format!(
        r#"{{"messageId":"{}","status":"DELIVRD"}}"#,
        "z".repeat(513)
    );
    assert_eq!(
        parse_json(body.as_bytes()),
        ["unrecognised: the id in \"messageId\" is longer than 512 bytes"]
    );
}

#[test]
fn a_long_text_is_cut_and_the_report_taken() {
    let body = format!(
        "id=1&status={0}&failureReason={0}&networkCode={0}",
        "é".repeat(1_000)
    );
    let body = Body {
        media_type: MediaType::Form,
        bytes: body.as_bytes(),
    };
    let statements = find("africastalking").parse(Kind::Reports, body).unwrap();
    let [Statement::Report(report)] = &statements[..] else {
        panic!("{statements:?}")
    };
    assert_eq!(report.word.len(), 512);
    assert_eq!(report.failure_reason.as_ref().map(String::len), Some(512));
    assert_eq!(report.network_code.as_ref().map(String::len), Some(512));
}

#[test]
fn what_is_not_a_form_is_malformed() {
    let many_keys = (0..201)
        .map(|key| format!("k{key}"))
        .collect::<Vec<_>>()
        .join("&");
    let bodies: [&[u8]; 6] = [
        b"id=1&status=%",
        b"id=1&status=%C3%28",
        b"id=1&status=\xc3\x28",
        b"id=1&id=1&status=Sent",
        b"id=1&status=Sent&status=Success",
        many_keys.as_bytes(),
    ];
    for body in bodies {
        assert!(
            parse_form(body)[0].starts_with("malformed_form: "),
            "{}",
            body.escape_ascii()
        );
    }
}

#[test]
fn a_refusal_shows_at_most_64_bytes_of_the_body() {
    let key = "k".repeat(1_000);
    for refusal in [
        parse_form(format!("{key}=1&{key}=2").as_bytes()),
        parse_form(format!("{key}=%").as_bytes()),
        parse_json(format!(r#"{{"{key}":1,"{key}":2}}"#).as_bytes()),
    ] {
        let shown = refusal[0].split('"').nth(1).unwrap();
        assert_eq!(shown, "k".repeat(64), "{refusal:?}");
    }
}
