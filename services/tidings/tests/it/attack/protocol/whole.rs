//! Proper requests that are too large, too slow, encoded, or by a method that is not taken.

use super::{HEAD, report, request};
use crate::attack::{Attack, attack};

/// The limit of a body, unless it is set.
const MOST_BYTES: usize = 262_144;
/// The limit of a head.
const MOST_OF_A_HEAD: usize = 131_072;

pub fn table() -> Vec<Attack> {
    let mut table = sizes();
    table.extend(methods());
    table.extend(encodings());
    table
}

fn sizes() -> Vec<Attack> {
    let bare = r#"{"messageId":"m-1","status":"DELIVRD","x":""}"#;
    let filler = "x".repeat(MOST_BYTES + 1 - bare.len());
    let large = bare.replace(r#""x":"""#, &format!(r#""x":"{filler}""#));
    let (half, rest) = large.split_at(MOST_BYTES / 2);
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let chunks = chunk(half) + &chunk(rest);
    let headers = (0..101).map(|n| format!("x-{n}: {n}\r\n"));
    let headers = headers.collect::<Vec<_>>().concat();
    let many = request().replacen("host", &format!("{headers}host"), 1);
    let long = request().replacen(
        "host",
        &format!("x: {}\r\nhost", "x".repeat(MOST_OF_A_HEAD)),
        1,
    );
    let report = report();
    vec![
        attack("a byte more than a body has", "open")
            .body(&*large)
            .early(413, "payload_too_large"),
        attack("more chunks than a body has", "open")
            .raw(format!(
                "{HEAD}transfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
            ))
            .early(413, "payload_too_large"),
        attack("a large body that asks to be sent", "open")
            .with("expect", "100-continue")
            .body(large)
            .early(413, "payload_too_large"),
        attack("more headers than a head has", "open")
            .raw(many)
            .no_http(431),
        attack("a header longer than a head", "open")
            .raw(long)
            .no_http(431),
        attack("a body that does not come", "open")
            .raw(format!("{HEAD}content-length: 1000\r\n\r\n"))
            .early(408, "request_timeout"),
        attack("a body that stops a byte before its end", "open")
            .raw(format!(
                "{HEAD}content-length: {}\r\n\r\n{report}",
                report.len() + 1
            ))
            .early(408, "request_timeout"),
        attack("chunks that do not end", "open")
            .raw(format!(
                "{HEAD}transfer-encoding: chunked\r\n\r\n{:x}\r\n{report}\r\n",
                report.len()
            ))
            .early(408, "request_timeout"),
    ]
}

fn methods() -> Vec<Attack> {
    let by = |name, method| {
        attack(name, "open")
            .method(method)
            .early(405, "method_not_allowed")
    };
    let inner = request();
    vec![
        by("put", "PUT"),
        by("patch", "PATCH"),
        by("delete", "DELETE"),
        by("trace", "TRACE"),
        by("a method that nobody knows", "PROPFIND"),
        by("post in small letters", "post"),
        by("put that says it is post", "PUT").with("x-http-method-override", "POST"),
        by("put that says so in the query", "PUT").to("/v1/callbacks/open/reports?_method=POST"),
        by("a request in the body of another", "PUT").body(inner),
        attack("a tunnel to somewhere else", "open")
            .method("CONNECT")
            .to("169.254.169.254:80")
            .nowhere(),
        attack("a request for no path", "open")
            .method("POST")
            .to("*")
            .nowhere(),
    ]
}

fn encodings() -> Vec<Attack> {
    let by = |name, encoding: &str| {
        attack(name, "open")
            .with("content-encoding", encoding)
            .early(415, "unsupported_media_type")
    };
    vec![
        by("a body in gzip", "gzip"),
        by("a body in brotli", "br"),
        by("a body in an encoding that is none", "identity"),
        by("a body in an empty encoding", ""),
        by("a body in two encodings", "gzip, gzip"),
        attack("an encoded body of nobody", "nobody")
            .with("content-encoding", "deflate")
            .early(415, "unsupported_media_type"),
    ]
}
