//! Who of ours may depend on whom, as the `layering` block of the architecture page says.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{Graph, Kind, Package};
use crate::tree::Tree;

const PAGE: &str = "docs/ARCHITECTURE.md";
const TESTKIT: &str = "testkit";
const EXECUTABLE: &str = "tidings";

/// The short names each crate may depend on.
type Layers<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// Every crate has a line, every dependency is on it, and every name on it is a dependency. Tests may
/// also use `testkit` and whatever lies further below their crate.
pub fn check(tree: &Tree, graph: &Graph) -> Vec<String> {
    let layers = match tree.require(PAGE).and_then(parse) {
        Ok(layers) => layers,
        Err(message) => return vec![message],
    };
    let unknown = layers
        .keys()
        .filter(|name| graph.our(name).is_none())
        .map(|name| format!("{PAGE} has a line for {name}, which is not a crate of the workspace"));
    unknown
        .chain(
            graph
                .ours()
                .flat_map(|package| check_crate(package, graph, &layers)),
        )
        .collect()
}

fn parse(page: &str) -> Result<Layers<'_>, String> {
    let mut lines = page.lines().skip_while(|line| line.trim() != "```layering");
    if lines.next().is_none() {
        return Err(format!("{PAGE} has no ```layering block"));
    }
    let mut layers = Layers::new();
    for line in lines
        .take_while(|line| line.trim() != "```")
        .filter(|line| !line.trim().is_empty())
    {
        let (name, below) = line
            .split_once(':')
            .ok_or_else(|| format!("{PAGE}: the layering line `{line}` is not `crate: crates`"))?;
        let name = name.trim();
        if layers
            .insert(name, below.split_whitespace().collect())
            .is_some()
        {
            return Err(format!("{PAGE} has two layering lines for {name}"));
        }
    }
    Ok(layers)
}

fn check_crate(package: &Package, graph: &Graph, layers: &Layers<'_>) -> Vec<String> {
    let name = package.short_name();
    let Some(allowed) = layers.get(name) else {
        return vec![format!(
            "{name} has no line in the layering block of {PAGE}"
        )];
    };
    let built = our_dependencies(package, graph, &[Kind::Normal, Kind::Build]);
    let tested = our_dependencies(package, graph, &[Kind::Dev]);
    let below = reachable(name, layers);

    let unlisted = built
        .iter()
        .filter(|other| !allowed.contains(*other))
        .map(|other| format!("{name} depends on {other}, which {PAGE} does not list for it"));
    let unused = allowed
        .iter()
        .filter(|other| !built.contains(*other))
        .map(|other| format!("{PAGE} lists {other} for {name}, which does not depend on it"));
    let too_high = tested
        .iter()
        .filter(|other| **other != TESTKIT && !below.contains(*other))
        .map(|other| format!("the tests of {name} use {other}, which is not below it"));
    let kit = built
        .iter()
        .filter(|other| **other == TESTKIT)
        .map(|_| format!("{name} depends on {TESTKIT}, which is for dev-dependencies only"));
    let beside = built
        .union(&tested)
        .filter(|other| is_beside(package, other, graph))
        .map(|other| format!("{name} depends on {other}: services never depend on each other"));
    unlisted
        .chain(unused)
        .chain(too_high)
        .chain(kit)
        .chain(beside)
        .collect()
}

fn our_dependencies<'a>(package: &Package, graph: &'a Graph, kinds: &[Kind]) -> BTreeSet<&'a str> {
    let named = |name: &str| graph.ours().find(|other| other.name == name);
    package
        .depends_on(kinds)
        .filter_map(named)
        .map(Package::short_name)
        .collect()
}

fn reachable<'a>(name: &'a str, layers: &Layers<'a>) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut open = vec![name];
    while let Some(name) = open.pop() {
        let below = layers.get(name).into_iter().flatten().copied();
        open.extend(below.filter(|name| seen.insert(*name)));
    }
    seen
}

