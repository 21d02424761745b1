//! Libraries that only one of our crates may know, and those the domain may not know at all.

use crate::graph::{Graph, Kind};

/// Packages and the only crates that may depend on them directly, outside of their tests.
const EXCLUSIVE: [(&str, &[&str]); 10] = [
    ("diesel", &["store"]),
    ("diesel-async", &["store"]),
    ("diesel_migrations", &["store"]),
    ("tokio-postgres", &["store"]),
    ("lapin", &["broker"]),
    ("rusqlite", &["broker"]),
    ("hyper", &["egress", "testkit"]),
    ("hyper-util", &["egress", "testkit"]),
    ("hyper-rustls", &["egress", "testkit"]),
    ("config", &["config"]),
];

/// What would let the domain do input or output, wherever below it.
const NOT_BELOW_DOMAIN: [&str; 8] = [
    "actix-web",
    "diesel",
    "hyper",
    "lapin",
    "mio",
    "reqwest",
    "rusqlite",
    "tokio",
];

/// Each exclusive library is used by its owner alone, and the domain does no input or output.
pub fn check(graph: &Graph) -> Vec<String> {
    EXCLUSIVE
        .iter()
        .flat_map(|(library, owners)| strangers(graph, library, owners))
        .chain(below_domain(graph))
        .collect()
}

fn strangers(graph: &Graph, library: &str, owners: &[&str]) -> Vec<String> {
    graph
        .ours()
        .filter(|package| !owners.contains(&package.short_name()))
        .filter(|package| {
            package
                .depends_on(&[Kind::Normal, Kind::Build])
                .any(|name| name == library)
        })
        .map(|package| {
            let name = package.short_name();
            format!(
                "{name} depends on {library}, which only {} may",
                owners.join(" and ")
            )
        })
        .collect()
}

fn below_domain(graph: &Graph) -> Vec<String> {
    graph
        .our("domain")
        .into_iter()
        .flat_map(|domain| graph.below(domain))
        .filter(|package| NOT_BELOW_DOMAIN.contains(&package.name.as_str()))
        .map(|package| {
            format!(
                "domain is built on {}, but does no input or output",
                package.name
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::sample::{external, graph, ours};

    #[test]
    fn an_owner_may_use_its_library_and_tests_may_use_any() {
        let graph = graph(vec![
            ours("crates/store", &["diesel"], &["rusqlite"]),
            ours("crates/config", &["config"], &[]),
            ours("services/tracker", &["tidings-config"], &[]),
        ]);
        assert_eq!(check(&graph), Vec::<String>::new());
    }

    #[test]
    fn a_stranger_is_named() {
        let graph = graph(vec![ours("services/tracker", &["diesel", "hyper"], &[])]);
        assert_eq!(
            check(&graph),
            [
                "tracker depends on diesel, which only store may",
                "tracker depends on hyper, which only egress and testkit may",
            ]
        );
    }

    #[test]
    fn the_domain_may_not_reach_the_network_through_another_crate_either() {
        let mut middle = external("middle", "1.0.0");
        middle.resolved = vec!["tokio".to_owned()];
        let domain = ours("crates/domain", &["middle"], &[]);
        let graph = graph(vec![domain, middle, external("tokio", "1.0.0")]);
        assert_eq!(
            check(&graph),
            ["domain is built on tokio, but does no input or output"]
        );
    }
}
