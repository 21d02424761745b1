//! Converters: how data of one version becomes data of its neighbour, said as a list of operations.
//! Whatever they do not name stays as it was written, digit for digit.

mod path;
mod tree;

use crate::fault::{Fault, escaped};
use domain::json::Raw;
use path::Path;
use serde::{Deserialize, Deserializer};
use tree::Tree;

/// The most operations of one converter.
pub const MAX_OPERATIONS: usize = 100;
/// The longest converter, in bytes.
pub const MAX_CONVERTER_BYTES: usize = 16 * 1024;
/// How deep a default value may be nested.
const MAX_VALUE_DEPTH: usize = 16;

/// Makes data of one version to data of another.
#[derive(Debug, Clone, PartialEq)]
pub struct Converter(Vec<Operation>);

#[derive(Debug, Clone, PartialEq)]
enum Operation {
    /// The last name of a path becomes another.
    Rename { path: Path, to: String },
    /// A member goes elsewhere.
    Move { from: Path, path: Path },
    /// A member that is missing is there, with this value.
    Default { path: Path, value: Raw },
    /// A member is gone.
    Drop { path: Path },
}

/// An operation as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    op: String,
    path: String,
    from: Option<String>,
    to: Option<String>,
    /// A null is a value.
    #[serde(default, deserialize_with = "given")]
    value: Option<Raw>,
}

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Raw>, D::Error> {
    Raw::deserialize(deserializer).map(Some)
}

/// Why data cannot be converted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unconvertible {
    /// Something is there already.
    #[error("there is something at {0} already")]
    Occupied(String),
    /// What something should be put into is no object.
    #[error("{0} cannot be put into what is no object")]
    NoObject(String),
    /// It is no object.
    #[error("data is no object")]
    NoData,
}

impl Converter {
    /// Reads a list of operations. The faults' pointers begin at the list.
    pub fn parse(text: &Raw) -> Result<Self, Vec<Fault>> {
        let refuse = |detail: String| Err(vec![Fault::new("", detail)]);
        if text.as_str().len() > MAX_CONVERTER_BYTES {
            return refuse(format!("write at most {MAX_CONVERTER_BYTES} bytes"));
        }
        let written: Vec<Raw> = match serde_json::from_str(text.as_str()) {
            Ok(written) => written,
            Err(_) => return refuse("write a list of operations".to_owned()),
        };
        if written.len() > MAX_OPERATIONS {
            return refuse(format!("write at most {MAX_OPERATIONS} operations"));
        }
        let mut faults = Vec::new();
        let mut operations = Vec::new();
        for (index, text) in written.iter().enumerate() {
            match Operation::read(text) {
                Ok(operation) => operations.push(operation),
                Err(fault) => faults.push(fault.within(&format!("/{index}"))),
            }
        }
        if faults.is_empty() {
            return Ok(Self(operations));
        }
        faults.truncate(crate::fault::MOST_FAULTS);
        Err(faults)
    }

    /// Converts data, which is an object. What is not there is passed over; nothing is overwritten.
    pub fn convert(&self, data: &Raw) -> Result<Raw, Unconvertible> {
        let mut tree = Tree::of(data);
        if tree.members().is_none() {
            return Err(Unconvertible::NoData);
        }
        for operation in &self.0 {
            operation.apply(&mut tree)?;
        }
        Ok(Raw::of(&tree))
    }
}

impl Operation {
    fn read(text: &Raw) -> Result<Self, Fault> {
        let written: Written = serde_json::from_str(text.as_str()).map_err(|error| {
            let said = error.to_string();
            let said = said.split(" at line ").next().unwrap_or_default();
            Fault::new("", said)
        })?;
        let path = |at: &str, text: &str| Path::parse(text).map_err(|error| Fault::new(at, error));
        let (from, to) = (written.from.as_deref(), written.to.as_deref());
        let place = path("/path", &written.path)?;
        match (written.op.as_str(), from, to, written.value) {
            ("rename", None, Some(to), None) => {
                Path::parse(&format!("/{}", escaped(to)))
                    .map_err(|error| Fault::new("/to", error))?;
                Ok(Self::Rename {
                    path: place,
                    to: to.to_owned(),
                })
            }
            ("move", Some(from), None, None) => Ok(Self::Move {
                from: path("/from", from)?,
                path: place,
            }),
            ("default", None, None, Some(value)) => {
                value
                    .check(MAX_VALUE_DEPTH)
                    .map_err(|error| Fault::new("/value", error.to_string()))?;
                Ok(Self::Default { path: place, value })
            }
            ("drop", None, None, None) => Ok(Self::Drop { path: place }),
            ("rename" | "move" | "default" | "drop", ..) => Err(Fault::new(
                "",
                "rename has path and to, move has from and path, default has path and value, drop has \
                 path, and none has more",
            )),
            _ => Err(Fault::new("/op", "write rename, move, default or drop")),
        }
    }

    fn apply(&self, tree: &mut Tree) -> Result<(), Unconvertible> {
        match self {
            Self::Rename { path, to } => {
                let Some(members) = tree.parent_of(path) else {
                    return Ok(());
                };
                let Some(place) = members.iter().position(|(name, _)| name == path.name()) else {
                    return Ok(());
                };
                if path.name() != to && members.iter().any(|(name, _)| name == to) {
                    return Err(Unconvertible::Occupied(path.beside(to)));
                }
                if let Some((name, _)) = members.get_mut(place) {
                    name.clone_from(to);
                }
                Ok(())
            }
            Self::Move { from, path } => match tree.take(from) {
                Some(value) => tree.put(path, value),
                None => Ok(()),
            },
            Self::Default { path, value } => {
                if tree.has(path) {
                    return Ok(());
                }
                tree.put(path, Tree::of(value))
            }
            Self::Drop { path } => {
                tree.take(path);
                Ok(())
            }
        }
    }
}
