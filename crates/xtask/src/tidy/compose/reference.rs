//! What a service names: its image, files of the tree, secrets, volumes and other services.

use std::collections::BTreeSet;

use super::file::{File, Service};
use crate::tree::Tree;

/// The script that makes the files of the secrets, which are not in the tree.
const MAKER: &str = "deploy/make-secrets.sh";

/// Where a service finds its secrets.
const SECRETS: &str = "/run/secrets/";

/// Everything that one service names is there.
pub fn of_service(tree: &Tree, file: &File, service: &Service) -> Vec<String> {
    let mut findings = image(&service.image);
    let mounts = service.mounts.iter();
    findings.extend(mounts.filter_map(|(source, _)| mount(tree, file, source)));
    findings.extend(secrets(file, service));
    findings.extend(mounted_secrets(service));
    let depends_on = service.depends_on.iter();
    findings.extend(depends_on.filter_map(|(name, how)| dependency(file, service, name, how)));
    findings
}

/// Every secret is used, and the script makes its file.
pub fn of_secrets(tree: &Tree, file: &File) -> Vec<String> {
    let script = tree.get(MAKER).unwrap_or_default();
    let words: BTreeSet<&str> = script.split_whitespace().collect();
    let used: BTreeSet<&String> = file
        .services
        .iter()
        .flat_map(|service| &service.secrets)
        .collect();
    let mut findings = Vec::new();
    for (name, path) in &file.secrets {
        if !used.contains(name) {
            findings.push(format!("no service has the secret {name}"));
        }
        let made = path.strip_prefix("./deploy/secrets/");
        if made.is_none_or(|made| !words.contains(made)) {
            findings.push(format!("{MAKER} does not make {path}"));
        }
    }
    findings
}

/// An image without a tag, or with one that moves, is another one tomorrow.
fn image(image: &str) -> Vec<String> {
    let is_digest = image.contains("@sha256:");
    let name = image.rsplit('/').next().unwrap_or_default();
    match name.split_once(':') {
        _ if is_digest => Vec::new(),
        Some((_, tag)) if !tag.is_empty() && tag != "latest" => Vec::new(),
        _ => vec![format!("the image `{image}` is not pinned to a tag")],
    }
}

fn mount(tree: &Tree, file: &File, source: &str) -> Option<String> {
    let Some(path) = source.strip_prefix("./") else {
        let is_volume = file.volumes.contains(source);
        return (!is_volume)
            .then(|| format!("it mounts {source}, which is no volume and no file of the tree"));
    };
    let directory = format!("{path}/");
    let is_there =
        tree.get(path).is_some() || tree.iter().any(|(file, _)| file.starts_with(&directory));
    (!is_there).then(|| format!("it mounts {source}, which does not exist"))
}

fn secrets(file: &File, service: &Service) -> Vec<String> {
    let unknown = service
        .secrets
        .iter()
        .filter(|name| !file.secrets.contains_key(*name));
    unknown
        .map(|name| format!("the secret {name} is not declared"))
        .collect()
}

/// A variable may name a secret's file only where the service has that secret.
fn mounted_secrets(service: &Service) -> Vec<String> {
    let named = service
        .environment
        .iter()
        .filter_map(|(variable, value)| Some((variable, value.strip_prefix(SECRETS)?)));
    named
        .filter(|(_, name)| service.secrets.iter().all(|secret| secret != name))
        .map(|(variable, name)| {
            format!("{variable} names the secret {name}, which the service does not have")
        })
        .collect()
}

/// A service that is waited for runs in every profile of the one that waits.
fn dependency(file: &File, service: &Service, name: &str, how: &str) -> Option<String> {
    let Some(other) = file.service(name) else {
        return Some(format!("it depends on {name}, which is no service"));
    };
    if let Some(profile) = service
        .profiles
        .iter()
        .find(|profile| !other.profiles.contains(profile))
    {
        return Some(format!(
            "it depends on {name}, which is not in the profile {profile}"
        ));
    }
    let is_blind = how == "service_healthy" && other.health.is_empty();
    is_blind.then(|| format!("it waits for {name} to be healthy, which has no health check"))
}

#[cfg(test)]
mod tests {
    use super::super::file::FILE;
    use super::*;

    const COMPOSE: &str = "
services:
  db:
    profiles: [full]
    image: postgres:17
    environment: {PASSWORD_FILE: /run/secrets/password}
    secrets: [password]
    volumes: [\"data:/data\", \"./deploy/db:/etc/db:ro\"]
    healthcheck: {test: [CMD, ready]}
  role:
    profiles: [full]
    image: registry:5000/role:1
    depends_on: {db: {condition: service_healthy}}
secrets: {password: {file: ./deploy/secrets/password}}
volumes: {data: }";

    fn changed(from: &str, to: &str) -> Vec<String> {
        assert!(COMPOSE.contains(from), "{from}");
        let compose = COMPOSE.replace(from, to);
        let tree = Tree::of(&[
            (FILE, compose.as_str()),
            ("deploy/db/db.conf", ""),
            (MAKER, "files='password other'\nkeep password \"$(random)\""),
        ]);
        let file = File::read(&tree).unwrap();
        let services = file
            .services
            .iter()
            .flat_map(|service| of_service(&tree, &file, service));
        services.chain(of_secrets(&tree, &file)).collect()
    }

    #[test]
    fn what_is_all_there_is_fine() {
        assert_eq!(
            changed("postgres:17", "postgres@sha256:00ff"),
            Vec::<String>::new()
        );
        assert_eq!(
            changed("./deploy/db:", "./deploy/db/db.conf:"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn an_image_that_moves_is_named() {
        for image in ["postgres", "postgres:latest", "registry:5000/postgres"] {
            assert_eq!(
                changed("postgres:17", image),
                [format!("the image `{image}` is not pinned to a tag")]
            );
        }
    }

    #[test]
    fn a_mount_of_nothing_is_named() {
        assert_eq!(
            changed("./deploy/db:", "./deploy/base:"),
            ["it mounts ./deploy/base, which does not exist"]
        );
        assert_eq!(
            changed("data:/data", "date:/data"),
            ["it mounts date, which is no volume and no file of the tree"]
        );
    }

    #[test]
    fn a_secret_that_is_undeclared_unused_unmade_or_not_given_is_named() {
        assert_eq!(
            changed("secrets: [password]", "secrets: [pass]"),
            [
                "the secret pass is not declared",
                "PASSWORD_FILE names the secret password, which the service does not have",
                "no service has the secret password",
            ]
        );
        assert_eq!(
            changed("secrets/password}}", "secrets/pass}}"),
            ["deploy/make-secrets.sh does not make ./deploy/secrets/pass"]
        );
    }

    #[test]
    fn a_dependency_that_cannot_be_met_is_named() {
        assert_eq!(
            changed("{db: {", "{base: {"),
            ["it depends on base, which is no service"]
        );
        assert_eq!(
            changed(
                "profiles: [full]\n    image: registry",
                "profiles: [embedded]\n    image: registry"
            ),
            ["it depends on db, which is not in the profile embedded"]
        );
        assert_eq!(
            changed("healthcheck", "health"),
            ["it waits for db to be healthy, which has no health check"]
        );
    }
}
