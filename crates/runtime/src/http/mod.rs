//! What the three listeners share.

mod alias;
mod answer;
mod body;
mod client;
mod code;
mod connections;
mod cors;
mod listener;
mod problem;
mod request_id;

pub use alias::Alias;
pub use body::read_body;
pub use client::Proxies;
pub use code::Code;
pub use connections::{Connections, source};
pub use cors::Cors;
pub use listener::{Listener, Serving, serve};
pub use problem::Problem;
pub use request_id::RequestId;

use actix_web::http::Method;
use actix_web::{Route, web};

/// Answers 404: what a listener says where it has no route.
pub async fn not_found() -> Problem {
    Problem::new(Code::NotFound, "there is nothing at this address")
}

/// Answers 405 and names the methods that are there. For a resource's `default_service`:
/// `web::resource(path).route(…).default_service(only(&[Method::GET]))`. Without it such a resource answers 405
/// without `Allow`, and a bare `.route(path, …)` answers another method with 404.
pub fn only(methods: &[Method]) -> Route {
    let problem = Problem::new(
        Code::MethodNotAllowed,
        "this address does not take this method",
    )
    .allow(methods);
    web::to(move || {
        let problem = problem.clone();
        async move { problem }
    })
}
