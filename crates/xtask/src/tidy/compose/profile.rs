//! The two profiles: everything in one process, or a container per role.

use std::collections::BTreeSet;

use super::file::{File, Service};
use super::task::Task;
use crate::tree::Tree;

/// One process with all roles: what starts when no profile is named.
pub const EMBEDDED: &str = "embedded";

/// A container per role, with the servers around them.
pub const FULL: &str = "full";

/// Where Compose finds the profile that holds when none is named.
const DEFAULTS: &str = ".env";

/// A service without a profile starts in both, so each has one. `embedded` is one service with all roles;
/// `full` is one for each role, of the role's name and free to have replicas, and one that migrates.
pub fn check(tree: &Tree, file: &File, roles: &BTreeSet<String>) -> Vec<String> {
    let mut findings: Vec<String> = default_profile(tree).into_iter().collect();
    findings.extend(file.services.iter().filter_map(unprofiled));
    for profile in [EMBEDDED, FULL] {
        findings.extend(builder(file, profile));
    }
    findings.extend(embedded(&tasks(file, EMBEDDED, roles), roles));
    let full = tasks(file, FULL, roles);
    findings.extend(roles.iter().filter_map(|role| role_service(&full, role)));
    findings.extend(full.iter().filter_map(role_name));
    let migrating = full
        .iter()
        .filter(|(_, task)| *task == Task::Other("migrate"))
        .count();
    if migrating != 1 {
        findings.push(format!(
            "{migrating} services of the profile {FULL} migrate, not one"
        ));
    }
    findings
}

fn default_profile(tree: &Tree) -> Option<String> {
    let wanted = format!("COMPOSE_PROFILES={EMBEDDED}");
    let is_set = |text: &str| text.lines().any(|line| line == wanted);
    (!tree.get(DEFAULTS).is_some_and(is_set)).then(|| {
        format!("{DEFAULTS} does not say {wanted}, so that nothing starts without a profile")
    })
}

fn unprofiled(service: &Service) -> Option<String> {
    let is_known = |profile: &String| [EMBEDDED, FULL].contains(&profile.as_str());
    let is_fine = !service.profiles.is_empty() && service.profiles.iter().all(is_known);
    (!is_fine).then(|| {
        let name = &service.name;
        format!(
            "{name} has the profiles [{}], not {EMBEDDED} or {FULL}",
            service.profiles.join(", ")
        )
    })
}

fn in_profile(service: &Service, profile: &str) -> bool {
    service.profiles.iter().any(|name| name == profile)
}

/// Two builds at once of one image get in each other's way; without any it would be pulled.
fn builder(file: &File, profile: &str) -> Option<String> {
    let builds = |service: &&Service| service.dockerfile.is_some() && in_profile(service, profile);
    let number = file.services.iter().filter(builds).count();
    (number != 1)
        .then(|| format!("{number} services of the profile {profile} build the image, not one"))
}

/// What our services of a profile do; commands that are not understood are said elsewhere.
fn tasks<'a>(file: &'a File, profile: &str, roles: &BTreeSet<String>) -> Vec<(&'a Service, Task)> {
    let ours = file.ours().filter(|service| in_profile(service, profile));
    ours.filter_map(|service| Some((service, Task::read(&service.command, roles).ok()?)))
        .collect()
}

fn embedded(tasks: &[(&Service, Task)], roles: &BTreeSet<String>) -> Option<String> {
    let is_fine = matches!(tasks, [(_, Task::Run(run))] if run == roles);
    (!is_fine).then(|| format!("the profile {EMBEDDED} is not one service that runs all roles"))
}

fn role_service(tasks: &[(&Service, Task)], role: &str) -> Option<String> {
    let number = tasks
        .iter()
        .filter(|(_, task)| task.roles().eq([role]))
        .count();
    (number != 1)
        .then(|| format!("{number} services of the profile {FULL} run just {role}, not one"))
}

