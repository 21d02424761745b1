//! The dashboards, the alerts and what Prometheus scrapes speak of metrics and services that exist.

mod expression;
mod grafana;
mod metric;
mod prometheus;
mod provision;

use super::compose::file::File;
use crate::tree::Tree;
use metric::Metrics;

/// Every expression names metrics of the program and labels they have; every metric of the program is on a
/// panel; panels ask the data source that is provisioned; every role is scraped.
pub fn check(tree: &Tree) -> Vec<String> {
    check_all(tree).unwrap_or_else(|message| vec![message])
}

/// An error is a file without which nothing can be said.
fn check_all(tree: &Tree) -> Result<Vec<String>, String> {
    let metrics = Metrics::read(tree)?;
    let compose = File::read(tree)?;
    let source = provision::source(tree)?;
    let mut findings = provision::check(tree, &compose);
    findings.extend(grafana::check(tree, &metrics, &source));
    findings.extend(prometheus::check(tree, &metrics, &compose));
    Ok(findings)
}

/// Made-up files that the tests of all parts share.
#[cfg(test)]
mod sample {
    use crate::tree::Tree;

    pub const COMPOSE: &str = r#"
services:
  builder: { build: ., image: "tidings:local", command: migrate }
  ingress:
    image: "tidings:local"
    command: run --roles ingress
    environment: { TIDINGS_RUNTIME__ADMIN_LISTEN: "0.0.0.0:9090" }
  prometheus: { image: "prom/prometheus:v3", volumes: ["./deploy/prometheus:/etc/prometheus:ro"] }
  grafana: { image: "grafana:12", volumes: ["./deploy/grafana/dashboards:/etc/grafana/dashboards:ro"] }
"#;
    pub const NAMES: &str = r#"
        match self {
            Self::Reports => ("tidings_reports_total", &["outcome"], "Reports."),
            Self::Stages => (
                "tidings_stage_seconds",
                &["stage"],
                "Time.",
            ),
        }"#;
    pub const FAMILIES: &str = "let stages = HistogramOpts::from(opts(Name::Stages)).buckets(all);";

    /// The files above, and `more`.
    pub fn tree(more: &[(&str, &str)]) -> Tree {
        let mut files = vec![
            ("docker-compose.yml", COMPOSE),
            (super::metric::NAMES, NAMES),
            (super::metric::FAMILIES, FAMILIES),
        ];
        files.extend_from_slice(more);
        Tree::of(&files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_without_what_is_to_be_checked_is_not_fine() {
        assert_eq!(
            check(&Tree::default()),
            ["crates/telemetry/src/metrics/name.rs does not exist"]
        );
        assert_eq!(
            check(&sample::tree(&[])),
            ["deploy/grafana/provisioning/datasources/prometheus.yml does not exist"]
        );
        let source = (
            "deploy/grafana/provisioning/datasources/prometheus.yml",
            "datasources: [{ uid: source, url: \"http://prometheus:9090\" }]",
        );
        assert_eq!(
            check(&sample::tree(&[source])),
            [
                "deploy/grafana/provisioning/dashboards/tidings.yml does not exist",
                "tidings_reports_total is on no panel of deploy/grafana/dashboards/",
                "tidings_stage_seconds is on no panel of deploy/grafana/dashboards/",
                "deploy/prometheus/prometheus.yml does not exist",
            ]
        );
    }
}
