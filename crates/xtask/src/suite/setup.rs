use std::process::{Command, Stdio};

use anyhow::{bail, ensure};

use super::child::Children;
use super::generated;
use super::quiet::NoServices;
use super::servers::Servers;
use super::verifiers;

/// A C compiler, because the embedded database is compiled from its C source.
const COMPILER: Tool = Tool {
    program: "cc",
    packages: &["gcc", "libc6-dev"],
};
/// A C++ compiler, because libFuzzer is compiled from its C++ source. Only fuzzing needs it.
pub const CXX_COMPILER: Tool = Tool {
    program: "c++",
    packages: &["g++"],
};
/// A test looks at the system calls of a process, to see that it syncs before it answers.
const TRACER: Tool = Tool {
    program: "strace",
    packages: &["strace"],
};

/// A program that other steps need, and Debian's packages of it.
pub struct Tool {
    /// What is started.
    pub program: &'static str,
    /// What brings it.
    pub packages: &'static [&'static str],
}

/// Makes sure that what the other steps need is there: installs it where that is possible without
/// asking (root on Debian), and otherwise says exactly what to install.
pub async fn run(children: &mut Children) -> anyhow::Result<()> {
    for tool in [COMPILER, TRACER] {
        tool.provide(children).await?;
    }
    for component in ["fmt", "clippy"] {
        ensure!(
            answers("cargo", &[component, "--version"]),
            "cargo {component} is missing; install it: rustup component add rustfmt clippy"
        );
    }
    verifiers::prepare(children).await?;
    generated::prepare(children).await?;
    Servers::prepare(children).await?;
    println!(
        "a C compiler, strace, rustfmt, clippy, what verifies webhooks in Python and Node, what makes requests \
         from the API's document, and the servers that tests run on are there"
    );
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

/// Whether packages can be installed without asking anybody.
pub fn can_install() -> bool {
    is_root() && answers("apt-get", &["--version"])
}

/// Installs Debian packages, without starting the services they bring.
pub async fn install(children: &mut Children, packages: &[&str]) -> anyhow::Result<()> {
    let _no_services = NoServices::while_alive()?;
    children.succeed("apt-get", &["update"]).await?;
    let install = ["DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y"];
    children
        .succeed("env", &[&install, packages].concat())
        .await
}

/// Installs Debian packages for a program that is missing, or says which to install.
pub async fn install_or_say(
    children: &mut Children,
    program: &str,
    packages: &[&str],
) -> anyhow::Result<()> {
    let named = packages.join(" ");
    if !can_install() {
        bail!("there is no `{program}`; install it (on Debian: apt-get install {named})");
    }
    println!("there is no {program}; installing {named}");
    install(children, packages).await
}

impl Tool {
    /// Makes sure that it is there, as [`run`] does.
    pub async fn provide(&self, children: &mut Children) -> anyhow::Result<()> {
        if answers(self.program, &["--version"]) {
            return Ok(());
        }
        let (program, packages) = (self.program, self.packages.join(" "));
        install_or_say(children, program, self.packages).await?;
        ensure!(
            answers(program, &["--version"]),
            "{packages} are installed but there is still no `{program}`"
        );
        Ok(())
    }
}

/// Whether this process is root.
pub fn is_root() -> bool {
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
