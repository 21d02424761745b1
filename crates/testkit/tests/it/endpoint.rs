use crate::{AMPLE, SHORT};
use std::time::{Duration, Instant};
use tidings_testkit::{Endpoint, Ingress, RawConnection, Reply};
use tokio::task::JoinSet;

/// The statuses of `n` requests, one after another.
async fn statuses(endpoint: &Endpoint, path: &str, n: usize) -> Vec<u16> {
    let client = Ingress::new(&endpoint.url(""));
    let mut statuses = Vec::new();
    for _ in 0..n {
        statuses.push(client.post_raw(path, &[], "{}").await.status);
    }
    statuses
}

/// A connection on which a request was sent.
async fn asked(endpoint: &Endpoint) -> RawConnection {
    let mut connection = RawConnection::open(&endpoint.url("")).await;
    let request = "POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n";
    assert!(connection.send(request).await);
    connection
}

#[tokio::test]
async fn everything_is_answered_with_200_unless_told_otherwise() {
    let endpoint = Endpoint::start().await;
    assert_eq!(statuses(&endpoint, "/", 2).await, [200, 200]);
}

#[tokio::test]
async fn a_script_is_followed_and_its_last_reply_lasts_for_ever() {
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([500, 429, 204]);
    assert_eq!(statuses(&endpoint, "/", 5).await, [500, 429, 204, 204, 204]);

    endpoint.answer_with(410);
    assert_eq!(statuses(&endpoint, "/", 2).await, [410, 410]);
}

#[tokio::test]
async fn a_path_can_have_a_script_of_its_own() {
    let endpoint = Endpoint::start().await;
    endpoint.answer_at("/bad", vec![Reply::Status(500), Reply::Status(503)]);
    assert_eq!(statuses(&endpoint, "/good", 1).await, [200]);
    assert_eq!(statuses(&endpoint, "/bad?n=1", 2).await, [500, 503]);
}

