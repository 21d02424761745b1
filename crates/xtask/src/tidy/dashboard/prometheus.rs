//! What Prometheus scrapes, and its alerts.

use std::collections::BTreeSet;

use yaml_rust2::Yaml;

use super::expression::{Expression, template_labels};
use super::metric::Metrics;
use crate::tidy::compose::file::{File, Service};
use crate::tidy::compose::port::ADMIN;
use crate::tidy::yaml::{self, entries, items, scalar, words};
use crate::tree::Tree;

const DIRECTORY: &str = "deploy/prometheus/";
const FILE: &str = "deploy/prometheus/prometheus.yml";

/// Every service that serves metrics is scraped at its admin port and nothing else is; the files of rules
/// exist, and their alerts say who is woken and why, about metrics that exist.
pub fn check(tree: &Tree, metrics: &Metrics, compose: &File) -> Vec<String> {
    let file = match yaml::read(tree, FILE) {
        Ok(file) => file,
        Err(message) => return vec![message],
    };
    let mut findings: Vec<String> = scraped(&file, compose)
        .into_iter()
        .map(|finding| format!("{FILE}: {finding}"))
        .collect();
    for name in words(&file["rule_files"]) {
        let path = format!("{DIRECTORY}{name}");
        match yaml::read(tree, &path) {
            Ok(rules) => {
                let named = |finding| format!("{path}: {finding}");
                findings.extend(alerts(&rules, metrics).into_iter().map(named));
            }
            Err(message) => findings.push(message),
        }
    }
    findings
}

fn scraped(file: &Yaml, compose: &File) -> Vec<String> {
    let mut findings = Vec::new();
    let mut names = BTreeSet::new();
    for look_up in items(&file["scrape_configs"]).flat_map(|job| items(&job["dns_sd_configs"])) {
        if look_up["type"].as_str() != Some("A") {
            findings.push("the look-up is not of the type A".to_owned());
        }
        let port = scalar(&look_up["port"]);
        for name in words(&look_up["names"]) {
            findings.extend(target(compose, &name, &port));
            names.insert(name);
        }
    }
    let missed = compose
        .services
        .iter()
        .filter(|service| is_found_by_name(service) && !names.contains(&service.name));
    findings.extend(missed.map(|service| format!("{} is not scraped", service.name)));
    findings
}

/// The roles of the full profile; the embedded process publishes its metrics instead.
fn is_found_by_name(service: &Service) -> bool {
    let publishes = |address: &String| {
        let port = address.rsplit(':').next().unwrap_or_default();
        service
            .ports
            .iter()
            .any(|published| published.ends_with(&format!(":{port}")))
    };
    service
        .environment
        .get(ADMIN)
        .is_some_and(|address| !publishes(address))
        && service
            .command
            .first()
            .is_some_and(|command| command == "run")
}

fn target(compose: &File, name: &str, port: &str) -> Option<String> {
    let Some(service) = compose.service(name) else {
        return Some(format!("{name} is no service of the compose file"));
    };
    let address = service.environment.get(ADMIN);
    let serves = address.is_some_and(|address| address.ends_with(&format!(":{port}")));
    (!serves).then(|| format!("{name} serves no metrics at the port {port}"))
}

fn alerts(file: &Yaml, metrics: &Metrics) -> Vec<String> {
    let rules: Vec<&Yaml> = items(&file["groups"])
        .flat_map(|group| items(&group["rules"]))
        .collect();
    if rules.is_empty() {
        return vec!["it has no rules".to_owned()];
    }
    let of_rule = |rule: &&Yaml| {
        let name = scalar(&rule["alert"]);
        let findings = alert(rule, metrics).into_iter();
        findings.map(move |finding| format!("the alert `{name}`: {finding}"))
    };
    rules.iter().flat_map(of_rule).collect()
}

fn alert(rule: &Yaml, metrics: &Metrics) -> Vec<String> {
    let texts: Vec<String> = entries(&rule["annotations"])
        .map(|(_, text)| scalar(text))
        .collect();
    let labels: Vec<String> = texts
        .iter()
        .flat_map(|text| template_labels(text))
        .collect();
    let mut findings = Expression::read(&scalar(&rule["expr"])).check(metrics, &labels);
    if !matches!(
        rule["labels"]["severity"].as_str(),
        Some("critical" | "warning")
    ) {
        findings.push("its severity is not critical or warning".to_owned());
    }
    if scalar(&rule["annotations"]["summary"]).is_empty() {
        findings.push("it has no summary".to_owned());
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    const SCRAPE: &str = "
rule_files: [alerts.yml]
scrape_configs:
  - dns_sd_configs: [{ names: [ingress], type: A, port: 9090 }]";
    const ALERTS: &str = "
groups:
  - rules:
      - alert: DeadLetters
        expr: sum by (outcome) (increase(tidings_reports_total{outcome=\"dead\"}[5m])) > 0
        labels: { severity: critical }
        annotations: { summary: \"{{ $labels.outcome }} is {{ $value }}\" }";

    fn findings(scrape: &str, alerts: &str) -> Vec<String> {
        let tree = sample::tree(&[(FILE, scrape), ("deploy/prometheus/alerts.yml", alerts)]);
        let metrics = Metrics::read(&tree).unwrap();
        check(&tree, &metrics, &File::read(&tree).unwrap())
    }

    #[test]
    fn roles_that_are_scraped_and_alerts_that_can_fire_are_fine() {
        assert_eq!(findings(SCRAPE, ALERTS), Vec::<String>::new());
    }

    #[test]
    fn a_target_that_is_not_there_or_not_asked_for_is_named() {
        for (from, to, expected) in [
            (
                "[ingress]",
                "[ingress, pager]",
                "pager is no service of the compose file",
            ),
            (
                "[ingress]",
                "[ingress, grafana]",
                "grafana serves no metrics at the port 9090",
            ),
            ("9090", "9091", "ingress serves no metrics at the port 9091"),
            ("[ingress]", "[]", "ingress is not scraped"),
            ("type: A", "type: SRV", "the look-up is not of the type A"),
        ] {
            assert!(SCRAPE.contains(from), "{from}");
            assert_eq!(
                findings(&SCRAPE.replace(from, to), ALERTS),
                [format!("{FILE}: {expected}")]
            );
        }
        assert_eq!(
            findings(&SCRAPE.replace("alerts", "alarms"), ALERTS),
            ["deploy/prometheus/alarms.yml does not exist"]
        );
    }

    #[test]
    fn an_alert_that_can_never_fire_or_says_nothing_is_named() {
        for (from, to, expected) in [
            (
                "tidings_reports_total",
                "tidings_report_total",
                "tidings_report_total is not a metric of tidings",
            ),
            (
                "outcome=",
                "state=",
                "tidings_reports_total has no label state",
            ),
            (
                "$labels.outcome",
                "$labels.state",
                "none of its metrics has a label state",
            ),
            (
                "critical",
                "high",
                "its severity is not critical or warning",
            ),
            ("summary", "text", "it has no summary"),
        ] {
            assert!(ALERTS.contains(from), "{from}");
            assert_eq!(
                findings(SCRAPE, &ALERTS.replace(from, to)),
                [format!(
                    "deploy/prometheus/alerts.yml: the alert `DeadLetters`: {expected}"
                )]
            );
        }
        assert_eq!(
            findings(SCRAPE, "groups: []"),
            ["deploy/prometheus/alerts.yml: it has no rules"]
        );
    }
}
