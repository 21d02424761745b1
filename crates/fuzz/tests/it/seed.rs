//! The seeds: bytes that targets are given, and what becomes of them.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use tidings_fuzz::Target;

/// A file that a target is given.
pub(crate) struct Seed {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

/// The folder of this crate.
pub(crate) fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The corpus of a target in its own folder, and the fixtures of the provider if it is one.
pub(crate) fn of(target: Target) -> Vec<Seed> {
    let mut seeds = read(&folder().join("fuzz/corpus").join(target.name()));
    if target.is_provider() {
        seeds.extend(read(
            &folder().join("../providers/fixtures").join(target.name()),
        ));
    }
    seeds
}

/// The files of a folder, by their names; none of a folder that is not there.
pub(crate) fn read(folder: &Path) -> Vec<Seed> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let seed = |path: PathBuf| Seed {
        bytes: fs::read(&path).unwrap(),
        path,
    };
    paths.into_iter().map(seed).collect()
}

/// Gives a target some bytes, and says which they were if it does not survive them.
pub(crate) fn survives(target: Target, seed: &Seed, bytes: &[u8]) {
    let is_alive = catch_unwind(AssertUnwindSafe(|| target.run(bytes))).is_ok();
    assert!(
        is_alive,
        "{} does not survive this, made of {}: \"{}\"",
        target.name(),
        seed.path.display(),
        bytes.escape_ascii()
    );
}
