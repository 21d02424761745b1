use std::sync::{Arc, Mutex};

use tidings_egress::{Client, ClientOptions, FailureClass, Proxy, Resolver};
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;

use crate::server::{Server, read_request, until_closed};
use crate::tls::{secure_server, speaking, url};
use crate::{AMPLE, fail, policy, respond};

const HOST: &str = "hooks.example.com";

/// A proxy that connects, and keeps what it was asked.
async fn proxy() -> (Server, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = asked.clone();
    let server = Server::start(move |mut socket| {
        let kept = kept.clone();
        async move {
            let Some(request) = read_request(&mut socket).await else {
                return;
            };
            let to = request.split(' ').nth(1).unwrap().to_owned();
            kept.lock().unwrap().push(request);
            let Ok(mut endpoint) = TcpStream::connect(to).await else {
                let _ = socket.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await;
                return;
            };
            let _ = socket.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await;
            let _ = copy_bidirectional(&mut socket, &mut endpoint).await;
        }
    })
    .await;
    (server, asked)
}

fn client(proxy: &Server, networks: &[&str], options: ClientOptions) -> Client {
    let resolver = Resolver::answering(|_| vec!["127.0.0.1".parse().unwrap()]);
    let text = format!("http://us%3Aer:pass@{}", proxy.address);
    let options = ClientOptions {
        proxy: Some(Proxy::parse(&text).unwrap()),
        ..options
    };
    Client::new(policy(networks), resolver, options).unwrap()
}

#[tokio::test]
async fn a_proxy_is_told_the_address_that_was_judged_and_carries_http_and_https() {
    let (proxy, asked) = proxy().await;
    let identity = speaking(&[HOST], rustls::ALL_VERSIONS, &[]);
    let (plain, secure) = (Server::well().await, secure_server(identity.acceptor).await);
    let options = ClientOptions {
        extra_roots: vec![identity.certificate],
        ..ClientOptions::default()
    };
    let client = client(&proxy, &["127.0.0.1/32"], options);
    let plain_url = format!("http://{HOST}:{}/", plain.address.port());
    assert_eq!(respond(&client, &plain_url, AMPLE).await.status, 200);
    assert_eq!(
        respond(&client, &url(HOST, &secure), AMPLE).await.status,
        200
    );
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 2);
    for (request, endpoint) in asked.iter().zip([&plain, &secure]) {
        let first = format!("CONNECT {} HTTP/1.1\r\n", endpoint.address);
        assert!(request.starts_with(&first), "{request}");
        assert!(!request.contains(HOST), "{request}");
        // `us:er:pass`.
        assert!(
            request.contains("Proxy-Authorization: Basic dXM6ZXI6cGFzcw==\r\n"),
            "{request}"
        );
    }
}

#[tokio::test]
async fn a_proxy_opens_nothing_that_the_policy_forbids() {
    let (proxy, asked) = proxy().await;
    let endpoint = Server::well().await;
    let client = client(&proxy, &[], ClientOptions::default());
    for url in [endpoint.url(), format!("http://{HOST}/")] {
        let class = fail(&client, &url, AMPLE).await;
        assert_eq!(class, FailureClass::TargetNotAllowed);
    }
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_proxy_that_refuses_or_babbles_is_a_connection_that_did_not_come_about() {
    let networks = ["127.0.0.1/32"];
    for answer in [
        &b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        &[b'a'; 9_000],
        b"",
    ] {
        let proxy = Server::start(move |mut socket| async move {
            read_request(&mut socket).await;
            let _ = socket.write_all(answer).await;
            if !answer.is_empty() {
                until_closed(&mut socket).await;
            }
        })
        .await;
        let client = client(&proxy, &networks, ClientOptions::default());
        let class = fail(&client, &format!("http://{HOST}/"), AMPLE).await;
        assert_eq!(class, FailureClass::Connect);
    }
    let (proxy, _) = proxy().await;
    let client = client(&proxy, &networks, ClientOptions::default());
    let class = fail(&client, "http://127.0.0.1:1/", AMPLE).await;
    assert_eq!(class, FailureClass::Connect);
}
