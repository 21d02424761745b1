//! Where RabbitMQ is on this machine, and how it comes there.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};

use crate::suite::child::Children;
use crate::suite::setup;

const PACKAGE: &str = "rabbitmq-server";
/// Debian's own `rabbitmq-server` in PATH insists on Debian's user; the one of the package itself does not.
const VERSIONS: &str = "/usr/lib/rabbitmq/lib";
const SCRIPT: &str = "sbin/rabbitmq-server";

/// The server's script, after installing it where it is missing and that is possible.
pub async fn find_or_install(children: &mut Children) -> anyhow::Result<PathBuf> {
    if let Some(script) = find() {
        return Ok(script);
    }
    if !setup::can_install() {
        bail!(
            "RabbitMQ is missing; install it (on Debian: apt-get install {PACKAGE}), or set {} to a server \
             whose user may make and delete everything in its virtual host",
            super::URL
        );
    }
    println!("RabbitMQ is missing; installing {PACKAGE}");
    setup::install(children, &[PACKAGE]).await?;
    find().context("RabbitMQ is installed and still not found")
}

fn find() -> Option<PathBuf> {
    of_debian().or_else(in_path)
}

fn of_debian() -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).ok()?.flatten();
    let scripts = versions.map(|version| version.path().join(SCRIPT));
    scripts.filter(|script| script.exists()).max()
}

fn in_path() -> Option<PathBuf> {
    let mut command = Command::new("sh");
    command.args(["-c", "command -v rabbitmq-server"]);
    let asked = command.output().ok().filter(|asked| asked.status.success());
    let script = String::from_utf8(asked?.stdout).ok()?;
    Some(PathBuf::from(script.trim()))
}
