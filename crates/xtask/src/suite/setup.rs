use std::process::{Command, Stdio};

use anyhow::{bail, ensure};

use super::child::Children;

/// What gives Debian a C compiler: the embedded database is compiled from its C source.
const PACKAGES: &[&str] = &["gcc", "libc6-dev"];

/// Makes sure that what the other steps need is there: installs it where that is possible without
/// asking (root on Debian), and otherwise says exactly what to install.
pub async fn run(children: &mut Children) -> anyhow::Result<()> {
    if !answers("cc", &["--version"]) {
        install(children).await?;
    }
    for component in ["fmt", "clippy"] {
        ensure!(
            answers("cargo", &[component, "--version"]),
            "cargo {component} is missing; install it: rustup component add rustfmt clippy"
        );
    }
    println!("a C compiler, rustfmt and clippy are there");
    Ok(())
}

/// Whether a program can be started and exits with 0.
pub fn answers(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

async fn install(children: &mut Children) -> anyhow::Result<()> {
    let packages = PACKAGES.join(" ");
    if !is_root() || !answers("apt-get", &["--version"]) {
        bail!("there is no C compiler `cc`; install one (on Debian: apt-get install {packages})");
    }
    println!("there is no C compiler; installing {packages}");
    children.succeed("apt-get", &["update"]).await?;
    let install = ["DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y"];
    children
        .succeed("env", &[&install, PACKAGES].concat())
        .await?;
    ensure!(
        answers("cc", &["--version"]),
        "{packages} are installed but there is still no `cc`"
    );
    Ok(())
}

fn is_root() -> bool {
    let user = Command::new("id").arg("-u").output();
    user.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_missing_or_fails_does_not_answer() {
        assert!(answers("true", &[]));
        assert!(!answers("false", &[]));
        assert!(!answers("no-such-program-here", &[]));
    }
}
