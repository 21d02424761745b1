//! What the containers of `docker-compose.yml` run, without containers.

use crate::app::SOON;
use crate::distributed::{PATH, PROGRAM, delivered, said, set_up};
use crate::servers::{KEY, Servers};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use testkit::{ADMIN_KEY, Endpoint, Ingress, Launch, Process};
use yaml_rust2::{Yaml, YamlLoader};

const FILE: &str = include_str!("../../../../docker-compose.yml");
const ADMIN_KEY_FILE: &str = "TIDINGS_SUBSCRIPTIONS__ADMIN_KEY_FILE";

#[tokio::test]
async fn the_full_profile_runs_with_its_own_commands_and_settings() {
    let Some(servers) = Servers::find_bare().await else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let secrets = Secrets::write(root.path(), &servers);
    let (migrate, roles) = full_profile();
    let data_dir = root.path().join("data").display().to_string();
    let mut settings = secrets.settings(&migrate);
    settings.push(("TIDINGS_DATA_DIR".to_owned(), data_dir));
    let migrated =
        Process::run_command(PROGRAM, &as_str(&migrate.command), &pairs(&settings)).await;
    assert!(migrated.status.success(), "{}", said(&migrated));

    let mut processes = BTreeMap::new();
    for service in &roles {
        let data_dir = root.path().join(&service.name);
        let mut settings = secrets.settings(service);
        let arguments = as_str(&service.command);
        let mut launch = Launch::new(PROGRAM, &data_dir)
            .settings(&pairs(&settings))
            .args(arguments.strip_prefix(&["run"]).unwrap());
        if service.environment.contains_key(ADMIN_KEY_FILE) {
            launch = launch.without_setting("TIDINGS_SUBSCRIPTIONS__ADMIN_KEY");
        }
        processes.insert(service.name.as_str(), launch.start().await);
        // Its health check.
        settings.push((
            "TIDINGS_DATA_DIR".to_owned(),
            data_dir.display().to_string(),
        ));
        let doctor = Process::run_command(PROGRAM, &["doctor"], &pairs(&settings)).await;
        assert!(doctor.status.success(), "{}", said(&doctor));
    }
    let endpoint = Endpoint::start().await;
    set_up(&processes["subscriptions"].api_url(), &endpoint).await;
    let ingress = Ingress::new(&processes["ingress"].ingress_url());
    ingress.post_json(PATH, delivered()).await.expect(200);
    endpoint.wait_for(1, SOON).await;
}

/// A service whose image is built here.
struct Service {
    name: String,
    command: Vec<String>,
    environment: BTreeMap<String, String>,
}

/// `migrate`, and one service for each role.
fn full_profile() -> (Service, Vec<Service>) {
    let file = YamlLoader::load_from_str(FILE).unwrap().remove(0);
    let services = file["services"].as_hash().unwrap();
    let of_profile = services.iter().filter(|(_, service)| {
        let image = member(service, "image");
        let profiles = member(service, "profiles");
        let is_ours = image.is_some_and(|image| image.as_str() == Some("tidings:local"));
        is_ours && profiles == Some(&Yaml::Array(vec![Yaml::String("full".to_owned())]))
    });
    let mut all: Vec<Service> = of_profile
        .map(|(name, service)| Service {
            name: name.as_str().unwrap().to_owned(),
            command: words(member(service, "command").unwrap()),
            environment: map(member(service, "environment").unwrap()),
        })
        .collect();
    let migrate = all
        .iter()
        .position(|service| service.command == ["migrate"]);
    let migrate = all.remove(migrate.unwrap());
    assert_eq!(all.len(), 5, "one for each role");
    (migrate, all)
}

/// A member of a map, or of a map that is merged into it.
fn member<'a>(of: &'a Yaml, name: &str) -> Option<&'a Yaml> {
    let below = || member(of.as_hash()?.get(&Yaml::String("<<".to_owned()))?, name);
    let own = of.as_hash()?.get(&Yaml::String(name.to_owned()));
    own.or_else(below)
}

fn words(of: &Yaml) -> Vec<String> {
    match of {
        Yaml::String(text) => text.split(' ').map(str::to_owned).collect(),
        other => other
            .as_vec()
            .unwrap()
            .iter()
            .map(|word| word.as_str().unwrap().to_owned())
            .collect(),
    }
}

fn map(of: &Yaml) -> BTreeMap<String, String> {
    let mut whole = BTreeMap::new();
    for (name, value) in of.as_hash().unwrap() {
        match name.as_str().unwrap() {
            "<<" => whole.extend(map(value)),
            name => {
                whole.insert(name.to_owned(), value.as_str().unwrap().to_owned());
            }
        }
    }
    whole
}

/// Files such as the containers have them below `/run/secrets`.
struct Secrets {
    directory: PathBuf,
    namespace: String,
}

impl Secrets {
    fn write(directory: &Path, servers: &Servers) -> Self {
        for (name, value) in [
            ("store_url", servers.database.as_str()),
            ("broker_url", &servers.amqp),
            ("encryption_key", KEY),
            ("admin_key", ADMIN_KEY),
        ] {
            std::fs::write(directory.join(name), format!("{value}\n")).unwrap();
        }
        Self {
            directory: directory.to_owned(),
            namespace: servers.namespace.clone(),
        }
    }

    /// The environment of a container, with free ports of this machine, the secrets' real places, queues of
    /// the test's own, and leave to reach the test's endpoint.
    fn settings(&self, service: &Service) -> Vec<(String, String)> {
        let mut settings: Vec<(String, String)> = service
            .environment
            .iter()
            .map(|(name, value)| (name.clone(), self.here(name, value)))
            .collect();
        for (name, value) in [
            ("TIDINGS_BROKER__NAMESPACE", self.namespace.as_str()),
            ("TIDINGS_EGRESS__ALLOW_NETWORKS", "127.0.0.0/8"),
        ] {
            settings.push((name.to_owned(), value.to_owned()));
        }
        settings
    }

    fn here(&self, name: &str, value: &str) -> String {
        if let Some(secret) = value.strip_prefix("/run/secrets/") {
            return self.directory.join(secret).display().to_string();
        }
        if name.ends_with("LISTEN") {
            return "127.0.0.1:0".to_owned();
        }
        // `${NAME:-default}`, and nobody has set NAME.
        match value
            .strip_prefix("${")
            .and_then(|rest| rest.strip_suffix('}'))
        {
            Some(variable) => variable.split_once(":-").unwrap().1.to_owned(),
            None => value.to_owned(),
        }
    }
}

fn as_str(of: &[String]) -> Vec<&str> {
    of.iter().map(String::as_str).collect()
}

fn pairs(of: &[(String, String)]) -> Vec<(&str, &str)> {
    of.iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}
