use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use tidings_egress::{FailureClass, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};

use crate::server::{Server, read_request, until_closed};
use crate::{AMPLE, SHORT, fail, local_client, respond};

const KEPT: usize = 16 * 1024;

fn sized(length: usize) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    [head.into_bytes(), vec![b'x'; length]].concat()
}

#[tokio::test]
async fn a_good_answer_is_returned_whole() {
    let answer = "HTTP/1.1 202 Accepted\r\ncontent-length: 4\r\nretry-after: 7\r\n\r\nbody";
    let server = Server::saying(answer).await;
    let response = respond(&local_client(), &server.url(), AMPLE).await;
    assert_eq!(response.status, 202);
    assert_eq!(response.headers["retry-after"], "7");
    assert_eq!(response.body, "body");
    assert!(!response.truncated);
}

#[tokio::test]
async fn a_request_arrives_as_it_was_given_but_for_framing_headers() {
    let (sender, mut requests) = mpsc::channel(1);
    let server = Server::start(move |mut socket| {
        let sender = sender.clone();
        async move {
            sender
                .send(read_request(&mut socket).await.unwrap())
                .await
                .unwrap();
            let _ = socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        }
    })
    .await;
    let mut request = Request::post(server.url(), "{\"a\":1}");
    request.method = http::Method::PUT;
    for (name, value) in [
        ("webhook-id", "evt_1"),
        ("host", "internal.example"),
        ("content-length", "3"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
    ] {
        request
            .headers
            .insert(name, HeaderValue::from_static(value));
    }
    let response = local_client().send(request, AMPLE).await.result.unwrap();
    assert_eq!(response.status, 204);
    let sent = requests.recv().await.unwrap();
    let (head, body) = sent.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<_> = head.lines().collect();
    assert_eq!(lines.remove(0), "PUT /hook?secret=1 HTTP/1.1");
    lines.sort_unstable();
    let host = format!("host: {}", server.address);
    assert_eq!(lines, ["content-length: 7", &host, "webhook-id: evt_1"]);
    assert_eq!(body, "{\"a\":1}");
}

#[tokio::test]
async fn a_redirect_is_a_response_like_any_other() {
    let other = Server::well().await;
    let answer = format!(
        "HTTP/1.1 302 Found\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n",
        other.address
    );
    let server = Server::saying(answer).await;
    assert_eq!(
        respond(&local_client(), &server.url(), AMPLE).await.status,
        302
    );
    assert_eq!(other.accepted(), 0);
}

#[tokio::test]
async fn a_long_body_is_cut_at_16_kib() {
    for (length, truncated) in [
        (KEPT - 1, false),
        (KEPT, false),
        (KEPT + 1, true),
        (300_000, true),
    ] {
        let server = Server::saying(sized(length)).await;
        let response = respond(&local_client(), &server.url(), AMPLE).await;
        assert_eq!(response.body.len(), length.min(KEPT), "{length}");
        assert_eq!(response.truncated, truncated, "{length}");
    }
}

#[tokio::test]
async fn an_endless_body_is_cut_and_its_connection_closed() {
    let (sender, mut ended) = mpsc::channel(1);
    let server = Server::start(move |mut socket| {
        let sender = sender.clone();
        async move {
            read_request(&mut socket).await;
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            socket.write_all(head).await.unwrap();
            let chunk = [b"1000\r\n".as_slice(), &[b'x'; 0x1000], b"\r\n"].concat();
            while socket.write_all(&chunk).await.is_ok() {}
            sender.send(()).await.unwrap();
        }
    })
    .await;
    let response = respond(&local_client(), &server.url(), AMPLE).await;
    assert_eq!((response.status, response.body.len()), (200, KEPT));
    assert!(response.truncated);
    ended.recv().await.unwrap();
}

#[tokio::test]
async fn what_comes_after_16_kib_is_not_waited_for() {
    for framing in ["content-length: 20000", "transfer-encoding: chunked"] {
        let chunk = if framing.ends_with("chunked") {
            "4000\r\n"
        } else {
            ""
        };
        let kept = "x".repeat(KEPT);
        let server =
            Server::saying(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{chunk}{kept}")).await;
        let response = respond(&local_client(), &server.url(), AMPLE).await;
        assert_eq!((response.status, response.body.len()), (200, KEPT));
        assert!(response.truncated, "{framing}");
    }
}

#[tokio::test]
async fn a_body_still_dripping_at_the_deadline_is_a_timeout() {
    let server = Server::start(|mut socket| async move {
        read_request(&mut socket).await;
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
        socket.write_all(head).await.unwrap();
        let mut drip = tokio::time::interval(Duration::from_millis(20));
        while socket.write_all(b"x").await.is_ok() {
            drip.tick().await;
        }
    })
    .await;
    let attempted = local_client()
        .send(Request::post(server.url(), ""), SHORT)
        .await;
    assert_eq!(attempted.result.unwrap_err().class, FailureClass::Timeout);
    assert!(attempted.duration >= SHORT && attempted.duration < SHORT * 4);
}

#[tokio::test]
async fn a_silent_endpoint_is_a_timeout() {
    for beginning in ["", "HTTP/1.1 200", "HTTP/1.1 100 Continue\r\n\r\n"] {
        let server = Server::saying(beginning).await;
        assert_eq!(
            fail(&local_client(), &server.url(), SHORT).await,
            FailureClass::Timeout
        );
    }
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_an_invalid_response() {
    let answers = [
        "SSH-2.0-OpenSSH_9.2p1\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 9999 No\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnot a length\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        "<html>hello</html>\r\n\r\n",
    ];
    for answer in answers {
        let server = Server::saying(answer).await;
        let class = fail(&local_client(), &server.url(), AMPLE).await;
        assert_eq!(class, FailureClass::InvalidResponse, "{answer}");
    }
}

#[tokio::test]
async fn a_huge_head_is_an_invalid_response() {
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(100_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(5000));
    let interim = "HTTP/1.1 102 Processing\r\nx: y\r\n\r\n".repeat(5) + &endless;
    for answer in [endless, many, interim] {
        let server = Server::saying(answer).await;
        let class = fail(&local_client(), &server.url(), AMPLE).await;
        assert_eq!(class, FailureClass::InvalidResponse);
    }
}

/// However much of it comes with one read.
#[tokio::test]
async fn a_head_that_is_a_little_too_long_is_an_invalid_response() {
    for length in [65, 70, 100, 127] {
        let long = "y".repeat(length * 1024);
        let answer = format!("HTTP/1.1 204 No Content\r\nx: {long}\r\n\r\n");
        let server = Server::saying(answer).await;
        let class = fail(&local_client(), &server.url(), AMPLE).await;
        assert_eq!(class, FailureClass::InvalidResponse, "{length} KiB");
    }
}

#[tokio::test]
async fn a_head_of_60_kib_is_accepted() {
    let answer = format!(
        "HTTP/1.1 204 No Content\r\nx: {}\r\n\r\n",
        "y".repeat(60 * 1024)
    );
    let server = Server::saying(answer).await;
    assert_eq!(
        respond(&local_client(), &server.url(), AMPLE).await.status,
        204
    );
}

#[tokio::test]
async fn a_connection_ended_within_the_answer_is_a_reset() {
    let answers = [
        "",
        "HTTP/1.1 200 OK\r\nx",
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
    ];
    for answer in answers {
        let server = Server::start(move |mut socket| async move {
            read_request(&mut socket).await;
            socket.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        let class = fail(&local_client(), &server.url(), AMPLE).await;
        assert_eq!(class, FailureClass::Reset, "{answer}");
    }
}

#[tokio::test]
async fn a_body_that_ends_with_the_connection_is_complete() {
    let server = Server::start(|mut socket| async move {
        read_request(&mut socket).await;
        socket
            .write_all(b"HTTP/1.0 200 OK\r\n\r\nall of it")
            .await
            .unwrap();
    })
    .await;
    assert_eq!(
        respond(&local_client(), &server.url(), AMPLE).await.body,
        "all of it"
    );
}

#[tokio::test]
async fn a_late_attempt_leaves_no_connection_behind() {
    let heads = ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"];
    for head in heads {
        let (sender, mut ended) = mpsc::channel(1);
        let server = Server::start(move |mut socket| {
            let sender = sender.clone();
            async move {
                read_request(&mut socket).await;
                socket.write_all(head.as_bytes()).await.unwrap();
                until_closed(&mut socket).await;
                sender.send(()).await.unwrap();
            }
        })
        .await;
        let client = local_client();
        assert_eq!(
            fail(&client, &server.url(), SHORT).await,
            FailureClass::Timeout
        );
        tokio::time::timeout(AMPLE, ended.recv())
            .await
            .unwrap()
            .unwrap();
    }
}

#[tokio::test]
async fn an_endpoint_that_answers_and_does_not_read_is_not_kept() {
    const SENT: usize = 32 << 20;
    let attempt_over = Arc::new(Notify::new());
    let (sender, mut arrived) = mpsc::channel(1);
    let over = Arc::clone(&attempt_over);
    let server = Server::start(move |mut socket| {
        let (over, sender) = (Arc::clone(&over), sender.clone());
        async move {
            socket.read_exact(&mut [0; 64]).await.unwrap();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            socket.write_all(answer).await.unwrap();
            over.notified().await;
            sender.send(until_closed(&mut socket).await).await.unwrap();
        }
    })
    .await;
    let request = Request::post(server.url(), vec![b'x'; SENT]);
    let response = local_client().send(request, AMPLE).await.result.unwrap();
    assert_eq!(response.status, 200);
    // The connection is closed by a task of its own, which is only given the time to run.
    tokio::time::sleep(SHORT / 3).await;
    attempt_over.notify_one();
    let arrived = arrived.recv().await.unwrap();
    assert!(arrived < SENT / 2, "{arrived}");
}

#[tokio::test]
async fn who_reads_longer_answers_says_how_long() {
    let options = tidings_egress::ClientOptions {
        max_body_bytes: 4 * KEPT,
        ..tidings_egress::ClientOptions::default()
    };
    let policy = crate::policy(&["127.0.0.1/32"]);
    let client = tidings_egress::Client::new(policy, crate::no_names(), options).unwrap();
    for (length, kept, truncated) in [(4 * KEPT, 4 * KEPT, false), (4 * KEPT + 1, 4 * KEPT, true)] {
        let server = Server::saying(sized(length)).await;
        let response = respond(&client, &server.url(), AMPLE).await;
        assert_eq!((response.body.len(), response.truncated), (kept, truncated));
    }
}
