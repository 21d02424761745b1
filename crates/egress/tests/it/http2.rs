use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use testkit::Hostile;
use testkit::hostile::http2::{end, head, ping, settings, wide_windows};
use testkit::hostile::{Behaviour, Step};
use tidings_egress::{Client, ClientOptions, FailureClass, Request};

use crate::server::Server;
use crate::tls::{client, secure_server, speaking, url};
use crate::{AMPLE, SHORT, fail, no_names, policy, respond};

const HOST: &str = "hooks.example.com";

/// Answers `/slow` never, `/long` with 64 KiB, and everything else with what it was sent.
async fn answer(
    request: hyper::Request<Incoming>,
    seen: Arc<AtomicUsize>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    seen.fetch_add(1, Ordering::SeqCst);
    assert_eq!(request.version(), hyper::Version::HTTP_2);
    let body = match request.uri().path() {
        "/slow" => std::future::pending().await,
        "/long" => Bytes::from(vec![b'a'; 64 * 1024]),
        _ => request.into_body().collect().await.unwrap().to_bytes(),
    };
    Ok(hyper::Response::new(Full::new(body)))
}

/// An endpoint over HTTP/2, a client that trusts it, and how many requests it has seen.
async fn endpoint() -> (Server, Client, Arc<AtomicUsize>) {
    let identity = speaking(&[HOST], rustls::ALL_VERSIONS, &["h2", "http/1.1"]);
    let (acceptor, seen) = (identity.acceptor, Arc::new(AtomicUsize::new(0)));
    let count = seen.clone();
    let server = Server::start(move |socket| {
        let (acceptor, count) = (acceptor.clone(), count.clone());
        async move {
            let socket = acceptor.accept(socket).await.unwrap();
            let service = service_fn(move |request| answer(request, count.clone()));
            let serving = http2::Builder::new(TokioExecutor::new());
            let _ = serving
                .serve_connection(TokioIo::new(socket), service)
                .await;
        }
    })
    .await;
    (server, client(vec![identity.certificate]), seen)
}

#[tokio::test]
async fn who_speaks_http_2_gets_many_requests_over_one_connection() {
    let (server, client, seen) = endpoint().await;
    respond(&client, &url(HOST, &server), AMPLE).await;
    let requests = (0..50).map(|number| {
        let request = Request::post(url(HOST, &server), number.to_string());
        client.send(request, AMPLE)
    });
    for (number, attempted) in join_all(requests).await.into_iter().enumerate() {
        let response = attempted.result.unwrap();
        assert_eq!(
            (response.status, &response.body[..]),
            (200, number.to_string().as_bytes())
        );
        assert_eq!(attempted.timing.connect, None, "it was there before");
        assert!(attempted.timing.first_byte.is_some());
    }
    assert_eq!((server.accepted(), seen.load(Ordering::SeqCst)), (1, 51));
}

#[tokio::test]
async fn an_attempt_that_ends_over_http_2_leaves_the_others_alone() {
    let (server, client, _) = endpoint().await;
    respond(&client, &url(HOST, &server), AMPLE).await;
    let slow = format!("{}slow", url(HOST, &server));
    let long = format!("{}long", url(HOST, &server));
    let other = Request::post(url(HOST, &server), vec![b'b'; 16 * 1024]);
    let (late, cut, other) = tokio::join!(
        fail(&client, &slow, SHORT),
        respond(&client, &long, AMPLE),
        client.send(other, AMPLE)
    );
    assert_eq!(late, FailureClass::Timeout);
    assert!(cut.truncated && cut.body.len() == 16 * 1024);
    assert_eq!(other.result.unwrap().body.len(), 16 * 1024);
    respond(&client, &url(HOST, &server), AMPLE).await;
    assert_eq!(server.accepted(), 1, "the connection went on");
}

