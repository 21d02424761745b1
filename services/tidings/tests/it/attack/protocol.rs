//! Requests whose form is not what it should be.

mod whole;

use crate::app::SOON;
use crate::attack::scene::{SECRET, Scene, genuine, sha256_hex};
use crate::attack::seen::Counts;
use crate::attack::{Attack, attack};
use testkit::{RawConnection, eventually};

/// Of the account `open`, up to where a body's length is told.
const HEAD: &str = "POST /v1/callbacks/open/reports HTTP/1.1\r\nhost: x\r\n\
                    content-type: application/json\r\n";

const QUICK: (&str, &str) = ("TIDINGS_INGRESS__BODY_DEADLINE", "1s");

#[tokio::test]
async fn what_is_no_proper_request_comes_to_nothing() {
    let scene = Scene::set_with(&[QUICK]).await;
    let improper: Vec<_> = framing().into_iter().chain(heads()).collect();
    scene.withstands(&improper).await;
}

#[tokio::test]
async fn what_is_too_large_or_too_slow_or_not_to_be_taken_so_comes_to_nothing() {
    let scene = Scene::set_with(&[QUICK]).await;
    scene.withstands(&whole::table()).await;
}

#[tokio::test]
async fn what_its_sender_does_not_finish_comes_to_nothing() {
    let scene = Scene::set().await;
    let whole = request();
    // Within the line, the head and the body, and just before its end.
    for length in [5, 20, 100, whole.len() - 20, whole.len() - 1] {
        let mut connection = RawConnection::open(scene.app.ingress.base_url()).await;
        assert!(connection.send(&whole[..length]).await);
        drop(connection);
    }
    // The two whose bodies had begun are counted when they are found to have ended.
    let given_up = r#"tidings_callbacks_total{outcome="request_timeout",provider="unknown"}"#;
    eventually("both are given up", SOON, async || {
        (Counts::of(&scene.app).await.count(given_up) == 2).then_some(())
    })
    .await;
    scene.withstands(&unfinished()).await;
}

pub fn table() -> Vec<Attack> {
    let mut table = framing();
    table.extend(heads());
    table.extend(unfinished());
    table.extend(whole::table());
    table
}

fn report() -> String {
    genuine("stub").1
}

/// A whole good request, as it would be smuggled.
fn request() -> String {
    let report = report();
    format!("{HEAD}content-length: {}\r\n\r\n{report}", report.len())
}

/// Bodies whose end is in doubt, with a good request behind them.
fn framing() -> Vec<Attack> {
    let report = report();
    let length = report.len();
    let chunks = format!("{length:x}\r\n{report}\r\n0\r\n\r\n");
    let framed =
        |name, framing: &str| attack(name, "open").raw(format!("{HEAD}{framing}{}", request()));
    let no_http = |name, framing: String| framed(name, &framing).no_http(400);
    let late = |name, framing: String| framed(name, &framing).early(408, "request_timeout");
    vec![
        no_http(
            "a length and chunks",
            format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"),
        ),
        no_http(
            "chunks and a length",
            format!("transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n{chunks}"),
        ),
        no_http(
            "two lengths",
            format!("content-length: 4\r\ncontent-length: {length}\r\n\r\n{report}"),
        ),
        no_http(
            "a list of lengths",
            format!("content-length: {length}, {length}\r\n\r\n{report}"),
        ),
        no_http(
            "a length with a plus",
            format!("content-length: +{length}\r\n\r\n{report}"),
        ),
        no_http(
            "a negative length",
            format!("content-length: -1\r\n\r\n{report}"),
        ),
        no_http(
            "a length in hex",
            format!("content-length: 0x{length:x}\r\n\r\n{report}"),
        ),
        no_http(
            "a length that no number holds",
            format!("content-length: {}\r\n\r\n{report}", "9".repeat(30)),
        ),
        no_http(
            "an encoding that is nearly chunked",
            format!("transfer-encoding: xchunked\r\n\r\n{chunks}"),
        ),
        no_http(
            "chunked twice",
            format!("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"),
        ),
        no_http(
            "chunked behind gzip",
            format!("transfer-encoding: gzip, chunked\r\n\r\n{chunks}"),
        ),
        no_http(
            "chunked before identity",
            format!("transfer-encoding: chunked, identity\r\n\r\n{chunks}"),
        ),
        no_http(
            "chunked behind a vertical tab",
            format!("transfer-encoding:\x0bchunked\r\n\r\n{chunks}"),
        ),
        no_http(
            "a space before the colon of an encoding",
            format!("transfer-encoding : chunked\r\n\r\n{chunks}"),
        ),
        late(
            "a chunk whose size is no number",
            format!("transfer-encoding: chunked\r\n\r\nzz\r\n{report}\r\n0\r\n\r\n"),
        ),
        late(
            "a chunk whose size is negative",
            format!("transfer-encoding: chunked\r\n\r\n-1\r\n{report}\r\n0\r\n\r\n"),
        ),
        late(
            "a chunk whose size no number holds",
            format!(
                "transfer-encoding: chunked\r\n\r\n{}\r\n{report}\r\n0\r\n\r\n",
                "f".repeat(17)
            ),
        ),
        late(
            "a chunk that is longer than it says",
            format!("transfer-encoding: chunked\r\n\r\n1\r\n{report}\r\n0\r\n\r\n"),
        ),
    ]
}

