//! The dashboards of Grafana.

use std::collections::BTreeSet;

use super::expression::{Expression, template_labels};
use super::metric::Metrics;
use crate::tree::Tree;
use serde_json::Value;

/// The folder of the dashboards.
pub const DASHBOARDS: &str = "deploy/grafana/dashboards/";

/// What is wrong with the dashboards, all of which ask the data source of the uid `source`.
pub fn check(tree: &Tree, metrics: &Metrics, source: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let mut shown = BTreeSet::new();
    for (path, text) in files(tree) {
        let named = |finding: String| format!("{path}: {finding}");
        match serde_json::from_str(text) {
            Err(error) => findings.push(named(format!("it is not JSON: {error}"))),
            Ok(file) => {
                let dashboard = Dashboard {
                    file: &file,
                    metrics,
                    source,
                };
                findings.extend(dashboard.check().into_iter().map(named));
                shown.extend(dashboard.shown());
            }
        }
    }
    let unshown = metrics.names().filter(|name| !shown.contains(*name));
    findings.extend(unshown.map(|name| format!("{name} is on no panel of {DASHBOARDS}")));
    findings
}

fn files(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    let files = tree.with_extension(&["json"]);
    files.filter(|(path, _)| path.starts_with(DASHBOARDS))
}

/// One dashboard (grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model).
struct Dashboard<'a> {
    file: &'a Value,
    metrics: &'a Metrics,
    /// The uid of the data source.
    source: &'a str,
}

