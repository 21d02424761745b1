use crate::server::{Server, any_port};
use actix_web::http::Method;
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, body::BoxBody, dev::ServiceRequest};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tidings_runtime::http::{Code, Connections, Cors, Listener, Problem, RequestId, only, serve};
use tidings_runtime::{Error, Shutdown, Step};

fn routes(routes: &mut ServiceConfig) {
    routes
        .service(
            web::resource("/things")
                .route(web::get().to(|| async { "all of them" }))
                .default_service(only(&[Method::GET])),
        )
        .service(web::resource("/bare").route(web::get().to(|| async { "ok" })))
        .route(
            "/id",
            web::get().to(|id: RequestId| async move { id.as_str().to_owned() }),
        )
        .route("/broken", web::get().to(broken))
        .route(
            "/number/{n}",
            web::get().to(|n: web::Path<u8>| async move { n.to_string() }),
        )
        .route(
            "/full",
            web::get().to(|| async { Problem::new(Code::Unavailable, "full") }),
        )
        .route(
            "/json",
            web::get().to(|| async { HttpResponse::BadGateway().json(json!({"a": 1})) }),
        )
        .route("/slow", web::get().to(slow))
        .route(
            "/hanging",
            web::get().to(std::future::pending::<HttpResponse>),
        )
        .service(
            web::scope("/locked")
                .wrap(from_fn(locked))
                .route("", web::get().to(|| async { "never" })),
        );
}

async fn broken() -> HttpResponse {
    panic!("a bug")
}

async fn slow() -> &'static str {
    tokio::time::sleep(Duration::from_millis(500)).await;
    "finished"
}

async fn locked(
    _: ServiceRequest,
    _: Next<BoxBody>,
) -> Result<actix_web::dev::ServiceResponse<BoxBody>, actix_web::Error> {
    Err(Problem::new(Code::Unauthorized, "no key")
        .challenge("Bearer")
        .into())
}

fn header(response: &Response, name: &str) -> String {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap().to_owned())
        .unwrap_or_default()
}

/// Checks what every problem has, and returns its body.
async fn problem(response: Response, status: u16, code: &str) -> Value {
    assert_eq!(response.status(), status);
    assert_eq!(
        header(&response, "content-type"),
        "application/problem+json"
    );
    assert!(!header(&response, "x-request-id").is_empty());
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["status"], status);
    assert_eq!(body["code"], code);
    assert_eq!(body["type"], format!("urn:tidings:problem:{code}"));
    assert!(body["errors"].is_array());
    body
}

#[tokio::test]
async fn an_unknown_route_is_a_404_problem_that_tells_its_path() {
    let server = Server::start(routes);
    let body = problem(server.get("/nowhere?secret=1").await, 404, "not_found").await;
    assert_eq!(body["instance"], "/nowhere");
    assert_eq!(body["title"], "Not found");
}

#[tokio::test]
async fn a_listener_whose_paths_hold_secrets_does_not_tell_them() {
    let server = Server::start_as(false, routes);
    for (path, status, code) in [
        ("/v1/callbacks/token", 404, "not_found"),
        ("/locked", 401, "unauthorized"),
    ] {
        let body = problem(server.get(path).await, status, code).await;
        assert!(body.get("instance").is_none(), "{body}");
    }
}

#[tokio::test]
async fn another_method_is_a_405_that_names_the_methods_there_are() {
    let server = Server::start(routes);
    let response = server
        .client
        .delete(server.url("/things"))
        .send()
        .await
        .unwrap();
    assert_eq!(header(&response, "allow"), "GET");
    problem(response, 405, "method_not_allowed").await;
    let response = server
        .client
        .post(server.url("/bare"))
        .send()
        .await
        .unwrap();
    problem(response, 405, "method_not_allowed").await;
}

