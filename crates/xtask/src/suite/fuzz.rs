//! The targets of `crates/fuzz` under libFuzzer, which looks for inputs that reach new code.
//!
//! Their programs are built by the pinned compiler with the flags that cargo-fuzz would set, so that
//! nothing has to be installed but a C++ compiler. What is found and learnt is in the build directory.

mod output;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use toml::{Table, Value};

use super::child::{Children, Ended};
use super::setup;
use crate::graph::Graph;
use output::Output;

/// Where the programs are; see the page of `crates/fuzz`.
const FOLDER: &str = "crates/fuzz/fuzz";
/// The bodies that are seeds of their provider's target too.
const FIXTURES: &str = "crates/providers/fixtures";

/// What makes the compiler count which code is reached, and note what is compared with what.
const COVERAGE: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// How long all targets run together, unless it is said.
const SECONDS: u64 = 180;

/// How much longer a target may take: it reads all it has learnt before its time begins.
const GRACE: Duration = Duration::from_mins(1);

/// What is fuzzed, and for how long.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only this target; all of them without it.
    target: Option<String>,
    /// How long all of them run together.
    #[arg(long, default_value_t = SECONDS, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
}

/// As in the tests.
impl Default for Arguments {
    fn default() -> Self {
        Self {
            target: None,
            seconds: SECONDS,
        }
    }
}

/// Where things are.
struct Place<'a> {
    root: &'a Path,
    /// What the fuzzers learn and find; the build is below it too.
    directory: PathBuf,
    programs: PathBuf,
}

/// Runs the targets one after the other, each for its share of the time. Fails at the first input that a
/// target does not survive, and says where it is.
pub async fn run(children: &mut Children, arguments: &Arguments) -> anyhow::Result<()> {
    let root = children.root().to_owned();
    let manifest = fs::read_to_string(root.join(FOLDER).join("Cargo.toml"))?;
    let targets = chosen(targets(&manifest)?, arguments.target.as_deref())?;
    setup::CXX_COMPILER.provide(children).await?;
    let directory = Graph::load(&root)?.target.join("fuzz");
    let programs = build(children, &directory).await?;
    let place = Place {
        root: &root,
        directory,
        programs,
    };
    let share = arguments.seconds / targets.len().max(1) as u64;
    for target in &targets {
        fuzz(children, &place, target, Duration::from_secs(share.max(1))).await?;
    }
    Ok(())
}

/// The names of the programs.
fn targets(manifest: &str) -> anyhow::Result<Vec<String>> {
    let manifest: Table = manifest.parse().context("the manifest of the targets")?;
    let programs = manifest.get("bin").and_then(Value::as_array);
    let names = programs.into_iter().flatten();
    let names: Vec<_> = names
        .filter_map(|program| Some(program.get("name")?.as_str()?.to_owned()))
        .collect();
    ensure!(!names.is_empty(), "{FOLDER}/Cargo.toml has no programs");
    Ok(names)
}

fn chosen(targets: Vec<String>, only: Option<&str>) -> anyhow::Result<Vec<String>> {
    let Some(only) = only else {
        return Ok(targets);
    };
    let known = targets.join(", ");
    let chosen: Vec<_> = targets.into_iter().filter(|name| name == only).collect();
    ensure!(
        !chosen.is_empty(),
        "there is no target {only}; there are {known}"
    );
    Ok(chosen)
}

/// Builds the programs, and says where they are. The target is named, so that build scripts are built
/// without the flags.
async fn build(children: &mut Children, directory: &Path) -> anyhow::Result<PathBuf> {
    let host = Command::new("rustc")
        .args(["--print", "host-tuple"])
        .output();
    let host = String::from_utf8(host.context("cannot run rustc")?.stdout)?;
    let host = host.trim();
    let mut command = Command::new("cargo");
    command
        .args(["build", "--release", "--locked", "--target", host])
        .args(["--manifest-path", &format!("{FOLDER}/Cargo.toml")])
        .arg("--target-dir")
        .arg(directory)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", COVERAGE);
    let ended = children
        .run(command, None, &mut |line| println!("{line}"))
        .await?;
    ended.succeeded().context("the build of the targets")?;
    Ok(directory.join(host).join("release"))
}

async fn fuzz(
    children: &mut Children,
    place: &Place<'_>,
    target: &str,
    share: Duration,
) -> anyhow::Result<()> {
    let learnt = place.directory.join("corpus").join(target);
    let found = place.directory.join("artifacts").join(target);
    for directory in [&learnt, &found] {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
    }
    let program = place.programs.join(target);
    let seeds = [
        place.root.join(FOLDER).join("corpus").join(target),
        place.root.join(FIXTURES).join(target),
    ];
    // libFuzzer speaks on standard error.
    let mut command = Command::new("sh");
    command
        .args(["-c", r#"exec "$@" 2>&1"#, "sh"])
        .arg(&program)
        .arg(format!("-max_total_time={}", share.as_secs()))
        .arg("-print_final_stats=1")
        .arg(format!("-artifact_prefix={}/", found.display()))
        .arg(&learnt)
        .args(seeds.iter().filter(|seeds| seeds.is_dir()));
    let mut output = Output::default();
    let ended = children
        .run(command, Some(share + GRACE), &mut |line| output.add(line))
        .await?;
    if matches!(&ended, Ended::Exited(status) if status.success()) {
        println!("{target:<20}{output}");
        return Ok(());
    }
    for line in output.last_lines() {
        println!("{line}");
    }
    match (ended, output.found()) {
        (_, Some(input)) => bail!(
            "{target} does not survive an input; to see it again: {} {input}",
            program.display()
        ),
        (ended, None) => ended.succeeded().with_context(|| target.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str =
        r#"bin = [{ name = "a", path = "a.rs" }, { name = "b", path = "b.rs" }]"#;

    #[test]
    fn the_targets_are_those_of_the_manifest() {
        assert_eq!(targets(MANIFEST).unwrap(), ["a", "b"]);
        assert!(targets("bin = []").is_err() && targets("").is_err());
    }

    #[test]
    fn one_target_may_be_chosen_and_one_that_is_none_is_named() {
        let all = || targets(MANIFEST).unwrap();
        assert_eq!(chosen(all(), None).unwrap(), ["a", "b"]);
        assert_eq!(chosen(all(), Some("b")).unwrap(), ["b"]);
        let error = chosen(all(), Some("c")).unwrap_err();
        assert_eq!(error.to_string(), "there is no target c; there are a, b");
    }
}
