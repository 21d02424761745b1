//! What Grafana is given when it starts: the data source, and where the dashboards are.

use super::grafana::DASHBOARDS;
use crate::tidy::compose::file::File;
use crate::tidy::yaml::{self, scalar};
use crate::tree::Tree;

const SOURCES: &str = "deploy/grafana/provisioning/datasources/prometheus.yml";
const PROVIDERS: &str = "deploy/grafana/provisioning/dashboards/tidings.yml";

/// The uid of the data source, by which dashboards name it.
pub fn source(tree: &Tree) -> Result<String, String> {
    let file = yaml::read(tree, SOURCES)?;
    match scalar(&file["datasources"][0]["uid"]) {
        uid if uid.is_empty() => Err(format!("{SOURCES} provisions no data source with a uid")),
        uid => Ok(uid),
    }
}

/// The data source is a service of the compose file, and the folder where Grafana looks for dashboards is
/// where that file mounts them.
pub fn check(tree: &Tree, compose: &File) -> Vec<String> {
    let findings = [host(tree, compose), folder(tree, compose)];
    findings.into_iter().filter_map(Result::err).collect()
}

fn host(tree: &Tree, compose: &File) -> Result<(), String> {
    let file = yaml::read(tree, SOURCES)?;
    let url = scalar(&file["datasources"][0]["url"]);
    let host = url.trim_start_matches("http://").split(':').next();
    match host.and_then(|name| compose.service(name)) {
        Some(_) => Ok(()),
        None => Err(format!(
            "{SOURCES}: `{url}` leads to no service of the compose file"
        )),
    }
}

fn folder(tree: &Tree, compose: &File) -> Result<(), String> {
    let file = yaml::read(tree, PROVIDERS)?;
    let path = scalar(&file["providers"][0]["options"]["path"]);
    let wanted = (
        format!("./{}", DASHBOARDS.trim_end_matches('/')),
        path.clone(),
    );
    let mut services = compose.services.iter();
    if services.any(|service| service.mounts.contains(&wanted)) {
        return Ok(());
    }
    Err(format!(
        "{PROVIDERS}: nothing mounts {DASHBOARDS} at `{path}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    const SOURCE: &str = "datasources: [{ uid: source, url: \"http://prometheus:9090\" }]";
    const PROVIDER: &str = "providers: [{ options: { path: /etc/grafana/dashboards } }]";

    fn tree(source: &str, provider: &str) -> Tree {
        sample::tree(&[(SOURCES, source), (PROVIDERS, provider)])
    }

    fn findings(source: &str, provider: &str) -> Vec<String> {
        let tree = tree(source, provider);
        check(&tree, &File::read(&tree).unwrap())
    }

    #[test]
    fn a_source_and_a_folder_that_are_there_are_fine() {
        assert_eq!(findings(SOURCE, PROVIDER), Vec::<String>::new());
        assert_eq!(source(&tree(SOURCE, PROVIDER)).unwrap(), "source");
    }

    #[test]
    fn a_source_without_a_uid_or_of_no_service_is_named() {
        assert_eq!(
            source(&tree("datasources: []", PROVIDER)).unwrap_err(),
            format!("{SOURCES} provisions no data source with a uid")
        );
        assert_eq!(
            findings(&SOURCE.replace("prometheus:", "prom:"), PROVIDER),
            [format!(
                "{SOURCES}: `http://prom:9090` leads to no service of the compose file"
            )]
        );
    }

    #[test]
    fn a_folder_that_nothing_mounts_is_named() {
        assert_eq!(
            findings(SOURCE, &PROVIDER.replace("/etc", "/var")),
            [format!(
                "{PROVIDERS}: nothing mounts {DASHBOARDS} at `/var/grafana/dashboards`"
            )]
        );
    }
}
