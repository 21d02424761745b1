//! The configuration as an operator meets it.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod combination;
mod layer;
mod reference;
mod render;
mod secret;
mod value;

use std::path::Path;

use tidings_config::{Config, Error};

/// 32 bytes of zero.
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

fn from_environment(variables: &[(&str, &str)]) -> Result<Config, Error> {
    Config::load(None, variables.iter().copied())
}

fn from_text(text: &str) -> Result<Config, Error> {
    from_both(text, &[])
}

fn from_both(text: &str, variables: &[(&str, &str)]) -> Result<Config, Error> {
    let directory = tempfile::tempdir().unwrap();
    let path = write(directory.path(), "tidings.toml", text);
    Config::load(Some(Path::new(&path)), variables.iter().copied())
}

fn refusal(variables: &[(&str, &str)]) -> String {
    from_environment(variables).unwrap_err().to_string()
}

/// Writes a file and returns its path.
fn write(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}
