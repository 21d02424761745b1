//! What services listen on and what of it the host publishes.

use std::collections::{BTreeMap, BTreeSet};

use super::file::{File, Service};
use super::task::Task;
use crate::tidy::config_key::ConfigKeys;

/// The listener every process has. Whether the host publishes it is a choice: it has no authentication.
pub const ADMIN: &str = "TIDINGS_RUNTIME__ADMIN_LISTEN";

/// Published ports have the form `address:port:port`; without an address they are open to the network.
pub fn beyond_host(service: &Service) -> Vec<String> {
    service
        .ports
        .iter()
        .filter(|port| !port.starts_with("127.0.0.1:"))
        .map(|port| format!("the port {port} is published beyond 127.0.0.1"))
        .collect()
}

/// A service that runs roles says where each of them listens, so that others reach it, and publishes it.
pub fn listeners(service: &Service, task: &Task, keys: &ConfigKeys) -> Vec<String> {
    let of_role = |role: &str| format!("TIDINGS_{}__LISTEN", role.to_uppercase());
    let needed = task
        .roles()
        .map(of_role)
        .filter(|name| keys.has_environment_name(name))
        .chain(task.is_run().then(|| ADMIN.to_owned()));
    let unsaid = needed
        .filter(|name| !service.environment.contains_key(name))
        .map(|name| {
            format!("{name} is not set, so that nobody outside of the container reaches it")
        });
    let unreachable = listens(service)
        .filter(|(_, value)| !value.starts_with("0.0.0.0:"))
        .map(|(name, value)| {
            format!("{name} is {value}, which nobody outside of the container reaches")
        });
    unsaid
        .chain(unreachable)
        .chain(published(service))
        .collect()
}

/// The image exposes what the services that run it listen on, and nothing else.
pub fn exposed<'a>(services: impl Iterator<Item = &'a Service>, image: &str) -> Vec<String> {
    let listening: BTreeSet<String> = services.flat_map(listening).collect();
    let exposed: BTreeSet<String> = image
        .lines()
        .filter_map(|line| line.strip_prefix("EXPOSE "))
        .flat_map(str::split_whitespace)
        .map(str::to_owned)
        .collect();
    if listening == exposed {
        return Vec::new();
    }
    let (listening, exposed) = (said(&listening), said(&exposed));
    vec![format!(
        "its services listen on {listening}, but exposed are {exposed}"
    )]
}

/// Two services of a profile that want the same port of the host.
pub fn clashes(file: &File, profile: &str) -> Vec<String> {
    let mut owners = BTreeMap::new();
    let mut findings = Vec::new();
    for service in file
        .services
        .iter()
        .filter(|service| service.profiles.iter().any(|name| name == profile))
    {
        for port in service.ports.iter().flat_map(|port| host_ports(port)) {
            if let Some(other) = owners.insert(port, &service.name) {
                findings.push(format!(
                    "{other} and {} both publish the port {port} in the profile {profile}",
                    service.name
                ));
            }
        }
    }
    findings
}

fn published(service: &Service) -> Option<String> {
    let published: BTreeSet<String> = service.ports.iter().map(|port| last(port)).collect();
    let listening: BTreeSet<String> = listening(service).collect();
    let admin: BTreeSet<String> = service
        .environment
        .get(ADMIN)
        .map(|value| last(value))
        .into_iter()
        .collect();
    let owed = &listening - &admin;
    (!published.is_superset(&owed) || !published.is_subset(&listening)).then(|| {
        let (listening, published) = (said(&listening), said(&published));
        format!("it listens on {listening}, but published are {published}")
    })
}

/// `127.0.0.1:8080:8080` is one, `127.0.0.1:8080-8082:8080` are three.
fn host_ports(published: &str) -> impl Iterator<Item = u16> + use<> {
    let host = published.rsplit(':').nth(1).unwrap_or_default();
    let (first, last) = host.split_once('-').unwrap_or((host, host));
    let number = |text: &str| text.parse::<u16>().ok();
    number(first)
        .zip(number(last))
        .into_iter()
        .flat_map(|(first, last)| first..=last)
}