#[tokio::test]
async fn a_request_is_kept_as_it_came() {
    let endpoint = Endpoint::start().await;
    let before = Instant::now();
    let headers = [
        ("X-Twice", "one"),
        ("x-twice", "two"),
        ("Webhook-Id", "evt_1"),
    ];
    let client = Ingress::new(&endpoint.url(""));
    client
        .request("PUT", "/a/b?c=%20d", &headers, r#"{"n": 1.10}"#)
        .await;

    let [hit] = endpoint.hits().try_into().unwrap();
    assert_eq!(
        (hit.method.as_str(), hit.path.as_str()),
        ("PUT", "/a/b?c=%20d")
    );
    assert_eq!(
        hit.header_values("x-twice").collect::<Vec<_>>(),
        ["one", "two"]
    );
    assert_eq!(hit.header("content-length"), Some("11"));
    assert_eq!(hit.header("absent"), None);
    assert_eq!(hit.webhook_id(), "evt_1");
    assert_eq!(hit.body, br#"{"n": 1.10}"#);
    assert_eq!(hit.json()["n"], 1.1);
    assert!(hit.at >= before);
}

#[tokio::test]
async fn headers_and_a_body_can_be_answered() {
    let endpoint = Endpoint::start().await;
    let reply = Reply::with(
        503,
        &[("Retry-After", "7"), ("connection", "close")],
        "later",
    );
    endpoint.answer_with(reply);
    let client = Ingress::new(&endpoint.url(""));

    let answer = client.post_raw("/", &[], "").await;
    assert_eq!((answer.status, answer.text.as_str()), (503, "later"));
    assert_eq!(answer.header("retry-after"), Some("7"));
    assert!(asked(&endpoint).await.is_closed(AMPLE).await, "as it said");

    let head = client.request("HEAD", "/", &[], "").await;
    assert_eq!(
        (head.header("content-length"), head.text.as_str()),
        (Some("5"), "")
    );
}

#[tokio::test]
async fn an_answer_can_be_late() {
    let endpoint = Endpoint::start().await;
    endpoint.answer_with(Reply::Delay(SHORT, 202));
    let before = Instant::now();
    assert_eq!(statuses(&endpoint, "/", 1).await, [202]);
    assert!(before.elapsed() >= SHORT);
}

#[tokio::test]
async fn a_hanging_answer_never_comes_and_the_connection_stays() {
    let endpoint = Endpoint::start().await;
    endpoint.answer_with(Reply::Hang);
    let mut connection = asked(&endpoint).await;
    assert!(!connection.is_closed(SHORT).await);
    assert_eq!(connection.receive(SHORT).await, "");
    assert_eq!(endpoint.hits().len(), 1);
}

#[tokio::test]
async fn a_dripping_answer_never_ends() {
    let endpoint = Endpoint::start().await;
    endpoint.answer_with(Reply::Drip);
    let mut connection = asked(&endpoint).await;
    let first = connection.receive(SHORT).await;
    assert!(first.starts_with("HTTP/1.1 200 "), "{first}");
    let next = connection.receive(SHORT).await;
    assert!(next.contains("1\r\n.\r\n"), "{next}");
}

#[tokio::test]
async fn a_connection_can_be_closed_without_an_answer_or_with_none_that_is_http() {
    let endpoint = Endpoint::start().await;
    endpoint.answer_with([Reply::Close, Reply::Garbage]);

    let mut closed = asked(&endpoint).await;
    assert!(closed.is_closed(AMPLE).await);
    assert_eq!(closed.receive(SHORT).await, "");

    let mut garbage = asked(&endpoint).await;
    assert!(garbage.is_closed(AMPLE).await);
    assert!(garbage.receive(SHORT).await.contains("not HTTP"));
}

#[tokio::test]
async fn an_endpoint_comes_back_on_its_port() {
    let endpoint = Endpoint::start().await;
    let client = Ingress::new(&endpoint.url(""));
    client.post_raw("/", &[], "").await.expect(200);
    endpoint.stop();
    client.try_request("POST", "/", &[], "").await.unwrap_err();
    assert_eq!(endpoint.hits().len(), 1, "what was seen is kept");

    let back = Endpoint::start_on(endpoint.port()).await;
    client.post_raw("/", &[], "").await.expect(200);
    assert_eq!(back.hits().len(), 1);
}

#[tokio::test]
async fn stopping_cuts_the_connections_that_are_open() {
    let endpoint = Endpoint::start().await;
    endpoint.answer_with(Reply::Hang);
    let mut connection = asked(&endpoint).await;
    endpoint.wait_for(1, AMPLE).await;
    endpoint.stop();
    assert!(connection.is_closed(AMPLE).await);
}

#[tokio::test]
async fn it_waits_for_what_is_still_to_come() {
    let endpoint = Endpoint::start().await;
    let client = Ingress::new(&endpoint.url(""));
    let later = async {
        for n in 0..3 {
            tokio::time::sleep(Duration::from_millis(30)).await;
            client.post_json("/", serde_json::json!({"n": n})).await;
        }
    };
    let (hits, ()) = tokio::join!(endpoint.wait_for(2, AMPLE), later);
    assert!(hits.len() >= 2);
    let wanted = |hits: &[tidings_testkit::Hit]| hits.iter().any(|hit| hit.json()["n"] == 2);
    assert_eq!(endpoint.wait_until(wanted, AMPLE).await.len(), 3);
    assert_eq!(endpoint.take_hits().len(), 3);
    assert_eq!(endpoint.hits().len(), 0);
}

#[tokio::test]
#[should_panic(expected = "has 2 requests; last seen: 1 requests\n  POST /only webhook-id: -")]
async fn waiting_in_vain_shows_what_there_is() {
    let endpoint = Endpoint::start().await;
    statuses(&endpoint, "/only", 1).await;
    endpoint.wait_for(2, SHORT).await;
}

#[test]
fn it_answers_while_the_test_blocks() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let endpoint = runtime.block_on(Endpoint::start());
    let stream = std::net::TcpStream::connect(("127.0.0.1", endpoint.port())).unwrap();
    std::io::Write::write_all(&mut &stream, b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    std::io::Read::read_exact(&mut &stream, &mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

#[tokio::test]
async fn many_clients_at_once_lose_nothing() {
    const CLIENTS: usize = 64;
    const EACH: usize = 50;
    let endpoint = Endpoint::start().await;
    let client = Ingress::new(&endpoint.url(""));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let client = client.clone();
        clients.spawn(async move {
            for _ in 0..EACH {
                client.post_raw("/", &[], "{}").await.expect(200);
            }
        });
    }
    clients.join_all().await;
    assert_eq!(endpoint.hits().len(), CLIENTS * EACH);
    assert!(endpoint.connections() >= 1);
}

#[tokio::test]
async fn ten_thousand_requests_over_many_connections_are_kept_with_their_times() {
    const CONNECTIONS: usize = 150;
    const EACH: usize = 80;
    let endpoint = Endpoint::start().await;
    let before = Instant::now();
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let mut connection = asked(&endpoint).await;
        connections.spawn(async move {
            for _ in 1..EACH {
                assert!(connection.receive(AMPLE).await.starts_with("HTTP/1.1 200"));
                let request = "POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}";
                assert!(connection.send(request).await);
            }
        });
    }
    connections.join_all().await;

    let hits = endpoint.wait_for(CONNECTIONS * EACH, AMPLE).await;
    assert_eq!(hits.len(), CONNECTIONS * EACH);
    assert_eq!(endpoint.connections(), CONNECTIONS);
    assert!(hits.is_sorted_by_key(|hit| hit.at));
    assert!(hits[0].at >= before && hits[hits.len() - 1].at <= Instant::now());
}
