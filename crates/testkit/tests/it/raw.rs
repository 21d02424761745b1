use crate::{AMPLE, SHORT};
use std::time::{Duration, Instant};
use tidings_testkit::{Endpoint, RawConnection, Reply, raw};

#[tokio::test]
async fn bytes_are_sent_as_they_are_and_every_answer_comes_back() {
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([Reply::with(200, &[], "one"), Reply::with(201, &[], "two")]);
    let request = "POST / HTTP/1.1\r\nhost: a\r\nHOST: b\r\ncontent-length: 1\r\n\r\nx";
    let answers = raw(&endpoint.url("/ignored"), [request, request].concat()).await;
    assert!(
        answers.contains("HTTP/1.1 200 ") && answers.ends_with("\r\n\r\ntwo"),
        "{answers}"
    );
    let hits = endpoint.hits();
    assert_eq!(
        hits[0].header_values("host").collect::<Vec<_>>(),
        ["a", "b"]
    );
}

#[tokio::test]
async fn an_answer_is_there_soon_though_the_connection_stays_open() {
    let endpoint = Endpoint::start().await;
    let before = Instant::now();
    let answer = raw(&endpoint.url(""), "GET / HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(before.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_server_that_closes_before_it_has_everything_is_no_error() {
    let endpoint = Endpoint::start().await;
    let mut request = b"POST / HTTP/1.1\r\ncontent-length: nonsense\r\n\r\n".to_vec();
    request.resize(8 << 20, b'x');
    let address = endpoint.url("");
    assert_eq!(
        raw(address.trim_start_matches("http://"), request).await,
        ""
    );
}

#[tokio::test]
async fn a_request_can_be_sent_in_pieces() {
    let endpoint = Endpoint::start().await;
    let mut connection = RawConnection::open(&endpoint.url("")).await;
    assert!(connection.send("POST / HTTP/1.1\r\ncontent-le").await);
    assert_eq!(connection.receive(SHORT).await, "");
    assert!(connection.send("ngth: 2\r\n\r\n").await);
    assert_eq!(
        connection
            .send_slowly("hi", Duration::from_millis(20))
            .await,
        2
    );
    assert!(connection.receive(AMPLE).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(endpoint.hits()[0].body, b"hi");
}

#[tokio::test]
async fn sending_slowly_ends_when_the_server_has_had_enough() {
    let endpoint = Endpoint::start().await;
    endpoint.answer_with(Reply::Garbage);
    let mut connection = RawConnection::open(&endpoint.url("")).await;
    let request = ["GET / HTTP/1.1\r\n\r\n", &"x".repeat(10_000)].concat();
    let written = connection
        .send_slowly(request, Duration::from_millis(1))
        .await;
    assert!(written < 10_000, "{written}");
    assert!(connection.receive(AMPLE).await.contains("not HTTP"));
}