#[tokio::test]
async fn a_connection_over_http_2_that_is_lost_is_a_reset_and_is_made_anew() {
    let identity = speaking(&[HOST], rustls::ALL_VERSIONS, &["h2"]);
    let acceptor = identity.acceptor;
    let server = Server::start(move |socket| {
        let acceptor = acceptor.clone();
        async move {
            let socket = acceptor.accept(socket).await.unwrap();
            let lose = service_fn(|_: hyper::Request<Incoming>| async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Err::<hyper::Response<Full<Bytes>>, _>(std::io::Error::other("lost"))
            });
            let serving = http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(socket), lose);
            let _ = tokio::time::timeout(Duration::from_millis(100), serving).await;
        }
    })
    .await;
    let client = client(vec![identity.certificate]);
    for _ in 0..2 {
        let class = fail(&client, &url(HOST, &server), AMPLE).await;
        assert_eq!(class, FailureClass::Reset);
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn who_speaks_only_http_1_1_is_spoken_to_in_it() {
    let identity = speaking(&[HOST], rustls::ALL_VERSIONS, &["http/1.1"]);
    let server = secure_server(identity.acceptor).await;
    let client = client(vec![identity.certificate]);
    assert_eq!(
        respond(&client, &url(HOST, &server), AMPLE).await.status,
        200
    );
}

#[tokio::test]
async fn who_agrees_on_http_2_and_does_not_speak_it_is_no_http() {
    let identity = speaking(&[HOST], rustls::ALL_VERSIONS, &["h2"]);
    let server = secure_server(identity.acceptor).await;
    let client = client(vec![identity.certificate]);
    let class = fail(&client, &url(HOST, &server), AMPLE).await;
    let is_expected = matches!(class, FailureClass::InvalidResponse | FailureClass::Reset);
    assert!(is_expected, "{class}");
}

/// It lets everything be sent and reads nothing: what is sent fills every buffer, and the end of the
/// connection cannot be said any more.
#[tokio::test]
async fn a_connection_over_http_2_that_takes_nothing_any_more_is_closed() {
    const SENT: usize = 1 << 20;
    let answer = [wide_windows(), head("200", &[]), end()].concat();
    let steps = [Step::ReadHttp2, Step::Say(answer), Step::Ignore];
    let greedy = Behaviour::of(steps).over_http2();
    let hostile = Hostile::start([("greedy", greedy)]).await;
    let client = impatient(&hostile);
    let url = hostile.url("greedy");
    assert_eq!(respond(&client, &url, AMPLE).await.status, 200);
    let requests = (0..40).map(|_| {
        let request = Request::post(url.clone(), vec![b'x'; SENT]);
        client.send(request, SHORT)
    });
    for attempted in join_all(requests).await {
        assert_eq!(attempted.result.unwrap_err().class, FailureClass::Timeout);
    }
    let met = hostile.seen("greedy").met;
    assert_eq!(met, 1, "all of them went the same way");
    hostile.until_left_alone(AMPLE).await;
}

/// It asks and asks, and reads none of the answers.
#[tokio::test]
async fn a_connection_over_http_2_that_asks_without_an_end_is_closed() {
    let asking = |frame: Vec<u8>| {
        let asks = Step::Endless(frame.repeat(1_024));
        let steps = [Step::ReadHttp2, Step::Say(settings()), asks];
        Behaviour::of(steps).over_http2()
    };
    let hostile = Hostile::start([("pings", asking(ping())), ("settings", asking(settings()))]);
    let hostile = hostile.await;
    let client = impatient(&hostile);
    for name in ["pings", "settings"] {
        let class = fail(&client, &hostile.url(name), SHORT).await;
        assert_eq!(class, FailureClass::Timeout, "{name}");
    }
    hostile.until_left_alone(AMPLE).await;
}

/// A client that does not wait for long until a connection takes what it is sent.
fn impatient(hostile: &Hostile) -> Client {
    let options = ClientOptions {
        extra_roots: vec![hostile.root()],
        stall_timeout: SHORT * 3,
        ..ClientOptions::default()
    };
    Client::new(policy(&["127.0.0.1/32"]), no_names(), options).unwrap()
}
