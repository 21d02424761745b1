//! Heads that are odd, too long, contradictory, or ask for time.

use super::row::Row;
use testkit::hostile::Behaviour;

pub fn rows() -> Vec<Row> {
    [sizes(), framing(), odd(), retry_after()]
        .into_iter()
        .flatten()
        .collect()
}

fn with(headers: &str) -> Behaviour {
    Behaviour::says(format!(
        "HTTP/1.1 200 OK\r\n{headers}content-length: 2\r\n\r\nok"
    ))
}

fn sizes() -> Vec<Row> {
    let numbered = |n: usize| {
        let lines = (0..n).map(|n| format!("x-{n}: y\r\n"));
        lines.collect::<Vec<_>>().concat()
    };
    let long = |bytes| format!("x: {}\r\n", "y".repeat(bytes));
    vec![
        Row::fine("headers-99", with(&numbered(99))),
        Row::no("invalid_response", "headers-101", with(&numbered(101))),
        Row::no("invalid_response", "headers-5000", with(&numbered(5_000))),
        // What is kept of them is cut.
        Row::fine("header-of-60-kib", with(&long(60 << 10))).cut(),
        Row::no(
            "invalid_response",
            "header-of-70-kib",
            with(&long(70 << 10)),
        ),
        Row::no(
            "invalid_response",
            "name-of-70-kib",
            with(&format!("{}: x\r\n", "y".repeat(70 << 10))),
        ),
    ]
}

fn framing() -> Vec<Row> {
    let says = |head: &str, body: &str| {
        Behaviour::says(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}"))
    };
    let chunks = "2\r\nok\r\n0\r\n\r\n";
    let no = |name, head: &str, body| Row::no("invalid_response", name, says(head, body));
    vec![
        Row::fine(
            "length-twice",
            says("content-length: 2\r\ncontent-length: 2", "ok"),
        )
        .body("ok"),
        no(
            "lengths-differ",
            "content-length: 2\r\ncontent-length: 3",
            "ok",
        ),
        no("length-negative", "content-length: -1", "ok"),
        no("length-plus", "content-length: +2", "ok"),
        no("length-hex", "content-length: 0x2", "ok"),
        no("length-words", "content-length: two", "ok"),
        no(
            "length-overflows",
            "content-length: 18446744073709551616",
            "ok",
        ),
        no("length-most", "content-length: 18446744073709551615", "ok"),
        // The chunks count, as RFC 9112 §6.3 says.
        Row::fine(
            "length-and-chunks",
            says("content-length: 5\r\ntransfer-encoding: chunked", chunks),
        )
        .body("ok"),
        Row::fine(
            "chunked-of-gzip",
            says("transfer-encoding: gzip, chunked", chunks),
        )
        .body("ok"),
        no(
            "chunk-no-number",
            "transfer-encoding: chunked",
            "zz\r\nok\r\n",
        ),
        no(
            "chunk-negative",
            "transfer-encoding: chunked",
            "-1\r\nok\r\n",
        ),
        no(
            "chunk-overflows",
            "transfer-encoding: chunked",
            "fffffffffffffffff\r\nok\r\n",
        ),
        no(
            "chunk-without-end",
            "transfer-encoding: chunked",
            "2\r\nokXX0\r\n\r\n",
        ),
        Row::no(
            "invalid_response",
            "chunked-http-1-0",
            Behaviour::says(format!(
                "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"
            )),
        ),
    ]
}

fn odd() -> Vec<Row> {
    let no = |name, headers: &str| Row::no("invalid_response", name, with(headers));
    let bytes = |value: &[u8]| {
        let (head, tail) = (
            b"HTTP/1.1 200 OK\r\nx: ",
            b"\r\ncontent-length: 2\r\n\r\nok",
        );
        Behaviour::says([&head[..], value, &tail[..]].concat())
    };
    vec![
        Row::fine("header-not-utf-8", bytes(b"a\xff\xfe")).body("ok"),
        Row::fine("header-tab", bytes(b"a\tb")),
        Row::fine("header-empty", with("x:\r\n")),
        Row::fine("header-bare-lf", with("x: y\n")),
        Row::no("invalid_response", "header-escape", bytes(b"\x1b[31m")),
        Row::no("invalid_response", "header-bare-cr", bytes(b"a\rb")),
        Row::no("invalid_response", "header-del", bytes(b"a\x7f")),
        no("header-folded", "x: y\r\n z\r\n"),
        no("header-space-before-colon", "x : y\r\n"),
        no("header-name-odd", "x(y): z\r\n"),
        no("header-name-not-ascii", "x\u{e9}: z\r\n"),
    ]
}

fn retry_after() -> Vec<Row> {
    let asks = |status, header: &str| {
        Behaviour::says(format!(
            "HTTP/1.1 {status} Later\r\n{header}content-length: 0\r\n\r\n"
        ))
    };
    let cases = [
        ("after-seconds", "7200", 7_200),
        ("after-less", "1", 3_600),
        ("after-a-day", "86400", 86_400),
        ("after-a-week", "604800", 86_400),
        ("after-huge", "9999999999", 86_400),
        ("after-overflows", "99999999999999999999999", 3_600),
        ("after-negative", "-5", 3_600),
        ("after-fraction", "7200.5", 3_600),
        ("after-words", "soon", 3_600),
        ("after-nothing", "", 3_600),
        ("after-list", "7200, 9000", 3_600),
        ("after-past", "Wed, 21 Oct 2015 07:28:00 GMT", 3_600),
        ("after-far-future", "Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("after-no-date", "Fri, 99 Foo 2099 99:99:99 GMT", 3_600),
        ("after-not-ascii", "\u{661}\u{662}", 3_600),
    ];
    let mut rows: Vec<Row> = cases
        .into_iter()
        .map(|(name, value, again)| {
            let header = format!("retry-after: {value}\r\n");
            Row::status(name, asks(503, &header), 503, "status_5xx").again(again)
        })
        .collect();
    let seconds = "retry-after: 7200\r\n";
    let twice = "retry-after: soon\r\nretry-after: 7200\r\n";
    rows.push(Row::status("after-429", asks(429, seconds), 429, "status_4xx").again(7_200));
    rows.push(Row::status(
        "after-500",
        asks(500, seconds),
        500,
        "status_5xx",
    ));
    rows.push(Row::status(
        "after-302",
        asks(302, seconds),
        302,
        "redirect",
    ));
    rows.push(Row::status(
        "after-twice",
        asks(503, twice),
        503,
        "status_5xx",
    ));
    rows
}
