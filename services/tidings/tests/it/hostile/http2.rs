//! What is done over HTTP/2.

use super::row::Row;
use std::time::Duration;
use testkit::hostile::http2::{
    begun_head, continuation, data, end, frame, goaway, head, ping, reset, settings,
};
use testkit::hostile::{Behaviour, Step};

const DROP: Duration = Duration::from_millis(30);

pub fn rows() -> Vec<Row> {
    [answers(), ends(), without_an_end(), broken()]
        .into_iter()
        .flatten()
        .collect()
}

/// A request is read, settings are sent, and then come these steps.
fn after_request<const N: usize>(steps: [Step; N]) -> Behaviour {
    let begin = [Step::ReadHttp2, Step::Say(settings())];
    Behaviour::of([begin.as_slice(), &steps].concat()).over_http2()
}

fn says(frames: &[Vec<u8>]) -> Behaviour {
    after_request([Step::Say(frames.concat()), Step::Wait])
}

fn answers() -> Vec<Row> {
    let answer = |status, body: &[u8]| says(&[head(status, &[]), data(body), end()]);
    let interim = head("103", &[("link", "x")]);
    vec![
        Row::fine("h2-good", answer("200", b"ok")).body("ok"),
        Row::fine(
            "h2-interims",
            says(&[interim.clone(), interim, head("200", &[]), end()]),
        ),
        Row::status("h2-404", answer("404", b"no"), 404, "status_4xx"),
        Row::status("h2-redirect", answer("307", b""), 307, "redirect"),
        Row::status("h2-599", answer("599", b""), 599, "status_5xx"),
        Row::status("h2-999", answer("999", b""), 999, "invalid_response"),
        Row::fine(
            "h2-over-16-kib",
            says(&[
                head("200", &[]),
                data(&[b'x'; 16_000]),
                data(&[b'x'; 1_000]),
            ]),
        )
        .cut(),
        Row::no("timeout", "h2-silent", after_request([Step::Wait])),
        Row::no(
            "timeout",
            "h2-mute",
            Behaviour::of([Step::Wait]).over_http2(),
        ),
        Row::no("timeout", "h2-stops-after-head", says(&[head("200", &[])])),
        Row::no(
            "timeout",
            "h2-stops-in-body",
            says(&[head("200", &[]), data(b"half")]),
        ),
        Row::no("timeout", "h2-stops-in-head", says(&[begun_head("200")])),
    ]
}

fn ends() -> Vec<Row> {
    let mut rows = vec![
        Row::no("reset", "h2-goaway", says(&[goaway(0)])),
        Row::no("reset", "h2-goaway-calm", says(&[goaway(11)])),
        Row::no("reset", "h2-closes", after_request([])),
        Row::no("reset", "h2-resets", after_request([Step::Reset])),
        Row::no(
            "reset",
            "h2-closes-in-body",
            after_request([Step::Say([head("200", &[]), data(b"half")].concat())]),
        ),
        Row::no(
            "reset",
            "h2-reset-in-body",
            says(&[head("200", &[]), data(b"half"), reset(2)]),
        ),
    ];
    for reason in [0, 1, 2, 7, 8, 11, 13, 99] {
        rows.push(Row::no(
            "reset",
            &format!("h2-reset-{reason}"),
            says(&[reset(reason)]),
        ));
    }
    rows
}

fn without_an_end() -> Vec<Row> {
    let endless = |first: Vec<u8>, again: Vec<u8>| {
        after_request([Step::Say(first), Step::Endless(again.repeat(1_024))])
    };
    let drops =
        |first: Vec<u8>, drop| after_request([Step::Say(first), Step::EndlessDrip(drop, DROP)]);
    let ok = head("200", &[]);
    vec![
        Row::fine("h2-endless-data", endless(ok.clone(), data(&[b'x'; 1_000])))
            .cut()
            .endless(),
        Row::no(
            "invalid_response",
            "h2-endless-nothing",
            endless(ok.clone(), data(b"")),
        )
        .endless(),
        Row::no(
            "timeout",
            "h2-endless-interims",
            endless(vec![], head("103", &[("x", "y")])),
        )
        .endless(),
        Row::no(
            "invalid_response",
            "h2-endless-continuation",
            endless(begun_head("200"), continuation("x", "y")),
        )
        .endless(),
        Row::no(
            "invalid_response",
            "h2-endless-empty-continuation",
            endless(begun_head("200"), frame(9, 0, 1, &[])),
        )
        .endless(),
        Row::no("timeout", "h2-data-by-drops", drops(ok, data(b"."))),
        Row::no("timeout", "h2-pings-by-drops", drops(vec![], ping())),
        Row::no("timeout", "h2-settings-by-drops", drops(vec![], settings())),
        Row::no(
            "timeout",
            "h2-interims-by-drops",
            drops(vec![], head("100", &[])),
        ),
    ]
}

fn broken() -> Vec<Row> {
    let long = "y".repeat(10_000);
    let many: Vec<_> = (0..9).map(|_| continuation("x", &long)).collect();
    let oversized = [begun_head("200"), many.concat(), frame(9, 4, 1, &[])].concat();
    let no = |name, frames: &[Vec<u8>]| Row::no("invalid_response", name, says(frames));
    let http1 = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec();
    let in_http1 = Behaviour::of([Step::ReadHttp2, Step::Say(http1), Step::Wait]).over_http2();
    vec![
        no("h2-oversized-head", &[oversized]),
        no("h2-data-first", &[data(b"x")]),
        no(
            "h2-long-frame",
            &[[b"\xff\xff\xff\0\0\0\0\0\x01".as_slice(), &[0; 100]].concat()],
        ),
        no("h2-push", &[frame(5, 4, 1, b"\0\0\0\x02\x88")]),
        no("h2-stream-0", &[frame(1, 4, 0, b"\x88")]),
        no("h2-other-stream", &[frame(0, 0, 99, b"x")]),
        no(
            "h2-bad-hpack",
            &[frame(1, 4, 1, b"\xff\xff\xff\xff\xff\xff")],
        ),
        no("h2-status-42", &[head("42", &[]), end()]),
        no("h2-status-1000", &[head("1000", &[]), end()]),
        no("h2-status-word", &[head("ok", &[]), end()]),
        no("h2-status-none", &[frame(1, 4, 1, b"\0\x01x\x01y"), end()]),
        no(
            "h2-header-upper",
            &[head("200", &[("X-Upper", "y")]), end()],
        ),
        no("h2-header-nul", &[head("200", &[("x", "a\0b")]), end()]),
        no(
            "h2-header-line-end",
            &[head("200", &[("x", "a\r\nb: c")]), end()],
        ),
        no("h2-window-of-0", &[frame(8, 0, 0, &[0; 4])]),
        no(
            "h2-length-lies",
            &[
                head("200", &[("content-length", "10")]),
                data(b"half"),
                end(),
            ],
        ),
        no("h2-garbage", &[b"garbage garbage garbage garbage".to_vec()]),
        Row::no("invalid_response", "h2-http-1", in_http1),
    ]
}
