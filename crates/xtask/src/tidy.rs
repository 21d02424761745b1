//! The house rules: what a compiler cannot know about this tree.

mod ban;
mod compose;
mod config_key;
mod crate_page;
mod dashboard;
mod deny;
mod exclusive;
mod layering;
mod licence;
mod lint;
mod migration;
mod source;
mod spdx;
mod sql;
mod yaml;

use std::fmt;
use std::path::Path;

use anyhow::ensure;

use crate::graph::Graph;
use crate::tree::Tree;

/// A sentence about something that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    rule: &'static str,
    message: String,
}

type Check = fn(&Tree, &Graph) -> Vec<String>;

const RULES: [(&str, Check); 11] = [
    ("layering", layering::check),
    ("exclusive use", |_, graph| exclusive::check(graph)),
    ("bans", |_, graph| ban::check(graph)),
    ("licences", |_, graph| licence::check(graph)),
    ("deny.toml", |tree, _| deny::check(tree)),
    ("sources", |tree, _| source::check(tree)),
    ("crate pages", crate_page::check),
    ("lints", lint::check),
    ("migrations", |tree, _| migration::check(tree)),
    ("compose", |tree, _| compose::check(tree)),
    ("dashboards", |tree, _| dashboard::check(tree)),
];

/// Checks every rule on the tree at `root`, prints what is found, and fails if anything is.
pub fn run(root: &Path) -> anyhow::Result<()> {
    let findings = check(&Tree::load(root)?, &Graph::load(root)?);
    for finding in &findings {
        println!("{finding}");
    }
    ensure!(
        findings.is_empty(),
        "house rules are broken: {} findings",
        findings.len()
    );
    println!("{} house rules hold", RULES.len());
    Ok(())
}

fn check(tree: &Tree, graph: &Graph) -> Vec<Finding> {
    let of_rule = |(rule, check): &(&'static str, Check)| {
        let rule = *rule;
        check(tree, graph)
            .into_iter()
            .map(move |message| Finding { rule, message })
    };
    RULES.iter().flat_map(of_rule).collect()
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.rule, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_tree_is_not_taken_for_a_tidy_one() {
        let findings = check(&Tree::default(), &Graph::default());
        let rules: Vec<_> = findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(
            rules,
            [
                "layering",
                "deny.toml",
                "migrations",
                "migrations",
                "compose",
                "dashboards"
            ]
        );
    }

    #[test]
    fn a_finding_says_which_rule_it_breaks() {
        let finding = Finding {
            rule: "bans",
            message: "atty 0.2 is banned".to_owned(),
        };
        assert_eq!(finding.to_string(), "bans: atty 0.2 is banned");
    }
}
