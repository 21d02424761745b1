//! Reading a request's body: bounded in bytes and in time, never decoded.

use super::{Code, Problem};
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt;
use std::time::Duration;

/// Reads the whole body of a request, at most `max_bytes`, within one deadline.
///
/// # Errors
/// 413 when it is longer, 408 when it is not here in time.
pub async fn read_body(
    payload: Payload,
    max_bytes: usize,
    deadline: Duration,
) -> Result<Bytes, Problem> {
    tokio::time::timeout(deadline, collect(payload, max_bytes))
        .await
        .unwrap_or_else(|_| {
            let seconds = deadline.as_secs();
            Err(Problem::new(
                Code::RequestTimeout,
                format!("the body was not here within {seconds} s"),
            ))
        })
}

async fn collect(mut payload: Payload, max_bytes: usize) -> Result<Bytes, Problem> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| {
            Problem::new(
                Code::RequestTimeout,
                "the body did not come whole: the connection ended before it did, or its chunks are not well formed",
            )
        })?;
        if body.len() + chunk.len() > max_bytes {
            return Err(Problem::new(
                Code::PayloadTooLarge,
                format!("the body has more than {max_bytes} bytes"),
            ));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
