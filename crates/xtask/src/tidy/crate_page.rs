//! Every crate has a README, which is its rustdoc.

use crate::graph::Graph;
use crate::tree::Tree;

const FIRST_LINE: &str = "#![doc = include_str!(\"../README.md\")]";

/// Each crate has a `README.md`, and its root file starts by including it.
pub fn check(tree: &Tree, graph: &Graph) -> Vec<String> {
    graph
        .ours()
        .filter_map(|package| package.directory.as_deref())
        .flat_map(|directory| check_crate(tree, directory))
        .collect()
}

fn check_crate(tree: &Tree, directory: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let page = format!("{directory}/README.md");
    if tree.get(&page).is_none_or(|text| text.trim().is_empty()) {
        findings.push(format!("{page} is missing or empty"));
    }
    let library = format!("{directory}/src/lib.rs");
    let program = format!("{directory}/src/main.rs");
    let root = if tree.get(&library).is_some() {
        library
    } else {
        program
    };
    if tree
        .get(&root)
        .is_none_or(|text| text.lines().next() != Some(FIRST_LINE))
    {
        findings.push(format!("{root} does not start with {FIRST_LINE}"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::sample::{graph, ours};

    fn findings(files: &[(&str, &str)]) -> Vec<String> {
        check(
            &Tree::of(files),
            &graph(vec![ours("crates/wire", &[], &[])]),
        )
    }

    #[test]
    fn a_library_or_a_program_with_its_page_is_fine() {
        let root = format!("{FIRST_LINE}\n\nmod job;");
        for path in ["crates/wire/src/lib.rs", "crates/wire/src/main.rs"] {
            let files = [("crates/wire/README.md", "# wire"), (path, root.as_str())];
            assert_eq!(findings(&files), Vec::<String>::new());
        }
    }

    #[test]
    fn a_missing_page_and_a_root_without_it_are_named() {
        let expected = format!("crates/wire/src/lib.rs does not start with {FIRST_LINE}");
        assert_eq!(
            findings(&[("crates/wire/src/lib.rs", "//! wire")]),
            [
                "crates/wire/README.md is missing or empty",
                expected.as_str()
            ]
        );
    }
}
