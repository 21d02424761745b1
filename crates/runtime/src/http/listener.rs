//! A listener: bound at once, run by whoever owns its task.

use super::alias::Alias;
use super::answer::Answers;
use super::connections::{Connections, Counted};
use super::cors::Cors;
use super::not_found;
use crate::{Error, Shutdown, Step};
use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpServer};
use futures_util::future::BoxFuture;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// For the head of the first request of a connection. A body's deadline is its reader's.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// How long requests may take to finish once the listener closes.
const CLOSE_WITHIN_SECONDS: u64 = 20;

/// How to listen.
#[derive(Clone, Debug)]
pub struct Listener {
    /// For logs and `addresses.json`.
    pub name: &'static str,
    /// Where; port 0 is any free one.
    pub address: SocketAddr,
    /// Threads that answer; at least one is started.
    pub workers: usize,
    /// How many connections it serves.
    pub connections: Connections,
    /// When it takes no more connections, closes the idle ones and lets the requests it has finish (20 s).
    pub closes_at: Step,
    /// Whether a problem tells the request's path as its `instance`. Never where a path holds a secret.
    pub tells_path: bool,
    /// Other beginnings of paths.
    pub aliases: &'static [Alias],
    /// Whose pages may use it from a browser.
    pub cors: Cors,
}

/// A bound listener. It answers once `run` is polled; until then connections wait.
pub struct Serving {
    /// Where it listens, with the real port.
    pub address: SocketAddr,
    /// Resolves when the listener has closed; dropped, it closes at once.
    pub run: BoxFuture<'static, Result<(), Error>>,
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Binds a listener with the routes of `configure`, which runs once for each worker.
///
/// Every answer has an `x-request-id`, every error is a [`Problem`](super::Problem), a path without a route is a
/// 404. HTTP/1.1 only. Heads over 96 headers or 128 KiB, and heads that are not HTTP, are refused by the HTTP
/// library (431, 400) with an empty body, before anything here sees them.
///
/// # Errors
/// [`Error::Bind`] when the address is not free.
pub fn serve(
    listener: Listener,
    shutdown: &Shutdown,
    configure: impl Fn(&mut ServiceConfig) + Send + Clone + 'static,
) -> Result<Serving, Error> {
    let Listener {
        name,
        address,
        closes_at,
        ..
    } = listener;
    let refuse = |source| Error::Bind {
        name,
        address,
        source,
    };
    let (server, bound) = bind(&listener, configure).map_err(refuse)?;
    tracing::info!(listener = name, address = %bound, "listening");
    let shutdown = shutdown.clone();
    let run = async move {
        run(server, &shutdown, closes_at)
            .await
            .map_err(|source| Error::Listener { name, source })
    };
    Ok(Serving {
        address: bound,
        run: Box::pin(run),
    })
}

fn bind(
    listener: &Listener,
    configure: impl Fn(&mut ServiceConfig) + Send + Clone + 'static,
) -> io::Result<(Server, SocketAddr)> {
    let (tells_path, aliases) = (listener.tells_path, listener.aliases);
    let cors = listener.cors.clone();
    let workers = listener.workers.max(1);
    let counted = Counted::new(listener.connections.clone());
    let server = HttpServer::new(move || {
        let answers = Rc::new(Answers::new(tells_path, aliases, cors.clone()));
        App::new()
            .wrap(from_fn(move |request, next| {
                let answers = Rc::clone(&answers);
                async move { answers.answer(request, next).await }
            }))
            .default_service(web::to(not_found))
            .configure(configure.clone())
    })
    .workers(workers)
    .on_connect(move |connection, data| counted.meet(connection, data))
    .max_connections(listener.connections.most.div_ceil(workers))
    .keep_alive(KEEP_ALIVE)
    // The end of an answer does not wait until the client has acknowledged the beginning.
    .tcp_nodelay(true)
    .client_request_timeout(HEAD_WITHIN)
    .shutdown_timeout(CLOSE_WITHIN_SECONDS)
    .disable_signals()
    .bind(listener.address)?;
    let bound = server.addrs().first().copied().unwrap_or(listener.address);
    Ok((server.run(), bound))
}

/// Serves until `closes_at`, then closes gracefully, and at once when the process stops.
async fn run(mut server: Server, shutdown: &Shutdown, closes_at: Step) -> io::Result<()> {
    tokio::select! {
        ended = &mut server => return ended,
        () = shutdown.reached(closes_at) => {}
    }
    // Sends its command when called; the answer is the server's own end.
    drop(server.handle().stop(true));
    tokio::select! {
        ended = server => ended,
        () = stopped_for_a_moment(shutdown) => Ok(()),
    }
}

/// What is being written when the process stops may still leave.
async fn stopped_for_a_moment(shutdown: &Shutdown) {
    shutdown.stopped().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
}
