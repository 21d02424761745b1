//! What the catalog takes, refuses and makes.

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
