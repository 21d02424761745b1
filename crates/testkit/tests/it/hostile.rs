use crate::AMPLE;
use tidings_testkit::Hostile;
use tidings_testkit::hostile::{Behaviour, Step};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn start() -> Hostile {
    let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let endless = [
        Step::Read,
        Step::Say(head),
        Step::Endless(vec![b'x'; 1 << 10]),
    ];
    let asked = [Step::Read, Step::SayAsAsked];
    Hostile::start([
        ("well", Behaviour::well()),
        ("closes", Behaviour::of([Step::Read])),
        ("resets", Behaviour::of([Step::Reset])),
        ("silent", Behaviour::of([Step::Ignore])),
        ("endless", Behaviour::of(endless)),
        ("asked", Behaviour::of(asked)),
    ])
    .await
}

async fn ask(stream: &mut TcpStream, name: &str, body: &str) {
    let length = body.len();
    let request = format!("POST /{name}?a HTTP/1.1\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn each_request_meets_the_behaviour_of_its_path() {
    let hostile = start().await;
    assert!(hostile.url("well").starts_with("http://well.localhost:"));
    let mut stream = TcpStream::connect(hostile.address()).await.unwrap();
    let mut answer = [0; 40];
    for _ in 0..2 {
        ask(&mut stream, "well", "hello").await;
        stream.read_exact(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
    ask(&mut stream, "closes", "").await;
    assert_eq!(stream.read(&mut answer).await.unwrap(), 0);
    let seen = hostile.seen("well");
    assert_eq!((seen.met, seen.written, seen.hits.len()), (2, 80, 2));
    assert_eq!(seen.hits[0].body, b"hello");
    let mut stream = TcpStream::connect(hostile.address()).await.unwrap();
    ask(&mut stream, "asked", r#"{"data":{"say":"what it wants"}}"#).await;
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "what it wants");
    let mut stream = TcpStream::connect(hostile.address()).await.unwrap();
    ask(&mut stream, "resets", "").await;
    let error = stream.read(&mut answer).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn who_goes_on_is_counted_until_the_other_side_has_left() {
    let hostile = start().await;
    for name in ["silent", "endless"] {
        let mut stream = TcpStream::connect(hostile.address()).await.unwrap();
        ask(&mut stream, name, "").await;
        let what = format!("{name} is met");
        tidings_testkit::eventually(&what, AMPLE, async || {
            (hostile.seen(name).open == 1).then_some(())
        })
        .await;
        drop(stream);
        hostile.until_left_alone(AMPLE).await;
    }
    assert!(hostile.seen("endless").written > 0);
}
