//! Made-up graphs for the tests of the rules.

use super::{Dependency, Graph, Kind, Package};

/// One of our crates, in `crates/` or `services/`, with normal and dev dependencies.
pub fn ours(directory: &str, normal: &[&str], dev: &[&str]) -> Package {
    let short = directory.rsplit('/').next().unwrap_or_default();
    let declared = |kind: Kind| {
        move |name: &&str| Dependency {
            name: (*name).to_owned(),
            kind,
        }
    };
    Package {
        id: format!("tidings-{short}"),
        name: format!("tidings-{short}"),
        version: "0.1.0".to_owned(),
        licence: Some("Apache-2.0".to_owned()),
        directory: Some(directory.to_owned()),
        dependencies: normal
            .iter()
            .map(declared(Kind::Normal))
            .chain(dev.iter().map(declared(Kind::Dev)))
            .collect(),
        resolved: normal.iter().map(|name| (*name).to_owned()).collect(),
        ..Package::default()
    }
}

/// A package of crates.io.
pub fn external(name: &str, version: &str) -> Package {
    Package {
        id: name.to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
        licence: Some("MIT".to_owned()),
        source: Some("registry+https://github.com/rust-lang/crates.io-index".to_owned()),
        ..Package::default()
    }
}

pub fn graph(packages: Vec<Package>) -> Graph {
    Graph {
        packages,
        ..Graph::default()
    }
}
