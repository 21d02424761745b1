//! What the catalog takes, refuses and makes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod compatibility;
mod converter;
mod openapi;
mod schema;
mod shipped;
mod version;

use domain::json::Raw;

fn raw(value: serde_json::Value) -> Raw {
    Raw::of(&value)
}
