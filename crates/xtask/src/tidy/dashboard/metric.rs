//! The metrics of the program, as its source lists them.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::Tree;

/// The table of names: `Self::Reports => ("tidings_reports_total", &["outcome"], "…")`.
pub const NAMES: &str = "crates/telemetry/src/metrics/name.rs";

/// Where they are registered: `HistogramOpts::from(opts(Name::Stages))`.
pub const FAMILIES: &str = "crates/telemetry/src/metrics/family.rs";

/// The series that a histogram has instead of one of its own name.
const OF_HISTOGRAM: [&str; 3] = ["_bucket", "_sum", "_count"];

/// Every metric family of the program.
#[derive(Debug, Default)]
pub struct Metrics {
    families: BTreeMap<String, Family>,
}

#[derive(Debug, Default)]
struct Family {
    labels: BTreeSet<String>,
    is_histogram: bool,
}

/// A series that can be asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Series {
    /// The name of its family.
    pub family: String,
    /// The labels the program gives it.
    pub labels: BTreeSet<String>,
}

impl Metrics {
    /// Reads the source of the program.
    pub fn read(tree: &Tree) -> Result<Self, String> {
        let rows = tree.require(NAMES)?.split("Self::").filter_map(row);
        let histograms = histograms(tree.require(FAMILIES)?);
        let families: BTreeMap<_, _> = rows
            .map(|(variant, name, labels)| {
                let is_histogram = histograms.contains(variant);
                (
                    name,
                    Family {
                        labels,
                        is_histogram,
                    },
                )
            })
            .collect();
        if families.is_empty() {
            return Err(format!("{NAMES} lists no metrics"));
        }
        Ok(Self { families })
    }

    /// The names of the families.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.families.keys().map(String::as_str)
    }

    /// The series of a name, or the sentence that says why there is none.
    pub fn find(&self, name: &str) -> Result<Series, String> {
        if let Some(family) = self.families.get(name) {
            if family.is_histogram {
                return Err(format!(
                    "{name} is a histogram, which has only {}",
                    OF_HISTOGRAM.join(", ")
                ));
            }
            return Ok(Series {
                family: name.to_owned(),
                labels: family.labels.clone(),
            });
        }
        let part = |suffix: &'static str| Some((name.strip_suffix(suffix)?, suffix));
        let found = OF_HISTOGRAM
            .into_iter()
            .find_map(part)
            .and_then(|(base, suffix)| {
                let family = self
                    .families
                    .get(base)
                    .filter(|family| family.is_histogram)?;
                let le = (suffix == "_bucket").then(|| "le".to_owned());
                let labels = family.labels.iter().cloned().chain(le).collect();
                Some(Series {
                    family: base.to_owned(),
                    labels,
                })
            });
        found.ok_or_else(|| format!("{name} is not a metric of tidings"))
    }
}

/// The variant, the name and the labels of a row; nothing of what is no row.
fn row(text: &str) -> Option<(&str, String, BTreeSet<String>)> {
    let (variant, rest) = text.split_once(" => (")?;
    let (_, rest) = rest.split_once("\"tidings_")?;
    let (name, rest) = rest.split_once('"')?;
    let (labels, _) = rest.split_once("&[")?.1.split_once(']')?;
    let labels = labels.split('"').skip(1).step_by(2).map(str::to_owned);
    Some((variant, format!("tidings_{name}"), labels.collect()))
}

fn histograms(source: &str) -> BTreeSet<&str> {
    let starts = source.split("HistogramOpts::from(opts(Name::").skip(1);
    starts
        .filter_map(|text| Some(text.split_once(')')?.0))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn labels(name: &str) -> Result<Vec<String>, String> {
        let metrics = Metrics::read(&sample::tree(&[])).unwrap();
        metrics
            .find(name)
            .map(|series| series.labels.into_iter().collect())
    }

    #[test]
    fn a_metric_is_found_with_its_labels() {
        assert_eq!(
            labels("tidings_reports_total"),
            Ok(vec!["outcome".to_owned()])
        );
        assert_eq!(
            labels("tidings_reports_total_sum").unwrap_err(),
            "tidings_reports_total_sum is not a metric of tidings"
        );
    }

    #[test]
    fn a_histogram_is_asked_for_by_its_parts() {
        let of = |names: &[&str]| Ok(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(labels("tidings_stage_seconds_bucket"), of(&["le", "stage"]));
        assert_eq!(labels("tidings_stage_seconds_count"), of(&["stage"]));
        assert_eq!(
            labels("tidings_stage_seconds").unwrap_err(),
            "tidings_stage_seconds is a histogram, which has only _bucket, _sum, _count"
        );
    }

    #[test]
    fn a_source_without_metrics_is_not_taken_for_a_program_without_any() {
        let tree = Tree::of(&[(NAMES, "fn row() {}"), (FAMILIES, "")]);
        assert_eq!(
            Metrics::read(&tree).unwrap_err(),
            format!("{NAMES} lists no metrics")
        );
    }
}
