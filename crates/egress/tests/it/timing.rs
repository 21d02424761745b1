use std::time::Duration;

use tidings_egress::{Attempted, Client, Request};
use tokio::io::AsyncWriteExt;

use crate::server::{Server, read_request};
use crate::tls::{client, secure_server, speaking, url};
use crate::{AMPLE, SHORT, local_client};

const HOST: &str = "hooks.example.com";

async fn send(client: &Client, url: String, timeout: Duration) -> Attempted {
    client.send(Request::post(url, "{}"), timeout).await
}

#[tokio::test]
async fn the_first_attempt_has_every_part_and_those_on_its_connection_the_answer_alone() {
    let identity = speaking(&[HOST], rustls::ALL_VERSIONS, &[]);
    let server = secure_server(identity.acceptor).await;
    let client = client(vec![identity.certificate]);
    let first = send(&client, url(HOST, &server), AMPLE).await;
    let parts = first.timing;
    let all = [parts.dns, parts.connect, parts.tls, parts.first_byte];
    let sum: Duration = all.iter().map(|part| part.unwrap()).sum();
    assert!(sum <= first.duration, "{first:?}");
    let second = send(&client, url(HOST, &server), AMPLE).await.timing;
    assert_eq!((second.dns, second.connect, second.tls), (None, None, None));
    assert!(second.first_byte.is_some());
}

#[tokio::test]
async fn a_part_takes_as_long_as_it_takes() {
    let wait = Duration::from_millis(80);
    let server = Server::start(move |mut socket| async move {
        read_request(&mut socket).await;
        tokio::time::sleep(wait).await;
        let _ = socket
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
            .await;
        tokio::time::sleep(wait).await;
        let _ = socket.write_all(b"ok").await;
    })
    .await;
    let attempted = send(&local_client(), server.url(), AMPLE).await;
    let first_byte = attempted.timing.first_byte.unwrap();
    assert!(first_byte >= wait, "{attempted:?}");
    assert!(attempted.duration >= first_byte + wait, "{attempted:?}");
    assert_eq!(attempted.timing.tls, None);
}

#[tokio::test]
async fn a_part_that_did_not_end_has_no_time() {
    let server = Server::start(|socket| async move {
        tokio::time::sleep(AMPLE).await;
        drop(socket);
    })
    .await;
    let silent = send(&local_client(), server.url(), SHORT).await;
    assert!(silent.result.is_err());
    assert!(silent.timing.connect.is_some(), "{silent:?}");
    assert_eq!(silent.timing.first_byte, None);
    let secure = format!("https://{}/", server.address);
    let no_tls = send(&local_client(), secure, SHORT).await;
    assert!(no_tls.timing.connect.is_some(), "{no_tls:?}");
    assert_eq!(no_tls.timing.tls, None);
    let unknown = send(&local_client(), "http://nobody.example/".to_owned(), AMPLE).await;
    assert_eq!(unknown.timing, tidings_egress::Timing::default());
}