impl Dashboard<'_> {
    fn check(&self) -> Vec<String> {
        let mut findings = Vec::new();
        if text(&self.file["uid"]).is_empty() {
            findings.push("it has no uid, so that its address changes".to_owned());
        }
        if self.panels().is_empty() {
            findings.push("it has no panel".to_owned());
        }
        let mut ids = BTreeSet::new();
        for panel in self.panels() {
            let named = |finding| format!("the panel `{}`: {finding}", text(&panel["title"]));
            if !ids.insert(panel["id"].as_i64()) {
                findings.push(named("another has its id".to_owned()));
            }
            findings.extend(self.panel(panel).into_iter().map(named));
        }
        for variable in list(&self.file["templating"]["list"]) {
            let named = |finding| format!("the variable `{}`: {finding}", text(&variable["name"]));
            findings.extend(self.variable(variable).into_iter().map(named));
        }
        findings
    }

    /// Every panel but the headings of rows; a row that is folded has its panels inside.
    fn panels(&self) -> Vec<&Value> {
        let outer = list(&self.file["panels"]);
        let inner = outer.iter().flat_map(|panel| list(&panel["panels"]));
        outer
            .iter()
            .chain(inner)
            .filter(|panel| panel["type"] != "row")
            .collect()
    }

    fn panel(&self, panel: &Value) -> Vec<String> {
        let targets = list(&panel["targets"]);
        let mut findings: Vec<String> = self.source(panel).into_iter().collect();
        if targets.is_empty() {
            findings.push("it shows nothing".to_owned());
        }
        for target in targets {
            let legend = template_labels(text(&target["legendFormat"]));
            findings.extend(self.source(target));
            findings.extend(Expression::read(text(&target["expr"])).check(self.metrics, &legend));
        }
        findings
    }

    /// A variable of a query is `label_values(series, label)`.
    fn variable(&self, variable: &Value) -> Vec<String> {
        if variable["type"] != "query" {
            return Vec::new();
        }
        let mut findings: Vec<String> = self.source(variable).into_iter().collect();
        let query = text(&variable["query"]["query"]);
        let parts = query
            .strip_prefix("label_values(")
            .and_then(|rest| rest.strip_suffix(')'))
            .and_then(|rest| rest.rsplit_once(", "));
        match parts {
            Some((series, label)) => {
                let expression = Expression::read(series);
                findings.extend(expression.check(self.metrics, &[label.to_owned()]));
            }
            None => findings.push(format!("`{query}` is not label_values(series, label)")),
        }
        findings
    }

    fn source(&self, part: &Value) -> Option<String> {
        let uid = text(&part["datasource"]["uid"]);
        (uid != self.source).then(|| format!("its data source is `{uid}`, not `{}`", self.source))
    }

    fn shown(&self) -> BTreeSet<String> {
        let panels = self.panels();
        let targets = panels.iter().flat_map(|panel| list(&panel["targets"]));
        let expressions = targets.map(|target| Expression::read(text(&target["expr"])));
        expressions
            .flat_map(|expression| expression.families(self.metrics))
            .collect()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    const DASHBOARD: &str = r#"{
        "uid": "tidings",
        "templating": { "list": [{
            "name": "stage", "type": "query", "datasource": { "uid": "source" },
            "query": { "query": "label_values(tidings_stage_seconds_count{role=~\"$role\"}, stage)" }
        }] },
        "panels": [
            { "id": 1, "type": "row", "title": "Tracker", "panels": [] },
            { "id": 2, "type": "timeseries", "title": "Reports", "datasource": { "uid": "source" }, "targets": [{
                "datasource": { "uid": "source" },
                "expr": "sum by (outcome) (rate(tidings_reports_total[$__rate_interval]))",
                "legendFormat": "{{outcome}}"
            }] },
            { "id": 3, "type": "stat", "title": "All", "datasource": { "uid": "source" }, "targets": [
                { "datasource": { "uid": "source" }, "expr": "sum(tidings_reports_total)" },
                { "datasource": { "uid": "source" }, "expr": "sum(tidings_stage_seconds_sum)" }
            ] }
        ]
    }"#;

    fn findings(dashboard: &str) -> Vec<String> {
        let tree = sample::tree(&[("deploy/grafana/dashboards/a.json", dashboard)]);
        let metrics = Metrics::read(&tree).unwrap();
        check(&tree, &metrics, "source")
    }

    /// Without the path of the file.
    fn changed(from: &str, to: &str) -> Vec<String> {
        assert!(DASHBOARD.contains(from), "{from}");
        let findings = findings(&DASHBOARD.replacen(from, to, 1)).into_iter();
        let of_panel = |finding: String| finding.replace("deploy/grafana/dashboards/a.json: ", "");
        findings.map(of_panel).collect()
    }

    #[test]
    fn a_dashboard_that_says_the_truth_is_fine() {
        assert_eq!(findings(DASHBOARD), Vec::<String>::new());
    }

    #[test]
    fn a_metric_that_is_on_no_panel_is_named() {
        assert_eq!(
            changed("tidings_stage_seconds_sum", "tidings_reports_total"),
            ["tidings_stage_seconds is on no panel of deploy/grafana/dashboards/"]
        );
    }

    #[test]
    fn a_panel_of_nothing_that_exists_is_named() {
        for (from, to, finding) in [
            (
                "tidings_reports_total",
                "tidings_report_total",
                "tidings_report_total is not a metric of tidings",
            ),
            (
                "by (outcome)",
                "by (class)",
                "none of its metrics has a label class",
            ),
            (
                "{{outcome}}",
                "{{class}}",
                "none of its metrics has a label class",
            ),
            ("\"targets\"", "\"target\"", "it shows nothing"),
            (
                "\"expr\"",
                "\"expression\"",
                "it asks for no metric of tidings",
            ),
            (
                "\"title\": \"Reports\", \"datasource\": { \"uid\": \"source\" }",
                "\"title\": \"Reports\"",
                "its data source is ``, not `source`",
            ),
        ] {
            assert_eq!(
                changed(from, to),
                [format!("the panel `Reports`: {finding}")]
            );
        }
    }

    #[test]
    fn the_panels_of_a_folded_row_are_read() {
        let inside =
            r#""panels": [{ "id": 2, "title": "Inner", "datasource": { "uid": "source" } }]"#;
        assert_eq!(
            changed("\"panels\": []", inside),
            [
                "the panel `Inner`: another has its id",
                "the panel `Inner`: it shows nothing",
            ]
        );
    }

    #[test]
    fn a_variable_of_nothing_that_exists_is_named() {
        assert_eq!(
            changed(", stage)", ", state)"),
            ["the variable `stage`: none of its metrics has a label state"]
        );
        assert_eq!(changed("label_values(", "query_result(").len(), 1);
    }

    #[test]
    fn what_is_no_dashboard_is_named() {
        assert_eq!(
            changed("\"uid\": \"tidings\",", ""),
            ["it has no uid, so that its address changes"]
        );
        let findings = changed("\"panels\": [\n", "\"panel\": [\n");
        assert_eq!(findings[0], "it has no panel");
        assert!(changed("\"uid\": \"tidings\",", "uid")[0].starts_with("it is not JSON"));
    }
}
