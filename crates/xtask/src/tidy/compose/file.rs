//! What we want to know of a compose file (compose-spec.io).

use std::collections::{BTreeMap, BTreeSet};

use yaml_rust2::Yaml;

use crate::tidy::yaml::{self, entries, items, scalar, words};
use crate::tree::Tree;

/// The file at the root of the tree.
pub const FILE: &str = "docker-compose.yml";

/// The whole file.
#[derive(Debug, Default)]
pub struct File {
    /// In the order of the file.
    pub services: Vec<Service>,
    /// Secrets by their name, and the file each is read from.
    pub secrets: BTreeMap<String, String>,
    /// The named volumes.
    pub volumes: BTreeSet<String>,
}

/// One service.
#[derive(Debug, Default)]
pub struct Service {
    pub name: String,
    pub profiles: Vec<String>,
    /// The image it runs, with its tag.
    pub image: String,
    /// The path of the Dockerfile, for a service that builds its image.
    pub dockerfile: Option<String>,
    pub command: Vec<String>,
    /// The words of the health check, `CMD` included.
    pub health: Vec<String>,
    pub environment: BTreeMap<String, String>,
    /// Published ports: `127.0.0.1:8080:8080`, or with a range for the first 8080.
    pub ports: Vec<String>,
    /// The names of its secrets.
    pub secrets: Vec<String>,
    /// Named volumes and paths with the places they are mounted at.
    pub mounts: Vec<(String, String)>,
    /// The services it waits for, and for what.
    pub depends_on: BTreeMap<String, String>,
    /// Whether its container has a name of its own, so that there can be but one.
    pub is_named: bool,
}

impl File {
    /// Reads the file.
    pub fn read(tree: &Tree) -> Result<Self, String> {
        let file = yaml::read(tree, FILE)?;
        let secret = |(name, secret): (String, &Yaml)| (name, scalar(&secret["file"]));
        Ok(Self {
            services: entries(&file["services"])
                .map(|(name, service)| Service::read(name, service))
                .collect(),
            secrets: entries(&file["secrets"]).map(secret).collect(),
            volumes: entries(&file["volumes"]).map(|(name, _)| name).collect(),
        })
    }

    /// A service by its name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }

    /// The services that run an image which is built here.
    pub fn ours(&self) -> impl Iterator<Item = &Service> {
        let is_built = |image: &str| {
            let mut builders = self.services.iter();
            builders.any(|service| service.dockerfile.is_some() && service.image == image)
        };
        self.services
            .iter()
            .filter(move |service| service.dockerfile.is_some() || is_built(&service.image))
    }
}

impl Service {
    fn read(name: String, service: &Yaml) -> Self {
        Self {
            name,
            profiles: words(&service["profiles"]),
            image: scalar(&service["image"]),
            dockerfile: dockerfile(&service["build"]),
            command: words(&service["command"]),
            health: words(&service["healthcheck"]["test"]),
            environment: environment(&service["environment"]),
            ports: words(&service["ports"])
                .iter()
                .map(|port| filled(port))
                .collect(),
            secrets: items(&service["secrets"]).map(secret).collect(),
            mounts: items(&service["volumes"]).map(mount).collect(),
            depends_on: depends_on(&service["depends_on"]),
            is_named: !service["container_name"].is_badvalue(),
        }
    }
}

/// `build: DIRECTORY`, or `build: { context: DIRECTORY, dockerfile: FILE }`.
fn dockerfile(build: &Yaml) -> Option<String> {
    let context = build.as_str().or_else(|| build["context"].as_str())?;
    let file = build["dockerfile"].as_str().unwrap_or("Dockerfile");
    let path = format!("{}/{file}", context.trim_end_matches('/'));
    Some(path.trim_start_matches("./").to_owned())
}

/// A map, or a list of `NAME=value`.
fn environment(value: &Yaml) -> BTreeMap<String, String> {
    let pair = |entry: &Yaml| {
        let entry = scalar(entry);
        let (name, value) = entry.split_once('=').unwrap_or((&entry, ""));
        (name.to_owned(), value.to_owned())
    };
    entries(value)
        .map(|(name, value)| (name, scalar(value)))
        .chain(items(value).map(pair))
        .collect()
}

/// `NAME`, or `{ source: NAME, target: PATH }`.
fn secret(value: &Yaml) -> String {
    scalar(value.as_hash().map_or(value, |_| &value["source"]))
}

/// `SOURCE:TARGET`, with or without options.
fn mount(value: &Yaml) -> (String, String) {
    let text = scalar(value);
    let mut parts = text.split(':').map(str::to_owned);
    (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    )
}

/// A list of names, or a map from the name to a condition.
fn depends_on(value: &Yaml) -> BTreeMap<String, String> {
    let started = |name: &Yaml| (scalar(name), "service_started".to_owned());
    entries(value)
        .map(|(name, how)| (name, scalar(&how["condition"])))
        .chain(items(value).map(started))
        .collect()
}

/// The text with every `${NAME:-default}` as its default.
fn filled(text: &str) -> String {
    let Some((before, rest)) = text.split_once("${") else {
        return text.to_owned();
    };
    let (variable, after) = rest.split_once('}').unwrap_or((rest, ""));
    let default = variable.split_once(":-").map_or("", |(_, default)| default);
    format!("{before}{default}{}", filled(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> File {
        File::read(&Tree::of(&[(FILE, text)])).unwrap()
    }

    #[test]
    fn the_long_and_the_short_forms_say_the_same() {
        let file = of("services:
  long:
    build: {context: ./app, dockerfile: deploy/Dockerfile}
    command: [run, --roles, all]
    environment: {PORT: 80, NAME: x}
    ports: [127.0.0.1:80:80]
    secrets: [{source: key, target: /etc/key}]
    depends_on: {db: {condition: service_started}}
  short:
    build: app
    command: run --roles all
    environment: [PORT=80, NAME=x]
    ports: [\"127.0.0.1:${PORT:-80}:80\"]
    secrets: [key]
    depends_on: [db]");
        let (long, short) = (&file.services[0], &file.services[1]);
        assert_eq!(long.dockerfile.as_deref(), Some("app/deploy/Dockerfile"));
        assert_eq!(short.dockerfile.as_deref(), Some("app/Dockerfile"));
        assert_eq!(long.command, short.command);
        assert_eq!(long.environment, short.environment);
        assert_eq!(long.ports, short.ports);
        assert_eq!(long.secrets, short.secrets);
        assert_eq!(long.depends_on, short.depends_on);
    }

    #[test]
    fn ours_are_those_built_here_and_those_that_run_the_same_image() {
        let file = of("services:
  builder: {build: ., image: \"tidings:local\"}
  role: {image: \"tidings:local\"}
  db: {image: \"postgres:17\", volumes: [\"data:/data:ro\"]}
secrets: {key: {file: ./key}}
volumes: {data: }");
        let ours: Vec<_> = file.ours().map(|service| service.name.as_str()).collect();
        assert_eq!(ours, ["builder", "role"]);
        let db = file.service("db").unwrap();
        assert_eq!(db.mounts, [("data".to_owned(), "/data".to_owned())]);
        assert_eq!(file.secrets["key"], "./key");
        assert!(file.volumes.contains("data"));
    }

    #[test]
    fn what_is_not_yaml_is_an_error() {
        assert!(File::read(&Tree::of(&[(FILE, "a: [")])).is_err());
        assert!(of("").services.is_empty());
    }
}
