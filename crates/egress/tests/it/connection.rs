use std::net::SocketAddr;

use tidings_egress::{Client, ClientOptions, FailureClass, Request, Resolver};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::server::{Server, read_request};
use crate::{AMPLE, SHORT, fail, local_client, no_names, policy, respond};

#[tokio::test]
async fn a_connection_is_used_again() {
    let server = Server::well().await;
    let client = local_client();
    for _ in 0..5 {
        assert_eq!(
            respond(&client.clone(), &server.url(), AMPLE).await.status,
            200
        );
    }
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn connections_made_at_once_are_all_kept() {
    let server = Server::well().await;
    let client = local_client();
    let mut at_once = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (client, url) = (client.clone(), server.url());
        at_once.spawn(async move { respond(&client, &url, AMPLE).await.status });
    }
    assert_eq!(at_once.join_all().await, [200; 8]);
    let made = server.accepted();
    for _ in 0..8 {
        respond(&client, &server.url(), AMPLE).await;
    }
    assert_eq!(server.accepted(), made);
}

#[tokio::test]
async fn a_connection_cut_for_its_long_body_is_not_used_again() {
    let server = Server::start(|mut socket| async move {
        while read_request(&mut socket).await.is_some() {
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 20000\r\n\r\n";
            let _ = socket.write_all(head).await;
            let _ = socket.write_all(&vec![b'x'; 20_000]).await;
        }
    })
    .await;
    let client = local_client();
    for _ in 0..2 {
        assert!(respond(&client, &server.url(), AMPLE).await.truncated);
    }
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn a_kept_connection_that_the_endpoint_closed_is_replaced() {
    let server = Server::start(|mut socket| async move {
        read_request(&mut socket).await;
        let _ = socket
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .await;
    })
    .await;
    let client = local_client();
    for _ in 0..5 {
        assert_eq!(respond(&client, &server.url(), AMPLE).await.status, 200);
        // The end of the connection is on its way when the answer is read.
        tokio::time::sleep(SHORT / 10).await;
    }
    assert_eq!(server.accepted(), 5);
}

#[tokio::test]
async fn a_request_that_reached_a_closing_connection_is_not_sent_again() {
    let server = Server::start(|mut socket| async move {
        read_request(&mut socket).await;
        let _ = socket
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .await;
        read_request(&mut socket).await;
    })
    .await;
    let client = local_client();
    respond(&client, &server.url(), AMPLE).await;
    assert_eq!(
        fail(&client, &server.url(), AMPLE).await,
        FailureClass::Reset
    );
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn a_connection_is_not_kept_longer_than_set() {
    let server = Server::well().await;
    let options = ClientOptions {
        idle_timeout: SHORT / 10,
        ..ClientOptions::default()
    };
    let client = Client::new(policy(&["127.0.0.1/32"]), no_names(), options).unwrap();
    respond(&client, &server.url(), AMPLE).await;
    tokio::time::sleep(SHORT / 2).await;
    respond(&client, &server.url(), AMPLE).await;
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn a_closed_port_is_a_connect_failure_that_names_the_host() {
    let address = closed_port().await;
    let resolver = Resolver::answering(move |_| vec![address.ip()]);
    let client = Client::new(
        policy(&["127.0.0.1/32"]),
        resolver,
        ClientOptions::default(),
    )
    .unwrap();
    let url = format!(
        "http://hooks.example.com:{}/path?token=secret",
        address.port()
    );
    let failure = client
        .send(Request::post(url, ""), AMPLE)
        .await
        .result
        .unwrap_err();
    assert_eq!(failure.class, FailureClass::Connect);
    assert!(failure.detail.contains("hooks.example.com"), "{failure}");
    for private in ["127.0.0.1", "path", "token", "secret"] {
        assert!(!failure.detail.contains(private), "{failure}");
    }
}

#[tokio::test]
async fn a_dial_nobody_accepts_ends_at_the_deadline() {
    let listener = tokio::net::TcpSocket::new_v4().unwrap();
    listener.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = listener.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..8 {
        waiting.spawn(TcpStream::connect(address));
    }
    tokio::time::sleep(SHORT / 3).await;
    let class = fail(&local_client(), &format!("http://{address}/"), SHORT).await;
    assert_eq!(class, FailureClass::Timeout);
}

/// An address on which nothing listens.
async fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
}
