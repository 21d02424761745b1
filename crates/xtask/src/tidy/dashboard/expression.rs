//! What an expression of Prometheus asks for: enough of the language to find metrics and labels
//! (prometheus.io/docs/prometheus/latest/querying/basics).

use std::collections::BTreeSet;

use super::metric::Metrics;

/// The labels that every scraped series has: Prometheus gives them, not the program.
const OF_TARGET: [&str; 3] = ["instance", "job", "role"];

/// Whether a target answered: a series of Prometheus itself.
const UP: &str = "up";

/// Words that a list of labels in parentheses follows.
const GROUPING: [&str; 6] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];

/// A metric with the labels it is selected by.
#[derive(Debug, PartialEq, Eq)]
struct Selector {
    metric: String,
    labels: Vec<String>,
}

/// The metrics of an expression and the labels it groups by.
#[derive(Debug, Default)]
pub struct Expression {
    selectors: Vec<Selector>,
    grouping: Vec<String>,
}

/// A piece of an expression. Quoted texts, numbers and operators other than these are left out.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Sign(char),
    Quoted,
}

impl Expression {
    /// Finds the metrics and labels in `text`.
    pub fn read(text: &str) -> Self {
        let mut expression = Self::default();
        let tokens = tokens(text);
        for (at, token) in tokens.iter().enumerate() {
            let (Token::Word(word), after) = (token, &tokens[at + 1..]) else {
                continue;
            };
            if word.starts_with("tidings_") || word == UP {
                let labels = matched(after);
                expression.selectors.push(Selector {
                    metric: word.clone(),
                    labels,
                });
            } else if GROUPING.contains(&word.as_str()) {
                expression.grouping.extend(listed(after));
            }
        }
        expression
    }

    /// The families whose series it asks for.
    pub fn families(&self, metrics: &Metrics) -> BTreeSet<String> {
        let series = self
            .selectors
            .iter()
            .filter_map(|selector| metrics.find(&selector.metric).ok());
        series.map(|series| series.family).collect()
    }

    /// Metrics that do not exist, labels that they do not have, here or in the `others` that are made of the
    /// result (a legend, a text).
    pub fn check(&self, metrics: &Metrics, others: &[String]) -> Vec<String> {
        if self.selectors.is_empty() {
            return vec!["it asks for no metric of tidings".to_owned()];
        }
        let mut findings = Vec::new();
        let mut known: BTreeSet<String> = OF_TARGET.map(str::to_owned).into();
        for Selector { metric, labels } in &self.selectors {
            let of_metric = match metrics.find(metric) {
                Ok(series) => series.labels,
                Err(_) if metric == UP => BTreeSet::new(),
                Err(message) => {
                    findings.push(message);
                    continue;
                }
            };
            let is_unknown = |label: &&String| {
                !of_metric.contains(*label) && !OF_TARGET.contains(&label.as_str())
            };
            let unknown = labels.iter().filter(is_unknown);
            findings.extend(unknown.map(|label| format!("{metric} has no label {label}")));
            known.extend(of_metric);
        }
        if findings.is_empty() {
            let unknown = self
                .grouping
                .iter()
                .chain(others)
                .filter(|label| !known.contains(*label));
            findings
                .extend(unknown.map(|label| format!("none of its metrics has a label {label}")));
        }
        findings
    }
}

/// The labels of a text with templates: `{{role}}` of a legend, `{{ $labels.role }}` of an alert.
pub fn template_labels(text: &str) -> Vec<String> {
    let inner = text
        .split("{{")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once("}}")?.0.trim()));
    inner
        .filter_map(|inner| {
            let words = tokens(inner);
            match words.as_slice() {
                [Token::Word(label)] => Some(label.clone()),
                [
                    Token::Sign('$'),
                    Token::Word(labels),
                    Token::Sign('.'),
                    Token::Word(label),
                    ..,
                ] if labels == "labels" => Some(label.clone()),
                _ => None,
            }
        })
        .collect()
}