fn listening(service: &Service) -> impl Iterator<Item = String> {
    listens(service).map(|(_, value)| last(value))
}

fn listens(service: &Service) -> impl Iterator<Item = (&String, &String)> {
    let variables = service.environment.iter();
    variables.filter(|(name, _)| name.starts_with("TIDINGS_") && name.ends_with("LISTEN"))
}

fn last(text: &str) -> String {
    text.rsplit(':').next().unwrap_or_default().to_owned()
}

fn said(ports: &BTreeSet<String>) -> String {
    if ports.is_empty() {
        return "none".to_owned();
    }
    ports.iter().cloned().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(environment: &[(&str, &str)], ports: &[&str]) -> Service {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Service {
            name: "ingress".to_owned(),
            profiles: vec!["full".to_owned()],
            environment: environment.iter().map(owned).collect(),
            ports: ports.iter().map(|port| (*port).to_owned()).collect(),
            ..Service::default()
        }
    }

    fn findings(service: &Service) -> Vec<String> {
        let keys = ConfigKeys::read("[ingress]\nlisten = \"\"\n[runtime]\nadmin_listen = \"\"\n");
        let roles = ["ingress".to_owned(), "tracker".to_owned()];
        listeners(service, &Task::Run(roles.into()), &keys)
    }

    const INGRESS: (&str, &str) = ("TIDINGS_INGRESS__LISTEN", "0.0.0.0:8080");
    const RUNTIME: (&str, &str) = (ADMIN, "0.0.0.0:9090");

    #[test]
    fn the_admin_port_may_be_published_and_the_others_must_be() {
        for ports in [
            &["127.0.0.1:80:8080"][..],
            &["127.0.0.1:80:8080", "127.0.0.1:90:9090"],
        ] {
            assert_eq!(
                findings(&service(&[INGRESS, RUNTIME], ports)),
                Vec::<String>::new()
            );
        }
        assert_eq!(
            findings(&service(&[INGRESS, RUNTIME], &["127.0.0.1:90:9090"])),
            ["it listens on 8080, 9090, but published are 9090"]
        );
        assert_eq!(
            findings(&service(
                &[INGRESS, RUNTIME],
                &["127.0.0.1:80:8080", "127.0.0.1:1:81"]
            )),
            ["it listens on 8080, 9090, but published are 8080, 81"]
        );
    }

    #[test]
    fn a_listener_that_is_unset_or_inside_only_is_named() {
        assert_eq!(
            findings(&service(&[RUNTIME], &[])),
            [
                "TIDINGS_INGRESS__LISTEN is not set, so that nobody outside of the container reaches it"
            ]
        );
        let inside = ("TIDINGS_INGRESS__LISTEN", "127.0.0.1:8080");
        assert_eq!(
            findings(&service(&[inside, RUNTIME], &["127.0.0.1:80:8080"])).len(),
            1
        );
    }

    #[test]
    fn a_port_open_to_the_network_is_named() {
        assert_eq!(
            beyond_host(&service(&[], &["8080:8080", "127.0.0.1:1:1"])),
            ["the port 8080:8080 is published beyond 127.0.0.1"]
        );
    }

    #[test]
    fn an_image_that_exposes_something_else_is_named() {
        let services = [service(&[INGRESS], &[]), service(&[RUNTIME], &[])];
        assert_eq!(
            exposed(services.iter(), "EXPOSE 8080 9090"),
            Vec::<String>::new()
        );
        assert_eq!(
            exposed(services.iter(), "EXPOSE 8080"),
            ["its services listen on 8080, 9090, but exposed are 8080"]
        );
    }

    #[test]
    fn two_that_want_the_same_port_of_the_host_are_named() {
        let file = File {
            services: vec![
                service(&[], &["127.0.0.1:8080-8082:8080"]),
                service(&[], &["127.0.0.1:8081:8081"]),
            ],
            ..File::default()
        };
        assert_eq!(
            clashes(&file, "full"),
            ["ingress and ingress both publish the port 8081 in the profile full"]
        );
        assert_eq!(clashes(&file, "embedded"), Vec::<String>::new());
    }
}
