//! What we want to know of a compose file (compose-spec.io).

use std::collections::BTreeMap;

use yaml_rust2::{Yaml, YamlLoader};

/// One service, as far as the program has a say in it.
#[derive(Debug, Default)]
pub struct Service {
    pub name: String,
    /// The path of the Dockerfile, for a service that is built and not pulled.
    pub image: Option<String>,
    pub command: Vec<String>,
    /// The words of the health check, `CMD` included.
    pub health: Vec<String>,
    pub environment: BTreeMap<String, String>,
    /// Published ports as they are written: `127.0.0.1:8080:8080`.
    pub ports: Vec<String>,
}

/// Reads the services in the order of the file.
pub fn read(text: &str) -> Result<Vec<Service>, String> {
    let documents = YamlLoader::load_from_str(text)
        .map_err(|error| format!("docker-compose.yml is not YAML: {error}"))?;
    let services = documents
        .first()
        .and_then(|file| file["services"].as_hash());
    let entries = services.into_iter().flatten();
    Ok(entries
        .map(|(name, service)| read_service(&scalar(name), service))
        .collect())
}

fn read_service(name: &str, service: &Yaml) -> Service {
    Service {
        name: name.to_owned(),
        image: dockerfile(&service["build"]),
        command: words(&service["command"]),
        health: words(&service["healthcheck"]["test"]),
        environment: environment(&service["environment"]),
        ports: words(&service["ports"]),
    }
}

/// `build: DIRECTORY`, or `build: { context: DIRECTORY, dockerfile: FILE }`.
fn dockerfile(build: &Yaml) -> Option<String> {
    let context = build.as_str().or_else(|| build["context"].as_str())?;
    let file = build["dockerfile"].as_str().unwrap_or("Dockerfile");
    let path = format!("{}/{file}", context.trim_end_matches('/'));
    Some(path.trim_start_matches("./").to_owned())
}

fn words(value: &Yaml) -> Vec<String> {
    match value {
        Yaml::Array(items) => items.iter().map(scalar).collect(),
        Yaml::String(text) => text.split_whitespace().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// A map, or a list of `NAME=value`.
fn environment(value: &Yaml) -> BTreeMap<String, String> {
    if let Some(entries) = value.as_hash() {
        return entries
            .iter()
            .map(|(name, value)| (scalar(name), scalar(value)))
            .collect();
    }
    let pair = |entry: String| {
        let (name, value) = entry.split_once('=').unwrap_or((&entry, ""));
        (name.to_owned(), value.to_owned())
    };
    words(value).into_iter().map(pair).collect()
}

fn scalar(value: &Yaml) -> String {
    match value {
        Yaml::String(text) | Yaml::Real(text) => text.clone(),
        Yaml::Integer(number) => number.to_string(),
        Yaml::Boolean(flag) => flag.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_long_and_the_short_forms_say_the_same() {
        let long = "services:
  a:
    build: {context: ./app, dockerfile: deploy/Dockerfile}
    command: [run, --roles, all]
    environment: {PORT: 80, NAME: x}
    ports: [127.0.0.1:80:80]";
        let short = "services:
  a:
    build: app
    command: run --roles all
    environment: [PORT=80, NAME=x]
    ports: [\"127.0.0.1:80:80\"]";
        let (long, short) = (
            read(long).unwrap().remove(0),
            read(short).unwrap().remove(0),
        );
        assert_eq!(long.image.as_deref(), Some("app/deploy/Dockerfile"));
        assert_eq!(short.image.as_deref(), Some("app/Dockerfile"));
        assert_eq!(long.command, short.command);
        assert_eq!(long.environment, short.environment);
        assert_eq!(long.ports, short.ports);
    }

    #[test]
    fn a_service_that_is_pulled_has_no_dockerfile() {
        let services = read("services: {db: {image: postgres}}").unwrap();
        assert_eq!(services[0].name, "db");
        assert!(services[0].image.is_none());
    }

    #[test]
    fn what_is_not_yaml_is_an_error() {
        assert!(read("a: [").is_err());
        assert!(read("").unwrap().is_empty());
    }
}
