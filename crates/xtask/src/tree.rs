//! The files of the repository, read once, so that every rule is a function over text.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context;

/// Larger files are data, not something a person wrote; they are not read.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Every text file, by its path from the root with `/` between the parts.
#[derive(Debug, Default)]
pub struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads the tree below `root`, leaving out build output, `.git` and the data of a running server.
    pub fn load(root: &Path) -> anyhow::Result<Self> {
        let mut tree = Self::default();
        tree.read_directory(root, "")?;
        Ok(tree)
    }

    /// A made-up tree.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        Self {
            files: files.iter().map(owned).collect(),
        }
    }

    /// The text of one file.
    pub fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// The text of a file that a rule cannot do without, or the sentence that says it is missing.
    pub fn require(&self, path: &str) -> Result<&str, String> {
        self.get(path)
            .ok_or_else(|| format!("{path} does not exist"))
    }

    /// All files as (path, text), in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The files with one of these extensions.
    pub fn with_extension(&self, extensions: &[&str]) -> impl Iterator<Item = (&str, &str)> {
        self.iter().filter(|(path, _)| {
            path.rsplit_once('.')
                .is_some_and(|(_, found)| extensions.contains(&found))
        })
    }

    fn read_directory(&mut self, directory: &Path, prefix: &str) -> anyhow::Result<()> {
        let entries = fs::read_dir(directory)
            .with_context(|| format!("cannot list {}", directory.display()))?;
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let path = format!("{prefix}{name}");
            let kind = entry.file_type()?;
            if kind.is_dir() && !is_left_out(&entry.path(), &path, &name) {
                self.read_directory(&entry.path(), &format!("{path}/"))?;
            } else if kind.is_file() {
                self.read_file(&entry.path(), path)?;
            }
        }
        Ok(())
    }

    fn read_file(&mut self, file: &Path, path: String) -> anyhow::Result<()> {
        if fs::metadata(file)?.len() > MAX_FILE_BYTES {
            return Ok(());
        }
        let bytes = fs::read(file).with_context(|| format!("cannot read {path}"))?;
        if let Ok(text) = String::from_utf8(bytes) {
            self.files.insert(path, text);
        }
        Ok(())
    }
}

/// Cargo marks the build directories it makes with `CACHEDIR.TAG`, whatever their name; one that was there
/// before, as a volume that is kept between runs, has none.
fn is_left_out(directory: &Path, path: &str, name: &str) -> bool {
    let is_known = path == "target" || matches!(name, ".git" | "tidings-data");
    is_known || directory.join("CACHEDIR.TAG").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_output_git_and_data_are_left_out() {
        let root = tempfile::tempdir().unwrap();
        for directory in [".git", "tidings-data", "target", "build", "src/target"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
            fs::write(root.path().join(directory).join("a.rs"), "").unwrap();
        }
        fs::write(root.path().join("build/CACHEDIR.TAG"), "").unwrap();

        let tree = Tree::load(root.path()).unwrap();

        let paths: Vec<_> = tree.iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["src/target/a.rs"]);
    }

    #[test]
    fn a_file_that_is_not_text_is_not_read() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("logo.png"), [0xff, 0xfe]).unwrap();
        assert!(Tree::load(root.path()).unwrap().get("logo.png").is_none());
    }

    #[test]
    fn a_missing_file_is_named() {
        let tree = Tree::default();
        let missing = tree.require("deny.toml");
        assert_eq!(missing.unwrap_err(), "deny.toml does not exist");
    }
}
