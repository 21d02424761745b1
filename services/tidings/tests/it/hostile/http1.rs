//! What is done over HTTP/1.1: in time, late, never, without an end, drop by drop, and broken.

use super::row::{Row, endless, saying};
use std::time::Duration;
use testkit::hostile::{Behaviour, Step, http2};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n";
const DROP: Duration = Duration::from_millis(30);

/// `trap` is a URL that nobody may go to.
pub fn rows(trap: &str) -> Vec<Row> {
    [
        slow(),
        never(),
        without_an_end(),
        by_drops(),
        redirects(trap),
        bodies(),
        broken(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn say(text: &str) -> Step {
    Step::Say(text.into())
}

fn slow() -> Vec<Row> {
    let after = |pause| {
        let pause = Step::Pause(Duration::from_millis(pause));
        Behaviour::of([Step::Read, pause, say(OK), Step::Wait])
    };
    let whole = Step::Drip(OK.into(), DROP / 3);
    vec![
        Row::fine("slow", after(300)).body("ok"),
        Row::fine(
            "slow-by-drops",
            Behaviour::of([Step::Read, whole, Step::Wait]),
        )
        .body("ok"),
        Row::no("timeout", "too-slow", after(2_500)),
    ]
}

fn never() -> Vec<Row> {
    let says_and = |text: &str, step| Behaviour::of([Step::Read, say(text), step]);
    vec![
        Row::no("timeout", "silent", Behaviour::of([Step::Read, Step::Wait])),
        Row::no("timeout", "never-reads", Behaviour::of([Step::Ignore])),
        Row::fine("answers-unread", Behaviour::of([say(OK), Step::Ignore])),
        Row::no("reset", "closes-unread", Behaviour::of([])),
        Row::no("reset", "resets-unread", Behaviour::of([Step::Reset])),
        Row::no("reset", "closes", Behaviour::of([Step::Read])),
        Row::no("reset", "resets", Behaviour::of([Step::Read, Step::Reset])),
        Row::no(
            "reset",
            "closes-in-head",
            Behaviour::says_and_closes("HTTP/1.1 200 OK\r\nx: "),
        ),
        Row::no(
            "reset",
            "closes-after-head",
            Behaviour::says_and_closes(HEAD),
        ),
        Row::no("reset", "closes-in-body", Behaviour::says_and_closes(HALF)),
        Row::no(
            "reset",
            "closes-in-chunk",
            Behaviour::says_and_closes(format!("{CHUNKED}9\r\nhalf")),
        ),
        Row::no(
            "reset",
            "resets-in-head",
            says_and("HTTP/1.1 200 OK\r\nx: ", Step::Reset),
        ),
        Row::no("reset", "resets-after-head", says_and(HEAD, Step::Reset)),
        Row::no("reset", "resets-in-body", says_and(HALF, Step::Reset)),
        Row::no(
            "timeout",
            "stops-in-head",
            Behaviour::says("HTTP/1.1 200 OK\r\nx: "),
        ),
        Row::no("timeout", "stops-after-head", Behaviour::says(HEAD)),
        Row::no("timeout", "stops-in-body", Behaviour::says(HALF)),
        Row::no(
            "timeout",
            "stops-before-trailers",
            Behaviour::says(format!("{CHUNKED}0\r\n")),
        ),
        Row::no(
            "timeout",
            "stops-after-interim",
            Behaviour::says("HTTP/1.1 100 Continue\r\n\r\n"),
        ),
    ]
}

fn without_an_end() -> Vec<Row> {
    let chunk = format!("400\r\n{}\r\n", "x".repeat(0x400));
    let text = "x".repeat(0x400);
    let fine =
        |name, head: &str, again: &str| Row::fine(name, endless(head, again)).cut().endless();
    let no = |error, name, head: &str, again| Row::no(error, name, endless(head, again)).endless();
    let long = "HTTP/1.1 200 OK\r\ncontent-length: 9000000000000000000\r\n\r\n";
    vec![
        fine("endless-chunks", CHUNKED, &chunk),
        fine("endless-small-chunks", CHUNKED, "1\r\nx\r\n"),
        fine("endless-length", long, &text),
        fine("endless-until-closed", "HTTP/1.1 200 OK\r\n\r\n", &text),
        no("invalid_response", "endless-status", "HTTP/1.1 200 ", "OK "),
        no(
            "invalid_response",
            "endless-headers",
            "HTTP/1.1 200 OK\r\n",
            "x: y\r\n",
        ),
        no(
            "invalid_response",
            "endless-header",
            "HTTP/1.1 200 OK\r\nx: ",
            "y",
        ),
        no(
            "timeout",
            "endless-interims",
            "",
            "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
        ),
        no(
            "invalid_response",
            "endless-trailers",
            &format!("{CHUNKED}0\r\n"),
            "x: y\r\n",
        ),
        no(
            "invalid_response",
            "endless-extension",
            &format!("{CHUNKED}1;"),
            "a=b;",
        ),
        no("invalid_response", "endless-garbage", "", "\u{1}garbage"),
    ]
}

fn by_drops() -> Vec<Row> {
    let drops = |head: &str, drop: &str| {
        let drops = Step::EndlessDrip(drop.into(), DROP);
        Behaviour::of([Step::Read, say(head), drops])
    };
    vec![
        Row::no(
            "timeout",
            "head-by-drops",
            drops("HTTP/1.1 200 OK\r\nx: ", "y"),
        ),
        Row::no(
            "timeout",
            "headers-by-drops",
            drops("HTTP/1.1 200 OK\r\n", "x: y\r\n"),
        ),
        Row::no(
            "timeout",
            "interims-by-drops",
            drops("", "HTTP/1.1 100 Continue\r\n\r\n"),
        ),
        Row::no("timeout", "body-by-drops", drops(CHUNKED, "1\r\n.\r\n")),
        Row::no(
            "timeout",
            "length-by-drops",
            drops("HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n", "."),
        ),
        Row::no(
            "timeout",
            "until-closed-by-drops",
            drops("HTTP/1.1 200 OK\r\n\r\n", "."),
        ),
        Row::no("timeout", "chunk-size-by-drops", drops(CHUNKED, "0")),
        Row::no(
            "timeout",
            "error-by-drops",
            drops("HTTP/1.1 500 No\r\n\r\n", "."),
        ),
    ]
}

fn redirects(trap: &str) -> Vec<Row> {
    let to = |location: &str| format!("location: {location}\r\n");
    let schemeless = trap.trim_start_matches("http:");
    let mut rows = Vec::new();
    let targets = [
        ("trap", to(trap)),
        ("itself", to("/redirect-302-itself")),
        ("metadata", to("http://169.254.169.254/latest/meta-data/")),
        ("file", to("file:///etc/passwd")),
        ("script", to("javascript:alert(1)")),
        ("slashes", to(schemeless)),
        ("relative", to("../trap")),
        ("nowhere", to("")),
        ("none", String::new()),
        ("many", to(trap).repeat(3)),
        ("refresh", format!("refresh: 0; url={trap}\r\n")),
    ];
    for status in [300, 301, 302, 303, 304, 305, 307, 308] {
        for (target, header) in &targets {
            // One of each is enough, and all of the one that everybody knows.
            if status != 302 && *target != "trap" {
                continue;
            }
            let name = format!("redirect-{status}-{target}");
            let text = format!("HTTP/1.1 {status} Elsewhere\r\n{header}content-length: 0\r\n\r\n");
            rows.push(Row::status(
                &name,
                Behaviour::says(text),
                status,
                "redirect",
            ));
        }
    }
    rows
}

fn bodies() -> Vec<Row> {
    const MOST: usize = 16 * 1024;
    let sized = |head: &str, body: &[u8]| {
        let head = format!(
            "HTTP/1.1 200 OK\r\n{head}content-length: {}\r\n\r\n",
            body.len()
        );
        Behaviour::says([head.as_bytes(), body].concat())
    };
    let chunked = |body: &str| Behaviour::says(format!("{CHUNKED}{body}"));
    // What 10 MiB of one byte begin with, once packed.
    let bomb = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xec\xc1\x01\x01\0\0\0\x80\x90\xfe\xaf";
    let (fits, over) = ("x".repeat(MOST), "x".repeat(MOST + 1));
    let html = "<html><script>alert(document.cookie)</script></html>";
    vec![
        Row::fine("body-none", sized("", b"")).body(""),
        Row::fine("body-nul", sized("", b"a\0b")).body("a\u{fffd}b"),
        Row::fine("body-not-utf-8", sized("", b"a\xff\xfeb")).body("a\u{fffd}\u{fffd}b"),
        Row::fine(
            "body-html",
            sized("content-type: text/html\r\n", html.as_bytes()),
        )
        .body(html),
        Row::fine("body-gzip", sized("content-encoding: gzip\r\n", bomb)),
        Row::fine("body-of-16-kib", sized("", fits.as_bytes())).body(fits.clone()),
        Row::fine("body-over-16-kib", sized("", over.as_bytes()))
            .body(fits.clone())
            .cut(),
        Row::fine(
            "chunks-of-16-kib",
            chunked(&format!("4000\r\n{fits}\r\n0\r\n\r\n")),
        )
        .body(fits.clone())
        // That no other chunk comes is not waited for.
        .cut(),
        Row::fine(
            "chunks-over-16-kib",
            chunked(&format!("4001\r\n{over}\r\n0\r\n\r\n")),
        )
        .cut(),
        Row::fine("trailers", chunked("2\r\nok\r\n0\r\nx: y\r\n\r\n")).body("ok"),
        Row::fine(
            "until-closed",
            Behaviour::says_and_closes("HTTP/1.0 200 OK\r\n\r\nall"),
        )
        .body("all"),
        Row::status(
            "error-endless",
            endless("HTTP/1.1 500 No\r\n\r\n", &fits),
            500,
            "status_5xx",
        )
        .cut()
        .endless(),
    ]
}

fn broken() -> Vec<Row> {
    let frames = [http2::settings(), http2::head("200", &[]), http2::end()].concat();
    let answers: [(&str, &[u8]); 20] = [
        ("garbage", b"\x16\x03this is not HTTP\r\n\r\n"),
        ("http-0-9", b"<html>hello</html>\r\n\r\n"),
        ("http-3", b"HTTP/3.0 200 OK\r\n\r\n"),
        ("http-2-line", b"HTTP/2.0 200 OK\r\n\r\n"),
        ("http-1-2", b"HTTP/1.2 200 OK\r\n\r\n"),
        ("http-lower", b"http/1.1 200 OK\r\n\r\n"),
        ("http-spaces", b"HTTP/1.1  200 OK\r\n\r\n"),
        ("icy", b"ICY 200 OK\r\n\r\n"),
        ("ssh", b"SSH-2.0-OpenSSH_9.2p1\r\n"),
        ("smtp", b"220 mail.example.com ESMTP\r\n"),
        ("redis", b"-ERR unknown command\r\n"),
        ("request", b"POST / HTTP/1.1\r\nhost: x\r\n\r\n"),
        ("tls-behind-http", b"\x15\x03\x01\0\x02\x02\x46"),
        ("no-status", b"HTTP/1.1\r\n\r\n"),
        ("no-colon", b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"),
        ("no-name", b"HTTP/1.1 200 OK\r\n: value\r\n\r\n"),
        ("nul", b"HTTP/1.1 200 OK\r\nx: \0\r\n\r\n"),
        ("nuls", &[0; 100]),
        (
            "upgrade",
            b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        ),
        ("http-2-frames", &frames),
    ];
    let rows = answers.map(|(name, answer)| {
        let (name, behaviour) = saying(name, answer);
        Row::no("invalid_response", name, behaviour)
    });
    let second = format!("{OK}HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n");
    let mut rows = Vec::from(rows);
    rows.push(Row::fine("two-answers", Behaviour::says(second)).body("ok"));
    rows.push(Row::fine("blank-first", Behaviour::says(format!("\r\n{OK}"))).body("ok"));
    rows
}
