//! What makes requests from the API's document, for the test that sends them: installed beside what is built, in
//! the versions that are pinned next to that test.

use std::fs;

use anyhow::Context;

use super::child::Children;
use super::verifiers::{PYTHON, beside_what_is_built, install_python};

/// Where it is pinned, from the root.
const PINNED: &str = "services/tidings/tests/generated";
/// Says what is installed.
const INSTALLED: &str = "installed";

/// Makes sure that it is there.
pub async fn prepare(children: &mut Children) -> anyhow::Result<()> {
    let pinned = children.root().join(PINNED);
    let home = beside_what_is_built("generated")?;
    let path = pinned.join("requirements.txt");
    let wanted =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    if fs::read_to_string(home.join(INSTALLED)).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    PYTHON.provide(children).await?;
    install_python(children, &home.join("python"), &pinned).await?;
    fs::write(home.join(INSTALLED), wanted)?;
    Ok(())
}
