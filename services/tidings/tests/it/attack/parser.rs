//! Bodies of a known caller that are not what they should be.

use crate::attack::scene::{PHONE, Scene};
use crate::attack::{Attack, attack};

#[tokio::test]
async fn what_cannot_be_read_comes_to_nothing() {
    let scene = Scene::set().await;
    scene.withstands(&table()).await;
}

pub fn table() -> Vec<Attack> {
    let mut table = json();
    table.extend(objects());
    table.extend(forms());
    table.extend(types());
    table
}

/// Of the stub, which sends objects.
fn json() -> Vec<Attack> {
    let saying = |name, body: &[u8]| attack(name, "open").body(body).malformed("malformed_json");
    let with = |name, more: &str| saying(name, report_with(more).as_bytes());
    let nested = |depth: usize| format!(r#""x":{}{}"#, "[".repeat(depth), "]".repeat(depth));
    let objects = format!(
        r#""x":{}1{}"#,
        r#"{"x":"#.repeat(10_000),
        "}".repeat(10_000)
    );
    let cut = report_with(r#""x":1"#);
    vec![
        saying("an empty body", b""),
        saying("a body of spaces", b" \r\n\t "),
        saying("half a body", &cut.as_bytes()[..cut.len() - 1]),
        saying(
            "a body and something behind it",
            format!("{cut}x").as_bytes(),
        ),
        saying("two bodies in one", format!("{cut}{cut}").as_bytes()),
        saying(
            "a body behind a byte order mark",
            format!("\u{feff}{cut}").as_bytes(),
        ),
        saying("a body in another encoding", &utf_16(&cut)),
        saying(
            "a body that begins with a nul",
            format!("\0{cut}").as_bytes(),
        ),
        saying("a body that ends with a nul", format!("{cut}\0").as_bytes()),
        saying(
            "a body that guards against scripts",
            format!(")]}}',\n{cut}").as_bytes(),
        ),
        saying("a form in place of json", b"messageId=m-1&status=DELIVRD"),
        saying("xml in place of json", ENTITIES.as_bytes()),
        saying(
            "quotes that are none",
            b"{'messageId':'m-1','status':'DELIVRD'}",
        ),
        saying(
            "bytes that are no characters",
            b"{\"messageId\":\"m-1\",\"status\":\"\xff\xfe\"}",
        ),
        saying(
            "a character that is too long",
            b"{\"messageId\":\"m-1\",\"status\":\"\xc0\x80\"}",
        ),
        saying(
            "half a character in bytes",
            b"{\"messageId\":\"m-1\",\"status\":\"\xed\xa0\x80\"}",
        ),
        with("an id twice", r#""messageId":"m-1""#),
        with(
            "an id twice, once spelt with an escape",
            r#""message\u0049d":"m-2""#,
        ),
        with("a name twice further in", r#""x":[{"y":1,"y":1}]"#),
        with(
            "a name of prototypes twice",
            r#""__proto__":{},"__proto__":{}"#,
        ),
        with("arrays in arrays, one too deep", &nested(32)),
        with("ten thousand arrays in each other", &nested(10_000)),
        with("ten thousand objects in each other", &objects),
        saying("arrays that never end", "[".repeat(200_000).as_bytes()),
        with("a comment", "/* */\"x\":1"),
        with("a comma too many", "\"x\":1,"),
        with("a number that is none", "\"x\":NaN"),
        with("a number that is infinite", "\"x\":-Infinity"),
        with("a number in hex", "\"x\":0x10"),
        with("a number with leading zeros", "\"x\":007"),
        with("a number with a plus", "\"x\":+1"),
        with("a word that is no value", "\"x\":undefined"),
        with("a value that is none", "\"x\":"),
        with("a line within a text", "\"x\":\"a\nb\""),
        with("an escape that is none", r#""x":"\x41""#),
    ]
}

/// JSON that is no report.
fn objects() -> Vec<Attack> {
    let saying = |name, body: &str| attack(name, "open").body(body).unrecognised();
    let report = |id: &str, status: &str| {
        format!(r#"{{"messageId":{id},"to":"{PHONE}","status":{status}}}"#)
    };
    let long = format!("\"{}\"", "1".repeat(513));
    let many = (0..14_000).map(|n| format!(r#""key-{n}":{n}"#));
    let many = format!("{{{}}}", many.collect::<Vec<_>>().join(","));
    let entries = vec![r#"{"address":"x","deliveryStatus":"y"}"#; 5_001].join(",");
    let batch = format!(
        r#"{{"deliveryInfoNotification":{{"callbackData":"m-1","deliveryInfo":[{entries}]}}}}"#
    );
    let orange = |name, body: &str| attack(name, "orange-ci").body(body).unrecognised();
    vec![
        saying("nothing but null", "null"),
        saying(
            "an array in place of an object",
            &format!("[{}]", report(r#""m-1""#, r#""DELIVRD""#)),
        ),
        saying("a text in place of an object", r#""m-1""#),
        saying("a number in place of an object", "42"),
        saying("an object of nothing", "{}"),
        saying("no id", r#"{"status":"DELIVRD"}"#),
        saying("no status", r#"{"messageId":"m-1"}"#),
        saying(
            "an id in capitals",
            r#"{"MESSAGEID":"m-1","status":"DELIVRD"}"#,
        ),
        saying("an empty id", &report(r#""""#, r#""DELIVRD""#)),
        saying("an id that is null", &report("null", r#""DELIVRD""#)),
        saying(
            "an id that is an object",
            &report(r#"{"$ne":null}"#, r#""DELIVRD""#),
        ),
        saying(
            "an id that is an array",
            &report(r#"["m-1"]"#, r#""DELIVRD""#),
        ),
        saying("an id that is true", &report("true", r#""DELIVRD""#)),
        saying("an id of 513 bytes", &report(&long, r#""DELIVRD""#)),
        saying(
            "a status that is an array",
            &report(r#""m-1""#, r#"["DELIVRD"]"#),
        ),
        saying("a status that is empty", &report(r#""m-1""#, r#""""#)),
        saying(
            "an id within a prototype",
            r#"{"__proto__":{"messageId":"m-1","status":"DELIVRD"}}"#,
        ),
        saying("as many names as a body holds", &many),
        orange(
            "a batch that is a text",
            r#"{"deliveryInfoNotification":{"callbackData":"m-1","deliveryInfo":"x"}}"#,
        ),
        orange("a batch of one too many", &batch),
        orange(
            "another provider's report",
            &report(r#""m-1""#, r#""DELIVRD""#),
        ),
    ]
}

/// Of Africa's Talking, which sends forms.
fn forms() -> Vec<Attack> {
    let saying = |name, body: &[u8]| attack(name, "at").body(body).malformed("malformed_form");
    let keys = (0..201)
        .map(|n| format!("k{n}=&"))
        .collect::<Vec<_>>()
        .concat();
    vec![
        saying(
            "a key twice in a form",
            b"id=m-1&status=Success&status=Failed",
        ),
        saying(
            "a key twice, once spelt with an escape",
            b"id=m-1&%69d=m-2&status=Success",
        ),
        saying("an escape that ends early", b"id=m-1&status=Success&x=%2"),
        saying("an escape that is no hex", b"id=m-1&status=Success&x=%zz"),
        saying(
            "an escape of wide characters",
            b"id=m-1&status=Success&x=%u0041",
        ),
        saying("escaped bytes that are no characters", b"id=m-1&status=%ff"),
        saying(
            "bytes in a form that are no characters",
            b"id=m-1&status=Success\xff",
        ),
        saying("more keys than a form has", keys.as_bytes()),
        attack("a form of nothing", "at").body("").unrecognised(),
        attack("a form with brackets", "at")
            .body("id[]=m-1&status[]=Success")
            .unrecognised(),
        attack("json in place of a form", "at")
            .body(report_with(r#""x":1"#))
            .unrecognised(),
        attack("a form that is separated by semicolons", "at")
            .body("id=m-1;status=Success")
            .unrecognised(),
        attack("a form without an id", "at")
            .body("status=Success&phoneNumber=%2B254700000001")
            .unrecognised(),
    ]
}

fn types() -> Vec<Attack> {
    let of = |name, account, content_type: &str| {
        attack(name, account)
            .content_type(content_type)
            .not_taken(415, "unsupported_media_type")
    };
    vec![
        of("plain text", "open", "text/plain"),
        of("a type of xml", "open", "application/xml"),
        of(
            "a type of json that is not json's",
            "open",
            "application/vnd.api+json",
        ),
        of("any type at all", "open", "*/*"),
        of(
            "two types in one header",
            "open",
            "application/json, text/plain",
        ),
        of(
            "json's type for a provider of forms",
            "at",
            "application/json",
        ),
        of("a form of parts", "at", "multipart/form-data; boundary=x"),
        of(
            "a form in another character set",
            "at",
            "application/x-www-form-urlencoded; charset=utf-16",
        ),
        of(
            "a form's type for a provider of json",
            "orange-ci",
            "application/x-www-form-urlencoded",
        ),
        of(
            "json in another character set",
            "orange-ci",
            "application/json; charset=utf-7",
        ),
        attack("two types in two headers", "open")
            .with("content-type", "application/x-www-form-urlencoded")
            .not_taken(415, "unsupported_media_type"),
        attack("a query by get of a provider that posts", "open")
            .method("GET")
            .to("/v1/callbacks/open/reports?messageId=m-1&status=DELIVRD")
            .not_taken(405, "method_not_allowed"),
    ]
}

/// A text that grows without bounds where its entities are replaced.
const ENTITIES: &str = r#"<?xml version="1.0"?>
<!DOCTYPE x [<!ENTITY a "m-1"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">
<!ENTITY d SYSTEM "file:///etc/hostname">]><x>&c;&d;</x>"#;

/// A report with something more at its end.
fn report_with(more: &str) -> String {
    format!(r#"{{"messageId":"m-1","to":"{PHONE}","status":"DELIVRD",{more}}}"#)
}

fn utf_16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}
