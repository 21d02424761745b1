//! `docker-compose.yml` and the image it builds say only what the program knows, and name only what is
//! there.

pub mod file;
pub mod port;
mod profile;
mod reference;
mod task;

use std::collections::BTreeSet;

use super::config_key::ConfigKeys;
use crate::tree::Tree;
use file::{FILE, File, Service};
use task::Task;

const REFERENCE: &str = "config/default.toml";

/// What the program knows.
struct Program {
    roles: BTreeSet<String>,
    keys: ConfigKeys,
}

/// For every service: its image is pinned, and what it mounts, reads and waits for is there. For those that
/// run our image: their environment names documented keys, their commands and health checks are commands of
/// the program, and what they listen on is what the image exposes and the host publishes, to itself alone.
/// The two profiles are complete and never mix.
pub fn check(tree: &Tree) -> Vec<String> {
    let read = || -> Result<_, String> {
        let file = File::read(tree)?;
        let program = Program {
            roles: task::roles(tree.require(task::ROLES)?),
            keys: ConfigKeys::read(tree.require(REFERENCE)?),
        };
        Ok((file, program))
    };
    match read() {
        Err(message) => vec![message],
        Ok((file, _)) if file.ours().next().is_none() => {
            vec![format!("{FILE} has no service that is built here")]
        }
        Ok((file, program)) => check_file(tree, &file, &program),
    }
}

fn check_file(tree: &Tree, file: &File, program: &Program) -> Vec<String> {
    let mut findings = Vec::new();
    for service in &file.services {
        let named = |finding: String| format!("{}: {finding}", service.name);
        findings.extend(port::beyond_host(service).into_iter().map(named));
        findings.extend(
            reference::of_service(tree, file, service)
                .into_iter()
                .map(named),
        );
    }
    for service in file.ours() {
        let named = |finding: String| format!("{}: {finding}", service.name);
        findings.extend(of_ours(service, program).into_iter().map(named));
    }
    findings.extend(images(tree, file));
    findings.extend(reference::of_secrets(tree, file));
    findings.extend(profile::check(tree, file, &program.roles));
    for profile in [profile::EMBEDDED, profile::FULL] {
        findings.extend(port::clashes(file, profile));
    }
    let in_file = |finding| format!("{FILE}: {finding}");
    findings.into_iter().map(in_file).collect()
}

fn of_ours(service: &Service, program: &Program) -> Vec<String> {
    let mut findings = environment(&program.keys, service);
    findings.extend(task::check(service, &program.roles));
    if let Ok(task) = Task::read(&service.command, &program.roles) {
        findings.extend(port::listeners(service, &task, &program.keys));
    }
    findings
}

fn environment(keys: &ConfigKeys, service: &Service) -> Vec<String> {
    service
        .environment
        .keys()
        .filter(|name| name.starts_with("TIDINGS_") && !keys.has_environment_name(name))
        .map(|name| format!("{name} is not a key of {REFERENCE}"))
        .collect()
}

fn images(tree: &Tree, file: &File) -> Vec<String> {
    let paths: BTreeSet<&String> = file
        .ours()
        .filter_map(|service| service.dockerfile.as_ref())
        .collect();
    let image = |path: &String| match tree.require(path) {
        Err(message) => vec![message],
        Ok(image) => {
            let findings = port::exposed(file.ours(), image).into_iter();
            findings
                .map(|finding| format!("{path}: {finding}"))
                .collect()
        }
    };
    paths.into_iter().flat_map(image).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPOSE: &str = r#"
services:
  all:
    profiles: [embedded]
    build: { context: ., dockerfile: deploy/Dockerfile }
    image: tidings:local
    command: run
    environment: &environment
      TIDINGS_INGRESS__LISTEN: 0.0.0.0:8080
      TIDINGS_RUNTIME__ADMIN_LISTEN: 0.0.0.0:9090
    healthcheck: &health { test: ["CMD", "tidings", "doctor"] }
    ports: ["127.0.0.1:8080:8080"]
  migrate:
    profiles: [full]
    build: { context: ., dockerfile: deploy/Dockerfile }
    image: tidings:local
    command: migrate
  ingress:
    profiles: [full]
    image: tidings:local
    command: run --roles ingress
    environment: *environment
    healthcheck: *health
    ports: ["127.0.0.1:8080:8080"]
"#;
    const KEYS: &str = "[ingress]\nlisten = \"\"\n[runtime]\nadmin_listen = \"\"\n";
    const IMAGE: &str = "FROM rust\nEXPOSE 8080 9090\n";

    fn findings(compose: &str, image: &str) -> Vec<String> {
        let tree = Tree::of(&[
            (FILE, compose),
            (REFERENCE, KEYS),
            (task::ROLES, "Self::Ingress => \"ingress\",\n"),
            ("deploy/Dockerfile", image),
            (".env", "COMPOSE_PROFILES=embedded\n"),
        ]);
        check(&tree)
    }

    fn changed(from: &str, to: &str) -> Vec<String> {
        assert!(COMPOSE.contains(from), "{from}");
        findings(&COMPOSE.replacen(from, to, 1), IMAGE)
    }

    #[test]
    fn a_file_that_says_the_truth_is_fine() {
        assert_eq!(findings(COMPOSE, IMAGE), Vec::<String>::new());
    }

    #[test]
    fn an_environment_name_that_no_key_has_is_named() {
        assert_eq!(
            changed(
                "      TIDINGS_RUNTIME",
                "      TIDINGS_KEY: x\n      TIDINGS_RUNTIME"
            ),
            [
                "docker-compose.yml: all: TIDINGS_KEY is not a key of config/default.toml",
                "docker-compose.yml: ingress: TIDINGS_KEY is not a key of config/default.toml",
            ]
        );
    }

    #[test]
    fn a_finding_of_a_service_names_the_service() {
        assert_eq!(
            changed("command: migrate", "command: migration"),
            [
                "docker-compose.yml: migrate: `migration` is not a command of tidings",
                "docker-compose.yml: 0 services of the profile full migrate, not one",
            ]
        );
        assert_eq!(
            changed("127.0.0.1:8080:8080", "8080:8080"),
            ["docker-compose.yml: all: the port 8080:8080 is published beyond 127.0.0.1"]
        );
        assert_eq!(
            changed("image: tidings:local", "image: tidings"),
            ["docker-compose.yml: all: the image `tidings` is not pinned to a tag"]
        );
    }

    #[test]
    fn an_image_that_cannot_be_built_or_exposes_something_else_is_named() {
        assert_eq!(
            changed("deploy/Dockerfile", "Dockerfile"),
            ["docker-compose.yml: Dockerfile does not exist"]
        );
        assert_eq!(
            findings(COMPOSE, "EXPOSE 8080"),
            [
                "docker-compose.yml: deploy/Dockerfile: its services listen on 8080, 9090, but exposed are 8080"
            ]
        );
    }

    #[test]
    fn a_secret_that_nobody_makes_and_a_port_wanted_twice_are_named() {
        let more = "  web: { profiles: [full], image: \"web:1\", secrets: [key], ports: [\"127.0.0.1:8080:80\"] }\nsecrets: { key: { file: ./key } }\n";
        assert_eq!(
            findings(&format!("{COMPOSE}{more}"), IMAGE),
            [
                "docker-compose.yml: deploy/make-secrets.sh does not make ./key",
                "docker-compose.yml: ingress and web both publish the port 8080 in the profile full",
            ]
        );
    }

    #[test]
    fn a_file_without_a_service_of_ours_is_not_fine() {
        let other = "services: { db: { image: \"postgres:17\" } }";
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
