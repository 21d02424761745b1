//! What a node reads before it starts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Ports;
use crate::suite::certificate::Certificate;
use crate::suite::control;

const KEEP: &str = include_str!("keep.sh");
const CONTROL: &str = include_str!("control.sh");

/// The files that others have to know of.
pub struct Files {
    /// The program that runs the node.
    pub keep: PathBuf,
    /// The program that kills it and starts it again.
    pub control: PathBuf,
    /// The authority that its certificate is from.
    pub ca: PathBuf,
}

/// Writes everything that a node on these ports needs.
pub fn write(directory: &Path, script: &Path, ports: &Ports) -> anyhow::Result<Files> {
    let certificate = Certificate::make(directory)?;
    let write = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        anyhow::Ok(path)
    };
    write("rabbitmq.conf", &configuration(ports, &certificate))?;
    write("plugins", "[].\n")?;
    Ok(Files {
        keep: write("keep", KEEP)?,
        control: control::write(directory, CONTROL, &settings(directory, script, ports))?,
        ca: certificate.ca,
    })
}

/// Little memory and a nearly full disk of this machine do not stop the publishers of a test.
fn configuration(ports: &Ports, certificate: &Certificate) -> String {
    format!(
        "listeners.ssl.default = 127.0.0.1:{}\n\
         ssl_options.cacertfile = {}\n\
         ssl_options.certfile = {}\n\
         ssl_options.keyfile = {}\n\
         ssl_options.verify = verify_none\n\
         ssl_options.fail_if_no_peer_cert = false\n\
         loopback_users.guest = true\n\
         vm_memory_high_watermark.absolute = 1GB\n\
         disk_free_limit.absolute = 50MB\n",
        ports.tls,
        certificate.ca.display(),
        certificate.server.display(),
        certificate.key.display(),
    )
}

/// The environment of the node. It becomes the process that its script was, as under systemd, so that its
/// id is known, and it logs to its standard output.
fn settings(directory: &Path, script: &Path, ports: &Ports) -> Vec<(&'static str, String)> {
    let text = |path: &Path| path.display().to_string();
    let below = |name: &str| text(&directory.join(name));
    vec![
        ("SERVER", text(script)),
        ("HOME", text(directory)),
        ("LANG", "C.UTF-8".to_owned()),
        ("RUNNING_UNDER_SYSTEMD", "true".to_owned()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
        ("ERL_EPMD_PORT", ports.epmd.to_string()),
        // There is none: that of the machine is not ours.
        ("RABBITMQ_CONF_ENV_FILE", below("no-environment")),
        ("RABBITMQ_CONFIG_FILE", below("rabbitmq.conf")),
        ("RABBITMQ_DIST_PORT", ports.distribution.to_string()),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", below("plugins")),
        ("RABBITMQ_LOGS", "-".to_owned()),
        ("RABBITMQ_LOG_BASE", below("logs")),
        ("RABBITMQ_MNESIA_BASE", below("data")),
        ("RABBITMQ_NODENAME", ports.node()),
        ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".to_owned()),
        ("RABBITMQ_NODE_PORT", ports.amqp.to_string()),
        (
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-kernel inet_dist_use_interface {127,0,0,1}".to_owned(),
        ),
    ]
}