/// The names in `{name="value", …}`, where that follows.
fn matched(tokens: &[Token]) -> Vec<String> {
    enclosed(tokens, '{', '}')
        .windows(2)
        .filter_map(|pair| match pair {
            [Token::Word(name), Token::Sign('=' | '!')] => Some(name.clone()),
            _ => None,
        })
        .collect()
}

/// The names in `(name, …)`, where that follows.
fn listed(tokens: &[Token]) -> Vec<String> {
    let words = enclosed(tokens, '(', ')').iter();
    words
        .filter_map(|token| match token {
            Token::Word(name) => Some(name.clone()),
            Token::Sign(_) | Token::Quoted => None,
        })
        .collect()
}

fn enclosed(tokens: &[Token], open: char, close: char) -> &[Token] {
    match tokens.split_first() {
        Some((Token::Sign(sign), rest)) if *sign == open => {
            let end = rest.iter().position(|token| *token == Token::Sign(close));
            &rest[..end.unwrap_or(rest.len())]
        }
        _ => &[],
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' | '`' => {
                tokens.push(Token::Quoted);
                quoted_length(rest, first)
            }
            _ if is_word(first) => {
                let length = rest
                    .find(|character| !is_word(character))
                    .unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..length].to_owned()));
                length
            }
            _ => {
                if !first.is_whitespace() {
                    tokens.push(Token::Sign(first));
                }
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    tokens
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | ':')
}

/// The length of a quoted text, quotes included. A backslash keeps what follows from ending it.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        if character == quote && !is_escaped {
            return at + quote.len_utf8();
        }
        is_escaped = character == '\\' && !is_escaped && quote != '`';
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn findings(text: &str, others: &[&str]) -> Vec<String> {
        let metrics = Metrics::read(&sample::tree(&[])).unwrap();
        let others: Vec<String> = others.iter().map(|label| (*label).to_owned()).collect();
        Expression::read(text).check(&metrics, &others)
    }

    #[test]
    fn metrics_and_labels_that_exist_are_fine() {
        for text in [
            "tidings_reports_total",
            r#"sum by (outcome) (rate(tidings_reports_total{outcome!="a}\"b", role=~"$role"}[$__rate_interval]))"#,
            r#"histogram_quantile(0.99, sum by (le, stage) (rate(tidings_stage_seconds_bucket{le!="0.5"}[5m])))"#,
            r#"up{job="tidings"} == 0"#,
        ] {
            assert_eq!(
                findings(text, &["instance"]),
                Vec::<String>::new(),
                "{text}"
            );
        }
    }

    #[test]
    fn a_metric_that_does_not_exist_is_named() {
        assert_eq!(
            findings(
                "rate(tidings_report_total[5m]) / tidings_reports_total",
                &[]
            ),
            ["tidings_report_total is not a metric of tidings"]
        );
        assert_eq!(findings("tidings_stage_seconds", &[]).len(), 1);
        assert_eq!(
            findings("vector(1)", &[]),
            ["it asks for no metric of tidings"]
        );
        assert_eq!(findings("x{a=\"tidings_reports_total\"}", &[]).len(), 1);
    }

    #[test]
    fn a_label_that_a_metric_does_not_have_is_named() {
        assert_eq!(
            findings(
                r#"tidings_reports_total{outcome="dead", le="5", class=~".*"}"#,
                &[]
            ),
            [
                "tidings_reports_total has no label le",
                "tidings_reports_total has no label class",
            ]
        );
        assert_eq!(
            findings("sum without(le) (tidings_stage_seconds_sum)", &["outcome"]),
            [
                "none of its metrics has a label le",
                "none of its metrics has a label outcome",
            ]
        );
    }

    #[test]
    fn the_labels_of_legends_and_texts_are_found() {
        assert_eq!(
            template_labels("{{role}} at {{ instance }}"),
            ["role", "instance"]
        );
        assert_eq!(
            template_labels("{{ $labels.queue }} waits {{ $value | humanizeDuration }}"),
            ["queue"]
        );
    }
}
