//! `docker-compose.yml` and the image it builds say only what the program knows.

mod file;

use std::collections::BTreeSet;

use super::config_key::ConfigKeys;
use crate::tree::Tree;
use file::Service;

const FILE: &str = "docker-compose.yml";
const REFERENCE: &str = "config/default.toml";

/// The commands of the program.
const COMMANDS: [&str; 7] = [
    "run",
    "demo",
    "migrate",
    "doctor",
    "config",
    "tenant create",
    "listen",
];

/// For every service that is built here: its image's file exists, its environment names documented
/// keys, its command and health check are commands of the program, and the ports it listens on are those
/// that the image exposes and that the host publishes, to itself alone.
pub fn check(tree: &Tree) -> Vec<String> {
    let read = || -> Result<_, String> {
        let services = file::read(tree.require(FILE)?)?;
        Ok((services, ConfigKeys::read(tree.require(REFERENCE)?)))
    };
    let (services, keys) = match read() {
        Ok(read) => read,
        Err(message) => return vec![message],
    };
    let built: Vec<&Service> = services
        .iter()
        .filter(|service| service.image.is_some())
        .collect();
    if built.is_empty() {
        return vec![format!("{FILE} has no service that is built here")];
    }
    built
        .into_iter()
        .flat_map(|service| check_service(tree, &keys, service))
        .collect()
}

fn check_service(tree: &Tree, keys: &ConfigKeys, service: &Service) -> Vec<String> {
    let mut findings = environment(keys, service);
    findings.extend(commands(service));
    findings.extend(host_addresses(service));
    findings.extend(listeners(service));
    match tree.require(service.image.as_deref().unwrap_or_default()) {
        Ok(image) => findings.extend(ports(service, &exposed(image))),
        Err(message) => findings.push(message),
    }
    findings
        .into_iter()
        .map(|finding| format!("{FILE}: {}: {finding}", service.name))
        .collect()
}

fn environment(keys: &ConfigKeys, service: &Service) -> Vec<String> {
    service
        .environment
        .keys()
        .filter(|name| name.starts_with("TIDINGS_") && !keys.has_environment_name(name))
        .map(|name| format!("{name} is not a key of {REFERENCE}"))
        .collect()
}

fn commands(service: &Service) -> Vec<String> {
    let is_known = |words: &[String]| {
        let said = format!("{} ", words.join(" "));
        COMMANDS
            .iter()
            .any(|command| said.starts_with(&format!("{command} ")))
    };
    let mut findings = Vec::new();
    if !is_known(&service.command) {
        findings.push(format!(
            "`{}` is not a command of tidings",
            service.command.join(" ")
        ));
    }
    let health: Vec<&str> = service.health.iter().map(String::as_str).collect();
    if !matches!(health.as_slice(), ["CMD", "tidings", ..]) || !is_known(&service.health[2..]) {
        findings.push(format!(
            "the health check `{}` is not a command of tidings",
            health.join(" ")
        ));
    }
    findings
}

/// Published ports have the form `address:port:port`; without an address they are open to the network.
fn host_addresses(service: &Service) -> Vec<String> {
    service
        .ports
        .iter()
        .filter(|port| !port.starts_with("127.0.0.1:"))
        .map(|port| format!("the port {port} is published beyond 127.0.0.1"))
        .collect()
}

fn listeners(service: &Service) -> Vec<String> {
    listens(service)
        .filter(|(_, value)| !value.starts_with("0.0.0.0:"))
        .map(|(name, value)| {
            format!("{name} is {value}, which nobody outside of the container reaches")
        })
        .collect()
}

fn ports(service: &Service, exposed: &BTreeSet<String>) -> Vec<String> {
    let last = |text: &str| text.rsplit(':').next().unwrap_or_default().to_owned();
    let published: BTreeSet<String> = service.ports.iter().map(|port| last(port)).collect();
    let listening: BTreeSet<String> = listens(service).map(|(_, value)| last(value)).collect();
    let said = |ports: &BTreeSet<String>| ports.iter().cloned().collect::<Vec<_>>().join(", ");
    let mut findings = Vec::new();
    for (what, ports) in [("published", &published), ("exposed", exposed)] {
        if *ports != listening {
            let (ports, listening) = (said(ports), said(&listening));
            findings.push(format!("it listens on {listening}, but {what} are {ports}"));
        }
    }
    findings
}

