use std::ffi::OsString;

use config::ValueKind;

use crate::error::Error;
use crate::key;
use crate::layer::Layer;

const PREFIX: &str = "TIDINGS_";

/// The layer of the environment.
pub(crate) fn read<N, V>(environment: impl IntoIterator<Item = (N, V)>) -> Result<Layer, Error>
where
    N: Into<OsString>,
    V: Into<OsString>,
{
    let mut variables: Vec<(String, OsString)> = environment
        .into_iter()
        .map(|(name, value)| (name.into().to_string_lossy().into_owned(), value.into()))
        .filter(|(name, _)| is_configuration(name))
        .collect();
    variables.sort();
    let mut layer = Layer::default();
    for (name, value) in variables {
        insert(&mut layer, &name, value)?;
    }
    Ok(layer)
}

/// Kubernetes injects `TIDINGS_SERVICE_HOST`, `TIDINGS_PORT_8080_TCP` and more beside a Service of our name:
/// only the double underscore makes a name ours.
fn is_configuration(name: &str) -> bool {
    name == "TIDINGS_DATA_DIR" || name.strip_prefix(PREFIX).is_some_and(has_levels)
}

/// `TIDINGS__STORE__URL` counts too: somebody meant us.
fn has_levels(rest: &str) -> bool {
    rest.contains("__") || rest.starts_with('_')
}

fn insert(layer: &mut Layer, name: &str, value: OsString) -> Result<(), Error> {
    let Some(named) = key::by_variable(name) else {
        let hint = key::hint(key::nearest_variable(name), "");
        return Err(Error::UnknownVariable {
            name: name.to_owned(),
            hint,
        });
    };
    let origin = format!("by {name} in the environment");
    let Ok(text) = value.into_string() else {
        let problem = "is not valid UTF-8".to_owned();
        return Err(named.key.invalid(&origin, problem));
    };
    layer.insert(named, &origin, ValueKind::String(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_double_underscore_makes_a_name_ours() {
        for name in [
            "TIDINGS_DATA_DIR",
            "TIDINGS_STORE__URL",
            "TIDINGS__STORE__URL",
            "TIDINGS__X",
        ] {
            assert!(is_configuration(name), "{name}");
        }
        for name in [
            "TIDINGS_SERVICE_HOST",
            "TIDINGS_PORT_8080_TCP",
            "TIDINGS_PORT",
            "TIDINGS_",
            "MY__TIDINGS_STORE",
            "tidings_store__url",
            "TIDINGS",
        ] {
            assert!(!is_configuration(name), "{name}");
        }
    }
}