fn is_beside(package: &Package, other: &str, graph: &Graph) -> bool {
    package.is_service()
        && package.short_name() != EXECUTABLE
        && graph.our(other).is_some_and(Package::is_service)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::sample::{graph, ours};

    const BLOCK: &str = "\
# Architecture
```layering
domain:
wire: domain
broker: wire
testkit:
```
";

    fn findings(block: &str, packages: Vec<Package>) -> Vec<String> {
        check(&Tree::of(&[(PAGE, block)]), &graph(packages))
    }

    fn workspace() -> Vec<Package> {
        vec![
            ours("crates/domain", &["serde"], &["tidings-testkit"]),
            ours("crates/wire", &["tidings-domain"], &[]),
            ours("crates/broker", &["tidings-wire"], &["tidings-domain"]),
            ours("crates/testkit", &[], &[]),
        ]
    }

    #[test]
    fn a_workspace_as_described_is_fine() {
        assert_eq!(findings(BLOCK, workspace()), Vec::<String>::new());
    }

    #[test]
    fn a_missing_page_or_block_is_said() {
        let none = check(&Tree::default(), &graph(workspace()));
        assert_eq!(none, ["docs/ARCHITECTURE.md does not exist"]);
        let bare = findings("# Architecture", workspace());
        assert_eq!(bare, ["docs/ARCHITECTURE.md has no ```layering block"]);
    }

    #[test]
    fn an_edge_that_is_not_listed_is_named() {
        let mut packages = workspace();
        packages[1] = ours("crates/wire", &["tidings-domain", "tidings-broker"], &[]);
        assert_eq!(
            findings(BLOCK, packages),
            ["wire depends on broker, which docs/ARCHITECTURE.md does not list for it"]
        );
    }

    #[test]
    fn a_listed_edge_that_does_not_exist_is_named() {
        let mut packages = workspace();
        packages[1] = ours("crates/wire", &[], &[]);
        assert_eq!(
            findings(BLOCK, packages),
            ["docs/ARCHITECTURE.md lists domain for wire, which does not depend on it"]
        );
    }

    #[test]
    fn a_crate_without_a_line_and_a_line_without_a_crate_are_named() {
        let mut packages = workspace();
        packages.push(ours("crates/egress", &[], &[]));
        let block = BLOCK.replace("testkit:", "testkit:\nghost:");
        assert_eq!(
            findings(&block, packages),
            [
                "docs/ARCHITECTURE.md has a line for ghost, which is not a crate of the workspace",
                "egress has no line in the layering block of docs/ARCHITECTURE.md",
            ]
        );
    }

    #[test]
    fn testkit_is_for_tests_even_when_the_page_lists_it() {
        let mut packages = workspace();
        packages[0] = ours("crates/domain", &["tidings-testkit"], &[]);
        let block = BLOCK.replace("domain:\n", "domain: testkit\n");
        assert_eq!(
            findings(&block, packages),
            ["domain depends on testkit, which is for dev-dependencies only"]
        );
    }

    #[test]
    fn tests_may_use_what_lies_below_their_crate_and_nothing_above_it() {
        let mut packages = workspace();
        packages[0] = ours("crates/domain", &[], &["tidings-broker"]);
        assert_eq!(
            findings(BLOCK, packages),
            ["the tests of domain use broker, which is not below it"]
        );
    }

    #[test]
    fn services_never_depend_on_each_other_except_the_executable() {
        let block = "```layering\ntracker:\npoller: tracker\ntidings: tracker\n```";
        let packages = vec![
            ours("services/tracker", &[], &[]),
            ours("services/poller", &["tidings-tracker"], &[]),
            ours("services/tidings", &["tidings-tracker"], &[]),
        ];
        assert_eq!(
            findings(block, packages),
            ["poller depends on tracker: services never depend on each other"]
        );
    }

    #[test]
    fn a_line_without_a_colon_and_a_line_twice_are_refused() {
        let without = findings("```layering\ndomain\n```", Vec::new());
        assert!(
            without[0].contains("the layering line `domain`"),
            "{without:?}"
        );
        let twice = findings("```layering\na:\na:\n```", Vec::new());
        assert_eq!(twice, ["docs/ARCHITECTURE.md has two layering lines for a"]);
    }
}