fn listens(service: &Service) -> impl Iterator<Item = (&String, &String)> {
    service
        .environment
        .iter()
        .filter(|(name, _)| name.ends_with("LISTEN"))
}

fn exposed(image: &str) -> BTreeSet<String> {
    image
        .lines()
        .filter_map(|line| line.strip_prefix("EXPOSE "))
        .flat_map(str::split_whitespace)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPOSE: &str = r#"
services:
  tidings:
    build: { context: ., dockerfile: deploy/Dockerfile }
    command: run
    environment:
      TIDINGS_INGRESS__LISTEN: 0.0.0.0:8080
      TIDINGS_SUBSCRIPTIONS__ADMIN_KEY_FILE: /run/secrets/admin_key
    healthcheck: { test: ["CMD", "tidings", "doctor"] }
    ports: ["127.0.0.1:8080:8080"]
"#;
    const KEYS: &str =
        "[ingress]\nlisten = \"\"\n[subscriptions]\n# [or from a file]\n# admin_key = \"\"\n";
    const IMAGE: &str = "FROM rust\nEXPOSE 8080\n";

    fn findings(compose: &str, image: &str) -> Vec<String> {
        let tree = Tree::of(&[
            (FILE, compose),
            (REFERENCE, KEYS),
            ("deploy/Dockerfile", image),
        ]);
        check(&tree)
    }

    fn changed(from: &str, to: &str) -> Vec<String> {
        assert!(COMPOSE.contains(from), "{from}");
        findings(&COMPOSE.replace(from, to), IMAGE)
    }

    #[test]
    fn a_file_that_says_the_truth_is_fine() {
        assert_eq!(findings(COMPOSE, IMAGE), Vec::<String>::new());
        assert_eq!(
            changed("command: run", "command: [run, --roles, ingress]"),
            Vec::<String>::new()
        );
        assert_eq!(
            changed("command: run", "command: tenant create"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn an_environment_name_that_no_key_has_is_named() {
        assert_eq!(
            changed("TIDINGS_SUBSCRIPTIONS__ADMIN_KEY_FILE", "TIDINGS_ADMIN_KEY"),
            ["docker-compose.yml: tidings: TIDINGS_ADMIN_KEY is not a key of config/default.toml"]
        );
    }

    #[test]
    fn a_command_that_does_not_exist_is_named() {
        assert_eq!(
            changed("command: run", "command: serve"),
            ["docker-compose.yml: tidings: `serve` is not a command of tidings"]
        );
        assert_eq!(changed("command: run", "command: tenant delete").len(), 1);
        assert_eq!(changed("command: run", "").len(), 1);
        assert_eq!(changed("\"doctor\"", "\"health\"").len(), 1);
        assert_eq!(changed("\"tidings\", \"doctor\"", "\"curl\"").len(), 1);
    }

    #[test]
    fn ports_that_do_not_match_are_named() {
        assert_eq!(
            changed("0.0.0.0:8080", "0.0.0.0:8090"),
            [
                "docker-compose.yml: tidings: it listens on 8090, but published are 8080",
                "docker-compose.yml: tidings: it listens on 8090, but exposed are 8080",
            ]
        );
        assert_eq!(findings(COMPOSE, "EXPOSE 8080 9090").len(), 1);
    }

    #[test]
    fn a_port_open_to_the_network_or_closed_to_the_host_is_named() {
        assert_eq!(
            changed("127.0.0.1:8080:8080", "8080:8080"),
            ["docker-compose.yml: tidings: the port 8080:8080 is published beyond 127.0.0.1"]
        );
        assert_eq!(changed("0.0.0.0:8080", "127.0.0.1:8080").len(), 1);
    }

    #[test]
    fn an_image_that_cannot_be_built_is_named() {
        assert_eq!(
            changed("deploy/Dockerfile", "Dockerfile"),
            ["docker-compose.yml: tidings: Dockerfile does not exist"]
        );
    }

    #[test]
    fn a_file_without_a_service_of_ours_is_not_fine() {
        let other = "services: { db: { image: postgres } }";
        assert_eq!(
            findings(other, IMAGE),
            ["docker-compose.yml has no service that is built here"]
        );
        assert_eq!(findings("a: [", IMAGE).len(), 1);
        assert_eq!(
            check(&Tree::default()),
            ["docker-compose.yml does not exist"]
        );
    }
}
