use crate::{AMPLE, SHORT};
use tidings_testkit::{Endpoint, Ingress, Proxy, RawConnection, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const REQUEST: &str = "GET / HTTP/1.1\r\n\r\n";

/// An endpoint behind a proxy.
struct Scene {
    endpoint: Endpoint,
    proxy: Proxy,
}

impl Scene {
    async fn set() -> Self {
        let endpoint = Endpoint::start().await;
        let proxy = Proxy::start(&format!("127.0.0.1:{}", endpoint.port())).await;
        Self { endpoint, proxy }
    }

    async fn connect(&self) -> RawConnection {
        RawConnection::open(&self.proxy.address().to_string()).await
    }

    async fn is_refused(&self) -> bool {
        TcpStream::connect(self.proxy.address()).await.is_err()
    }
}

async fn is_answered(connection: &mut RawConnection) -> bool {
    connection.send(REQUEST).await && connection.receive(AMPLE).await.starts_with("HTTP/1.1 200 ")
}

#[tokio::test]
async fn what_is_said_through_a_proxy_arrives() {
    let scene = Scene::set().await;
    let url = scene.proxy.url(&scene.endpoint.url("/a?b=c"));
    let body = vec![b'x'; 1 << 20];
    let client = Ingress::new(&url.replace("/a?b=c", ""));
    client.post_raw("/a?b=c", &[], body).await.expect(200);
    let [hit] = scene.endpoint.hits().try_into().unwrap();
    assert_eq!((hit.path.as_str(), hit.body.len()), ("/a?b=c", 1 << 20));
    assert_eq!(scene.proxy.connections(), 1);
}

#[tokio::test]
async fn one_side_may_be_done_before_the_other() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::start(&listener.local_addr().unwrap().to_string()).await;
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();

    let (mut server, _) = listener.accept().await.unwrap();
    let mut heard = String::new();
    server.read_to_string(&mut heard).await.unwrap();
    server.write_all(b"answer").await.unwrap();
    drop(server);

    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!((heard.as_str(), answer.as_str()), ("question", "answer"));
}

#[tokio::test]
async fn a_cut_closes_connections_and_refuses_new_ones_until_it_is_healed() {
    let scene = Scene::set().await;
    let mut connection = scene.connect().await;
    assert!(is_answered(&mut connection).await);

    scene.proxy.cut();
    assert!(connection.is_closed(AMPLE).await);
    assert!(scene.is_refused().await);
    scene.proxy.cut();
    assert!(scene.is_refused().await);

    scene.proxy.heal().await;
    assert!(is_answered(&mut scene.connect().await).await);
    assert_eq!(scene.proxy.connections(), 2);
}

#[tokio::test]
async fn nothing_passes_a_frozen_proxy_and_all_of_it_arrives_when_it_is_healed() {
    let scene = Scene::set().await;
    let mut old = scene.connect().await;
    assert!(is_answered(&mut old).await);

    scene.proxy.freeze();
    let mut new = scene.connect().await;
    for connection in [&mut old, &mut new] {
        assert!(connection.send(REQUEST).await);
        assert!(!connection.is_closed(SHORT).await);
        assert_eq!(connection.receive(SHORT).await, "");
    }
    assert_eq!(scene.endpoint.hits().len(), 1);

    scene.proxy.heal().await;
    for connection in [&mut old, &mut new] {
        let answer = connection.receive(AMPLE).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    assert_eq!(scene.endpoint.hits().len(), 3);
}

#[tokio::test]
async fn a_frozen_proxy_can_be_cut() {
    let scene = Scene::set().await;
    scene.proxy.freeze();
    let mut connection = scene.connect().await;
    scene.proxy.cut();
    assert!(connection.is_closed(AMPLE).await);
    scene.proxy.heal().await;
    assert!(is_answered(&mut scene.connect().await).await);
}

#[tokio::test]
async fn a_server_that_is_away_is_a_closed_connection() {
    let scene = Scene::set().await;
    scene.endpoint.stop();
    assert!(scene.connect().await.is_closed(AMPLE).await);
}

#[tokio::test]
async fn everything_ends_with_the_proxy() {
    let Scene { endpoint, proxy } = Scene::set().await;
    let address = proxy.address();
    let mut connection = RawConnection::open(&address.to_string()).await;
    assert!(is_answered(&mut connection).await);
    drop(proxy);
    assert!(connection.is_closed(AMPLE).await);
    TcpStream::connect(address).await.unwrap_err();
    assert_eq!(endpoint.connections(), 1);
}

#[tokio::test]
async fn many_connections_are_carried_and_counted() {
    const CONNECTIONS: usize = 50;
    let scene = Scene::set().await;
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let mut connection = scene.connect().await;
        connections.spawn(async move { is_answered(&mut connection).await });
    }
    assert!(
        connections
            .join_all()
            .await
            .iter()
            .all(|answered| *answered)
    );
    assert_eq!(scene.proxy.connections(), CONNECTIONS);
    eventually("all are seen", AMPLE, async || {
        (scene.endpoint.connections() == CONNECTIONS).then_some(())
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "is not in amqp://elsewhere:1")]
async fn a_url_of_something_else_is_not_taken_for_one_of_the_target() {
    Scene::set().await.proxy.url("amqp://elsewhere:1");
}
