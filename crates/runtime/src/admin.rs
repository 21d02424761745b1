//! The admin listener: for probes and Prometheus, never for the public.

use crate::http::{self, Connections, Cors, Listener, Serving};
use crate::{Error, Readiness, Shutdown, Step};
use actix_web::http::Method;
use actix_web::http::header::ContentType;
use actix_web::{Handler, HttpResponse, Resource, Responder, web};
use std::net::SocketAddr;
use telemetry::{Metrics, metrics};

const MAX_CONNECTIONS: usize = 256;
const METHODS: [Method; 2] = [Method::GET, Method::HEAD];

/// Serves `/livez` (200 while the process answers), `/readyz` (200 or 503, a [`Snapshot`](crate::Snapshot) as
/// JSON) and `/metrics` at `address`, until the process stops: a draining process is still watched.
///
/// # Errors
/// [`Error::Bind`] when the address is not free.
pub fn serve(
    address: SocketAddr,
    shutdown: &Shutdown,
    readiness: Readiness,
    metrics: Metrics,
) -> Result<Serving, Error> {
    let listener = Listener {
        name: "admin",
        address,
        workers: 1,
        connections: Connections::up_to(MAX_CONNECTIONS),
        closes_at: Step::Stopped,
        tells_path: true,
        aliases: &[],
        cors: Cors::default(),
    };
    http::serve(listener, shutdown, move |routes| {
        let readiness = readiness.clone();
        let metrics = metrics.clone();
        routes
            .service(page("/livez", || async { text("ok\n") }))
            .service(page("/readyz", move || {
                let snapshot = readiness.snapshot();
                async move {
                    let mut answer = if snapshot.ready {
                        HttpResponse::Ok()
                    } else {
                        HttpResponse::ServiceUnavailable()
                    };
                    answer.json(snapshot)
                }
            }))
            .service(page("/metrics", move || {
                let text = metrics.render();
                async move {
                    HttpResponse::Ok()
                        .content_type(metrics::CONTENT_TYPE)
                        .body(text)
                }
            }));
    })
}

fn text(body: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::plaintext())
        .body(body)
}

fn page<F>(path: &str, handler: F) -> Resource
where
    F: Handler<()> + Clone,
    F::Output: Responder + 'static,
{
    web::resource(path)
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
        .default_service(http::only(&METHODS))
}
