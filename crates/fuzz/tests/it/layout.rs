//! What cargo-fuzz finds in `fuzz/`, beside the targets that there are.

use crate::seed;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use tidings_fuzz::target;
use toml::{Table, Value};

/// A target's program. All of them are the same: each has its name from the manifest.
const PROGRAM: &str = "\
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidings_fuzz::run(env!(\"CARGO_BIN_NAME\"), bytes));
";

fn names() -> BTreeSet<String> {
    target::all()
        .map(|target| target.name().to_owned())
        .collect()
}

#[test]
fn every_target_and_so_every_provider_has_a_program() {
    let manifest = fs::read_to_string(seed::folder().join("fuzz/Cargo.toml")).unwrap();
    let manifest: Table = manifest.parse().unwrap();
    let programs = manifest["bin"].as_array().unwrap().iter().map(|program| {
        let of = |key: &str| program.get(key).and_then(Value::as_str).unwrap().to_owned();
        (of("name"), of("path"))
    });
    let expected = names().into_iter().map(|name| {
        let path = format!("fuzz_targets/{name}.rs");
        (name, path)
    });
    assert_eq!(
        programs.collect::<BTreeMap<_, _>>(),
        expected.collect::<BTreeMap<_, _>>(),
        "crates/fuzz/fuzz/Cargo.toml must have a line in `bin` for every target, and no other"
    );
}

#[test]
fn every_program_is_the_same_three_lines() {
    let files = seed::read(&seed::folder().join("fuzz/fuzz_targets"));
    let found: BTreeSet<_> = files
        .iter()
        .map(|file| file.path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        found,
        names(),
        "crates/fuzz/fuzz/fuzz_targets must have a file for every target, a copy of the others"
    );
    for file in files {
        let text = String::from_utf8(file.bytes).unwrap();
        assert_eq!(text, PROGRAM, "{}", file.path.display());
    }
}

#[test]
fn every_target_has_seeds_and_no_seed_is_without_a_target() {
    for target in target::all() {
        assert!(
            !seed::of(target).is_empty(),
            "{} has no seeds: put some into crates/fuzz/fuzz/corpus/{0}",
            target.name()
        );
    }
    for folder in fs::read_dir(seed::folder().join("fuzz/corpus")).unwrap() {
        let name = folder.unwrap().file_name().into_string().unwrap();
        assert!(names().contains(&name), "there is no target {name}");
    }
}

#[test]
#[should_panic(expected = "there is no target")]
fn a_target_that_is_none_is_said() {
    tidings_fuzz::run("no-such-target", b"");
}
