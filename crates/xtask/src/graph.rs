//! The dependency graph, as `cargo metadata` resolves it for every platform.

#[cfg(test)]
pub mod sample;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde::Deserialize;

/// What a manifest's dependency is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    #[default]
    Normal,
    Build,
    Dev,
}

/// A dependency as a manifest declares it, by the package's own name.
#[derive(Debug, Clone, Deserialize)]
pub struct Dependency {
    pub name: String,
    #[serde(default, deserialize_with = "kind_or_normal")]
    pub kind: Kind,
}

/// A package of the graph, ours or not.
#[derive(Debug, Clone, Default)]
pub struct Package {
    pub id: String,
    pub name: String,
    pub version: String,
    /// The SPDX expression of the manifest.
    pub licence: Option<String>,
    /// Where it comes from; nothing for our own crates.
    pub source: Option<String>,
    /// Where it is in the tree (`crates/store`), for our own crates.
    pub directory: Option<String>,
    pub dependencies: Vec<Dependency>,
    /// The features that are on.
    pub features: Vec<String>,
    /// The packages its normal and build dependencies resolve to, by id.
    pub resolved: Vec<String>,
}

/// Every package that any target of the workspace needs.
#[derive(Debug, Default)]
pub struct Graph {
    pub packages: Vec<Package>,
    /// Where cargo builds.
    pub target: PathBuf,
}

impl Package {
    /// The name our crates call each other by: `tidings-store` is `store`.
    pub fn short_name(&self) -> &str {
        self.name.strip_prefix("tidings-").unwrap_or(&self.name)
    }

    /// Whether it is a role or the executable, not a library below them.
    pub fn is_service(&self) -> bool {
        self.directory
            .as_deref()
            .is_some_and(|path| path.starts_with("services/"))
    }

    /// The names of its direct dependencies of these kinds.
    pub fn depends_on(&self, kinds: &[Kind]) -> impl Iterator<Item = &str> {
        self.dependencies
            .iter()
            .filter(move |dependency| kinds.contains(&dependency.kind))
            .map(|dependency| dependency.name.as_str())
    }
}

impl Graph {
    /// Asks cargo, which fails if `Cargo.lock` is not up to date.
    pub fn load(root: &Path) -> anyhow::Result<Self> {
        let output = Command::new("cargo")
            .args(["metadata", "--format-version", "1", "--locked"])
            .current_dir(root)
            .output()
            .context("cannot run cargo metadata")?;
        ensure!(
            output.status.success(),
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Self::parse(&output.stdout)
    }

    fn parse(json: &[u8]) -> anyhow::Result<Self> {
        let metadata: Metadata =
            serde_json::from_slice(json).context("cargo metadata said something unexpected")?;
        let mut nodes: BTreeMap<String, Node> = metadata
            .resolve
            .nodes
            .into_iter()
            .map(|node| (node.id.clone(), node))
            .collect();
        let root = metadata.workspace_root;
        let with_node = |raw: RawPackage| {
            let node = nodes.remove(&raw.id).unwrap_or_default();
            raw.into_package(node, &root)
        };
        let packages = metadata.packages.into_iter().map(with_node).collect();
        Ok(Self {
            packages,
            target: metadata.target_directory,
        })
    }

    /// Our own crates.
    pub fn ours(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| package.directory.is_some())
    }

    /// One of our own crates by its short name.
    pub fn our(&self, short_name: &str) -> Option<&Package> {
        self.ours()
            .find(|package| package.short_name() == short_name)
    }

    /// Everything that `package` is built from, by normal and build dependencies.
    pub fn below<'a>(&'a self, package: &'a Package) -> Vec<&'a Package> {
        let by_id: BTreeMap<&str, &Package> = self
            .packages
            .iter()
            .map(|package| (package.id.as_str(), package))
            .collect();
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = package.resolved.iter().map(String::as_str).collect();
        while let Some(id) = open.pop() {
            if let Some(found) = by_id.get(id)
                && seen.insert(id)
            {
                open.extend(found.resolved.iter().map(String::as_str));
            }
        }
        seen.into_iter()
            .filter_map(|id| by_id.get(id).copied())
            .collect()
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<RawPackage>,
    resolve: Resolve,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct RawPackage {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Default, Deserialize)]
struct Node {
    id: String,
    features: Vec<String>,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Deserialize)]
struct EdgeKind {
    #[serde(deserialize_with = "kind_or_normal")]
    kind: Kind,
}

impl RawPackage {
    fn into_package(self, node: Node, root: &Path) -> Package {
        let is_ours = self.source.is_none();
        let directory = self
            .manifest_path
            .parent()
            .and_then(|path| path.strip_prefix(root).ok());
        let is_built = |edge: &Edge| edge.dep_kinds.iter().any(|kind| kind.kind != Kind::Dev);
        Package {
            directory: directory
                .filter(|_| is_ours)
                .map(|path| path.to_string_lossy().replace('\\', "/")),
            resolved: node
                .deps
                .into_iter()
                .filter(is_built)
                .map(|edge| edge.pkg)
                .collect(),
            id: self.id,
            name: self.name,
            version: self.version,
            licence: self.license,
            source: self.source,
            dependencies: self.dependencies,
            features: node.features,
        }
    }
}

/// Cargo writes a normal dependency's kind as null.
fn kind_or_normal<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
    Option::<Kind>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::sample::{external, graph, ours};
    use super::*;

    const METADATA: &str = r#"{
        "workspace_root": "/w", "target_directory": "/w/target",
        "packages": [
            {"id": "o", "name": "tidings-store", "version": "0.1.0", "license": "Apache-2.0",
             "source": null, "manifest_path": "/w/crates/store/Cargo.toml",
             "dependencies": [{"name": "diesel", "kind": null, "rename": null},
                              {"name": "tempfile", "kind": "dev"}]},
            {"id": "d", "name": "diesel", "version": "2.3.14", "license": null,
             "source": "registry+x", "manifest_path": "/r/diesel/Cargo.toml", "dependencies": []}
        ],
        "resolve": {"nodes": [
            {"id": "o", "features": [], "deps": [
                {"pkg": "d", "dep_kinds": [{"kind": null}]},
                {"pkg": "t", "dep_kinds": [{"kind": "dev"}]}]},
            {"id": "d", "features": ["sqlite"], "deps": []}
        ]}
    }"#;

    #[test]
    fn what_cargo_says_is_understood() {
        let graph = Graph::parse(METADATA.as_bytes()).unwrap();

        let store = graph.our("store").unwrap();
        assert_eq!(store.directory.as_deref(), Some("crates/store"));
        assert_eq!(store.resolved, ["d"]);
        assert_eq!(
            store.depends_on(&[Kind::Normal]).collect::<Vec<_>>(),
            ["diesel"]
        );
        assert_eq!(
            store.depends_on(&[Kind::Dev]).collect::<Vec<_>>(),
            ["tempfile"]
        );
        assert_eq!(graph.packages[1].features, ["sqlite"]);
        assert!(graph.our("diesel").is_none());
    }

    #[test]
    fn below_follows_dependencies_of_dependencies() {
        let mut middle = external("middle", "1.0.0");
        middle.resolved = vec!["deep".to_owned()];
        let graph = graph(vec![
            ours("crates/a", &["middle"], &[]),
            middle,
            external("deep", "1.0.0"),
        ]);

        let below = graph.below(graph.our("a").unwrap());

        let names: Vec<_> = below.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["deep", "middle"]);
    }
}
