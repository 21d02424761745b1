//! The licences that whatever we link may have.

use super::spdx;
use crate::graph::{Graph, Package};

/// Permissive ones only; `deny.toml` says the same. In the order of their names.
pub const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Every package states a licence that the allowed ones satisfy.
pub fn check(graph: &Graph) -> Vec<String> {
    graph.packages.iter().filter_map(check_package).collect()
}

fn check_package(package: &Package) -> Option<String> {
    let Package { name, version, .. } = package;
    let Some(licence) = package.licence.as_deref() else {
        return Some(format!("{name} {version} states no licence"));
    };
    match spdx::is_satisfied(licence, ALLOWED) {
        Ok(true) => None,
        Ok(false) => Some(format!(
            "{name} {version} is licensed as {licence}, not allowed"
        )),
        Err(reason) => Some(format!(
            "{name} {version} has the licence `{licence}`: {reason}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::sample::{external, graph};

    fn findings(licence: Option<&str>) -> Vec<String> {
        let mut package = external("thing", "1.0.0");
        package.licence = licence.map(str::to_owned);
        check(&graph(vec![package]))
    }

    #[test]
    fn copyleft_fails_unless_there_is_a_choice() {
        assert_eq!(
            findings(Some("GPL-3.0-only")),
            ["thing 1.0.0 is licensed as GPL-3.0-only, not allowed"]
        );
        assert_eq!(findings(Some("AGPL-3.0-or-later")).len(), 1);
        assert_eq!(findings(Some("LGPL-2.1-or-later")).len(), 1);
        assert_eq!(
            findings(Some("MIT OR Apache-2.0 OR LGPL-2.1-or-later")).len(),
            0
        );
    }

    #[test]
    fn no_licence_and_nonsense_fail() {
        assert_eq!(findings(None), ["thing 1.0.0 states no licence"]);
        assert_eq!(findings(Some("MIT OR")).len(), 1);
    }

    #[test]
    fn the_list_is_in_order() {
        assert!(ALLOWED.is_sorted());
    }
}