fn heads() -> Vec<Attack> {
    let raw = |name, bytes: &[u8]| attack(name, "open").raw(bytes).no_http(400);
    let with = |name, line: &str| {
        raw(
            name,
            request()
                .replacen("host", &format!("{line}\r\nhost"), 1)
                .as_bytes(),
        )
    };
    let line = |name, line: &str| {
        let (_, rest) = request()
            .split_once("\r\n")
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        raw(name, format!("{line}\r\n{rest}").as_bytes())
    };
    vec![
        raw("no host", request().replace("host: x\r\n", "").as_bytes()),
        with("two hosts", "host: y"),
        attack("a signature behind the last chunk", "signed")
            .raw(trailed())
            .refused("invalid_signature"),
        with(
            "a header that goes on in a second line",
            "x-folded: 1\r\n  2",
        ),
        with("a header whose name has a space", "x signature: 1"),
        with("a header without a colon", "x-signature"),
        with("a header without a name", ": 1"),
        with("a header with a nul in its value", "x-nul: 1\x002"),
        with("a header with a nul in its name", "x-\x00nul: 1"),
        with("a header with a bare return in it", "x-bare: 1\r2"),
        line(
            "a request of http 0.9",
            "GET /v1/callbacks/open/reports?messageId=m-1",
        ),
        line(
            "a request of a http to come",
            "POST /v1/callbacks/open/reports HTTP/9.9",
        ),
        line(
            "a request of another protocol",
            "POST /v1/callbacks/open/reports SIP/2.0",
        ),
        line(
            "a target with a nul",
            "POST /v1/callbacks/open\x00/reports HTTP/1.1",
        ),
        line(
            "a target with a space",
            "POST /v1/callbacks/open /reports HTTP/1.1",
        ),
        line(
            "a target that is no path",
            "POST v1/callbacks/open/reports HTTP/1.1",
        ),
        raw("the preface of http 2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        raw(
            "the hello of tls",
            b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\r\n\r\n",
        ),
        raw("garbage", b"\x00\xff\x00\xff\r\n\r\n"),
    ]
}

/// Heads are given 5 seconds.
fn unfinished() -> Vec<Attack> {
    vec![
        attack("a head that never ends", "open")
            .raw(HEAD)
            .no_http(408),
    ]
}

/// A report whose signature comes as a trailer.
fn trailed() -> String {
    let report = report();
    let signature = sha256_hex(SECRET, &report);
    format!(
        "{}transfer-encoding: chunked\r\ntrailer: x-signature\r\n\r\n{:x}\r\n{report}\r\n0\r\n\
         x-signature: sha256={signature}\r\n\r\n",
        HEAD.replace("open", "signed"),
        report.len()
    )
}
