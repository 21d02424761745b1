//! The published libraries that receivers verify webhooks with, for the test that asks them: installed beside
//! what is built, in the versions that are pinned next to that test.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::child::Children;
use super::setup::Tool;

pub const PYTHON: Tool = Tool {
    program: "python3",
    packages: &["python3", "python3-venv"],
};
const NODE: Tool = Tool {
    program: "node",
    packages: &["nodejs"],
};
const NPM: Tool = Tool {
    program: "npm",
    packages: &["npm"],
};
/// Where they are pinned, from the root.
const PINNED: &str = "services/tidings/tests/verifiers";
const PINS: [&str; 3] = ["requirements.txt", "package.json", "package-lock.json"];
/// Says what is installed.
const INSTALLED: &str = "installed";

/// Makes sure that they are there.
pub async fn prepare(children: &mut Children) -> anyhow::Result<()> {
    let pinned = children.root().join(PINNED);
    let home = beside_what_is_built("verifiers")?;
    let wanted = pins(&pinned)?;
    if fs::read_to_string(home.join(INSTALLED)).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    for tool in [PYTHON, NODE, NPM] {
        tool.provide(children).await?;
    }
    let (python, node) = (home.join("python"), home.join("node"));
    install_python(children, &python, &pinned).await?;
    fs::create_dir_all(&node)?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(pinned.join(name), node.join(name))?;
    }
    let node = node.display().to_string();
    let install = ["ci", "--prefix", &node, "--no-audit", "--no-fund"];
    children.succeed("npm", &install).await?;
    fs::write(home.join(INSTALLED), wanted)?;
    Ok(())
}

/// Makes an environment with what is pinned. Debian splits what makes environments off.
pub async fn install_python(
    children: &mut Children,
    home: &Path,
    pinned: &Path,
) -> anyhow::Result<()> {
    let ensurepip = ["-c", "import ensurepip, venv"];
    if !super::setup::answers("python3", &ensurepip) {
        super::setup::install_or_say(children, "python3 -m venv", &["python3-venv"]).await?;
    }
    let path = home.display().to_string();
    let make = ["-m", "venv", "--clear", &path];
    children.succeed("python3", &make).await?;
    let requirements = pinned.join("requirements.txt").display().to_string();
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--require-hashes",
        "--requirement",
        &requirements,
    ];
    let program = home.join("bin/python").display().to_string();
    children.succeed(&program, &install).await
}

fn pins(pinned: &Path) -> anyhow::Result<String> {
    let mut pins = String::new();
    for name in PINS {
        let path = pinned.join(name);
        pins += &fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
    }
    Ok(pins)
}

/// Where a test finds it, from where its own program is built.
pub fn beside_what_is_built(name: &str) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2);
    let target = target.context("this program is not where cargo builds it")?;
    let home = target.join(name);
    fs::create_dir_all(&home)?;
    Ok(home)
}