/// Prometheus finds the replicas of a role by the name of its service.
fn role_name((service, task): &(&Service, Task)) -> Option<String> {
    let name = &service.name;
    if task.is_run() && !task.roles().eq([name.as_str()]) {
        let roles = task.roles().collect::<Vec<_>>().join(", ");
        return Some(format!(
            "{name} is named for another role than it runs: {roles}"
        ));
    }
    (task.is_run() && service.is_named)
        .then(|| format!("{name} has a container_name, so that it cannot have replicas"))
}

#[cfg(test)]
mod tests {
    use super::super::file::FILE;
    use super::*;

    const COMPOSE: &str = "
services:
  all: { profiles: [embedded], build: ., image: \"t:1\", command: run }
  migrate: { profiles: [full], build: ., image: \"t:1\", command: migrate }
  ingress: { profiles: [full], image: \"t:1\", command: run --roles ingress }
  tracker: { profiles: [full], image: \"t:1\", command: run --roles tracker }
  db: { profiles: [full], image: \"postgres:17\" }";
    const ENV: &str = "# The default.\nCOMPOSE_PROFILES=embedded\n";

    fn findings(compose: &str, env: &str) -> Vec<String> {
        let tree = Tree::of(&[(FILE, compose), (DEFAULTS, env)]);
        let roles = ["ingress".to_owned(), "tracker".to_owned()].into();
        check(&tree, &File::read(&tree).unwrap(), &roles)
    }

    fn changed(from: &str, to: &str) -> Vec<String> {
        assert!(COMPOSE.contains(from), "{from}");
        findings(&COMPOSE.replace(from, to), ENV)
    }

    #[test]
    fn one_process_or_a_service_per_role_is_fine() {
        assert_eq!(findings(COMPOSE, ENV), Vec::<String>::new());
    }

    #[test]
    fn a_service_that_would_start_in_both_is_named() {
        for (profiles, said) in [("", ""), ("profiles: [fool],", "fool")] {
            assert_eq!(
                changed(
                    "profiles: [full], image: \"postgres:17\"",
                    &format!("{profiles} image: \"postgres:17\"")
                ),
                [format!(
                    "db has the profiles [{said}], not embedded or full"
                )]
            );
        }
    }

    #[test]
    fn a_default_that_is_not_the_embedded_one_is_named() {
        for env in [
            "",
            "COMPOSE_PROFILES=embedded,full",
            "#COMPOSE_PROFILES=embedded",
        ] {
            assert_eq!(
                findings(COMPOSE, env),
                [
                    ".env does not say COMPOSE_PROFILES=embedded, so that nothing starts without a profile"
                ]
            );
        }
    }

    #[test]
    fn a_role_without_a_service_or_with_two_is_named() {
        assert_eq!(
            changed("run --roles tracker", "run --roles ingress"),
            [
                "2 services of the profile full run just ingress, not one",
                "0 services of the profile full run just tracker, not one",
                "tracker is named for another role than it runs: ingress",
            ]
        );
        assert_eq!(
            changed("command: migrate", "command: doctor"),
            ["0 services of the profile full migrate, not one"]
        );
        assert_eq!(
            changed("command: run }", "command: run --roles ingress }"),
            ["the profile embedded is not one service that runs all roles"]
        );
    }

    #[test]
    fn a_role_that_cannot_have_replicas_is_named() {
        assert_eq!(
            changed(
                "command: run --roles ingress",
                "command: run --roles ingress, container_name: in"
            ),
            ["ingress has a container_name, so that it cannot have replicas"]
        );
    }

    #[test]
    fn a_profile_that_builds_its_image_twice_or_never_is_named() {
        assert_eq!(
            changed(
                "[full], image: \"t:1\", command: run --roles ingress",
                "[full], build: ., image: \"t:1\", command: run --roles ingress"
            ),
            ["2 services of the profile full build the image, not one"]
        );
        assert_eq!(
            changed("[full], build: ., ", "[full], "),
            ["0 services of the profile full build the image, not one"]
        );
    }
}
