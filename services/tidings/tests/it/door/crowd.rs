//! Many connections at once: one source has its share, and everybody else is served.

use super::*;
use crate::distributed::PROGRAM;
use futures_util::future::join_all;
use std::net::SocketAddr;
use std::time::Instant;
use testkit::{ADMIN_KEY, Api, Process, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

/// Slow sockets, from one address.
const CROWD: usize = 5_000;
const PER_SOURCE: usize = 512;
/// Others, from another address of this machine.
const GOOD: usize = 200;

/// Connects from an address of this machine.
async fn connect_from(from: &str, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(format!("{from}:0").parse().unwrap())?;
    timeout(SOON, socket.connect(to)).await?
}

/// Sends the beginning of a request, and then nothing for long; whether it was closed at once.
async fn dawdle(to: SocketAddr) -> Option<TcpStream> {
    let mut stream = connect_from("127.0.0.3", to).await.ok()?;
    stream.write_all(b"POST /v1/callbacks/").await.ok()?;
    Some(stream)
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    matches!(
        timeout(Duration::from_millis(1), stream.read(&mut byte)).await,
        Ok(Ok(0) | Err(_))
    )
}

/// Posts a report over a connection of its own; how long that took.
async fn post_from(from: &str, to: SocketAddr, body: &str) -> Duration {
    let begun = Instant::now();
    let mut stream = connect_from(from, to).await.unwrap();
    let request = format!(
        "POST {CLINIC} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(SOON * 4, stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    begun.elapsed()
}

async fn clinic_of(process: &Process) {
    let operator = Api::new(&process.api_url(), ADMIN_KEY);
    let made = operator.post("/v1/tenants", json!({ "name": "A" })).await;
    let tenant = operator.with_key(made.expect(201)["api_key"].as_str().unwrap());
    let account = json!({ "provider": "stub", "slug": "clinic", "auth": from_here() });
    let made = tenant.post("/v1/provider-accounts", account).await;
    made.expect(201);
}

fn address(url: &str) -> SocketAddr {
    url.strip_prefix("http://").unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_slow_sockets_of_one_source_cost_the_others_nothing() {
    assert!(runtime::raise_open_files() >= 6_000, "raise ulimit -Hn");
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(PROGRAM, directory.path(), &[]).await;
    clinic_of(&process).await;
    let to = address(&process.ingress_url());
    let mut crowd = Vec::with_capacity(CROWD);
    for _ in 0..CROWD / 100 {
        crowd.extend(join_all((0..100).map(|_| dawdle(to))).await);
    }
    let mut took = Vec::with_capacity(GOOD);
    for number in 0..GOOD {
        took.push(post_from("127.0.0.2", to, &delivered(&format!("m-{number}"))).await);
    }
    let admin = Api::anonymous(&process.admin_url());
    admin.get("/livez").await.expect(200);
    took.sort_unstable();
    let p99 = took[GOOD * 99 / 100];
    assert!(p99 < Duration::from_secs(1), "{p99:?}");
    let metrics = admin.get("/metrics").await.text;
    let refused = metrics
        .lines()
        .find_map(|line| {
            line.strip_prefix("tidings_connections_refused_total{listener=\"ingress\"} ")
        })
        .unwrap()
        .parse::<usize>()
        .unwrap();
    assert!(refused >= CROWD / 2, "{refused} were closed at once");
    let mut open = 0;
    for stream in crowd.iter_mut().flatten() {
        open += usize::from(!is_closed(stream).await);
    }
    assert!(open <= PER_SOURCE, "{open} are open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_no_connection_left_the_health_port_answers_and_the_slow_ones_make_room() {
    let directory = tempfile::tempdir().unwrap();
    let few = [("TIDINGS_INGRESS__MAX_CONNECTIONS", "16")];
    let process = Process::start(PROGRAM, directory.path(), &few).await;
    clinic_of(&process).await;
    let to = address(&process.ingress_url());
    let slow = join_all((0..64).map(|_| dawdle(to))).await;
    let admin = Api::anonymous(&process.admin_url());
    for path in ["/livez", "/readyz", "/metrics"] {
        admin.get(path).await.expect(200);
    }
    // Heads have 5 s: whoever waits behind four rounds of them is served.
    let report = delivered("m-1");
    let waited = timeout(SOON * 4, post_from("127.0.0.2", to, &report));
    waited.await.unwrap();
    drop(slow);
    eventually("it serves at once again", SOON, async || {
        let took = post_from("127.0.0.2", to, &delivered("m-2")).await;
        sleep(Duration::from_millis(50)).await;
        (took < Duration::from_secs(1)).then_some(())
    })
    .await;
}