#[tokio::test]
async fn a_valid_request_id_is_echoed_and_another_replaced() {
    let server = Server::start(routes);
    let ask = async |path: &str, id: &str| {
        let request = server
            .client
            .get(server.url(path))
            .header("x-request-id", id);
        request.send().await.unwrap()
    };
    for path in [
        "/things",
        "/nowhere",
        "/locked",
        "/full",
        "/number/x",
        "/broken",
    ] {
        assert_eq!(
            header(&ask(path, "req:1.A_b-2").await, "x-request-id"),
            "req:1.A_b-2",
            "{path}"
        );
    }
    for invalid in ["", "a b", "<script>", &"x".repeat(129)] {
        let fresh = header(&ask("/things", invalid).await, "x-request-id");
        assert_eq!(fresh.len(), 32, "{invalid:?} became {fresh:?}");
        assert!(fresh.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
    let (one, other) = (server.get("/id").await, server.get("/id").await);
    assert_ne!(header(&one, "x-request-id"), header(&other, "x-request-id"));
    assert_eq!(header(&one, "x-request-id"), one.text().await.unwrap());
}

#[tokio::test]
async fn whoever_refuses_a_request_the_answer_is_a_problem() {
    let server = Server::start(routes);
    let response = server.get("/locked").await;
    assert_eq!(header(&response, "www-authenticate"), "Bearer");
    let body = problem(response, 401, "unauthorized").await;
    assert_eq!(
        (body["detail"].as_str(), body["instance"].as_str()),
        (Some("no key"), Some("/locked"))
    );

    let response = server.get("/full").await;
    assert_eq!(header(&response, "retry-after"), "5");
    problem(response, 503, "unavailable").await;

    problem(server.get("/number/many").await, 404, "not_found").await;
    let body = problem(server.get("/broken").await, 500, "internal_error").await;
    assert_eq!(body["instance"], "/broken");
    assert_eq!(
        server.get("/things").await.text().await.unwrap(),
        "all of them"
    );

    let response = server.get("/json").await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(response.json::<Value>().await.unwrap(), json!({"a": 1}));
}

#[tokio::test]
async fn a_head_that_is_too_large_is_a_431() {
    let server = Server::start(routes);
    let many = (0..120).fold(String::new(), |heads, n| format!("{heads}x-{n}: 1\r\n"));
    let large = format!("x-large: {}\r\n", "a".repeat(140_000));
    for heads in [many, large] {
        let address = server.address;
        let answer = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            // The server may answer and close before it has read everything.
            let _ = write!(stream, "GET /things HTTP/1.1\r\nhost: a\r\n{heads}\r\n");
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).unwrap();
            String::from_utf8(answer.to_vec()).unwrap()
        });
        assert_eq!(answer.await.unwrap(), "HTTP/1.1 431");
    }
}

#[tokio::test]
async fn draining_lets_a_request_finish_closes_idle_connections_and_takes_no_more() {
    let server = Server::start(routes);
    // Stays open in the client's pool, idle.
    server.get("/things").await.text().await.unwrap();
    let drain = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.shutdown.drain();
    };
    let (slow, ()) = tokio::join!(server.get("/slow"), drain);
    assert_eq!(slow.text().await.unwrap(), "finished");
    assert!(server.joined_within(Duration::from_secs(10)).await);
    assert!(TcpStream::connect(server.address).is_err());
}

#[tokio::test]
async fn stopping_gives_up_a_request_that_hangs() {
    let server = Server::start(routes);
    let started = Instant::now();
    let stop = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.shutdown.drain();
        server.shutdown.stop();
        server.joined_within(Duration::from_secs(10)).await
    };
    let (hanging, is_joined) = tokio::join!(server.client.get(server.url("/hanging")).send(), stop);
    assert!(is_joined && hanging.is_err());
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn an_address_in_use_is_refused_with_its_name() {
    let server = Server::start(routes);
    let listener = Listener {
        name: "ingress",
        address: server.address,
        workers: 1,
        connections: Connections::up_to(1),
        closes_at: Step::Draining,
        tells_path: false,
        aliases: &[],
        cors: Cors::default(),
    };
    let error = serve(listener, &Shutdown::new(), routes).unwrap_err();
    assert!(matches!(error, Error::Bind { .. }));
    let text = error.to_string();
    assert!(
        text.contains("ingress") && text.contains(&server.address.to_string()),
        "{text}"
    );
    assert_ne!(any_port(), server.address);
}
