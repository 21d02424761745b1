//! What is fuzzed is what is shipped: the same versions of everything.

use crate::seed;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use toml::{Table, Value};

const HOW: &str = "bring it up to date: cp Cargo.lock crates/fuzz/fuzz/ && \
    cargo update --workspace --manifest-path crates/fuzz/fuzz/Cargo.toml";

/// What the programs need beside what is shipped.
const OWN: [&str; 4] = [
    "arbitrary",
    "jobserver",
    "libfuzzer-sys",
    "tidings-fuzz-targets",
];

fn table(path: &str) -> Table {
    let text = fs::read_to_string(seed::folder().join(path)).unwrap();
    text.parse().unwrap()
}

/// The packages of a lock file, each with its versions.
fn packages(lock: &Table) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut packages = BTreeMap::<_, BTreeSet<_>>::new();
    for package in lock["package"].as_array().unwrap() {
        let of = |key: &str| package[key].as_str().unwrap();
        packages
            .entry(of("name"))
            .or_default()
            .insert(of("version"));
    }
    packages
}

#[test]
fn the_programs_are_built_from_the_versions_that_ship() {
    let (fuzzed, shipped) = (table("fuzz/Cargo.lock"), table("../../Cargo.lock"));
    let shipped = packages(&shipped);
    for (name, versions) in packages(&fuzzed) {
        let same = shipped.get(name).is_some_and(|it| versions.is_subset(it));
        assert!(
            same || OWN.contains(&name),
            "crates/fuzz/fuzz/Cargo.lock has {name} in other versions than Cargo.lock; {HOW}"
        );
    }
}

#[test]
fn the_lock_file_of_the_programs_has_what_our_crates_depend_on() {
    let (lock, workspace) = (table("fuzz/Cargo.lock"), table("../../Cargo.toml"));
    let ours = lock["package"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|package| {
            let name = package["name"].as_str()?.strip_prefix("tidings-")?;
            (name != "fuzz-targets").then_some((name, package))
        });
    for (name, package) in ours {
        let manifest = table(&format!("../{name}/Cargo.toml"));
        let wanted: BTreeSet<_> = manifest["dependencies"]
            .as_table()
            .unwrap()
            .keys()
            .map(|key| renamed(&workspace, key))
            .collect();
        let locked: BTreeSet<_> = package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|it| it.as_str()?.split(' ').next())
            .collect();
        assert_eq!(
            locked, wanted,
            "crates/fuzz/fuzz/Cargo.lock is out of date for {name}; {HOW}"
        );
    }
}

/// The name of the package that our manifests call so.
fn renamed<'a>(workspace: &'a Table, key: &'a str) -> &'a str {
    let dependency = &workspace["workspace"]["dependencies"][key];
    let package = dependency.get("package").and_then(Value::as_str);
    package.unwrap_or(key)
}
