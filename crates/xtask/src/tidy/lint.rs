//! Lints are chosen once, in the workspace; every crate takes them.

use toml::{Table, Value};

use crate::graph::Graph;
use crate::tree::Tree;

/// Every crate's manifest says `lints.workspace = true`.
pub fn check(tree: &Tree, graph: &Graph) -> Vec<String> {
    graph
        .ours()
        .filter_map(|package| package.directory.as_deref())
        .map(|directory| format!("{directory}/Cargo.toml"))
        .filter(|path| !tree.get(path).is_some_and(inherits))
        .map(|path| format!("{path} does not say lints.workspace = true"))
        .collect()
}

fn inherits(manifest: &str) -> bool {
    let manifest = manifest.parse::<Table>().unwrap_or_default();
    let lints = manifest
        .get("lints")
        .and_then(|lints| lints.get("workspace"));
    lints.and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::sample::{graph, ours};

    fn findings(manifest: &str) -> Vec<String> {
        let tree = Tree::of(&[("crates/wire/Cargo.toml", manifest)]);
        check(&tree, &graph(vec![ours("crates/wire", &[], &[])]))
    }

    #[test]
    fn both_ways_of_writing_it_are_fine() {
        assert_eq!(findings("[lints]\nworkspace = true"), Vec::<String>::new());
        assert_eq!(findings("lints.workspace = true"), Vec::<String>::new());
    }

    #[test]
    fn a_crate_with_lints_of_its_own_or_none_is_named() {
        let expected = ["crates/wire/Cargo.toml does not say lints.workspace = true"];
        assert_eq!(findings("[package]"), expected);
        assert_eq!(findings("[lints]\nworkspace = false"), expected);
        assert_eq!(findings("[lints.clippy]\nall = \"allow\""), expected);
    }
}
