use std::fmt;

use config::{ConfigError, Map, Source, Value, ValueKind};

use crate::error::Error;
use crate::key::Named;

/// What one place says: the built-in defaults, the file, or the environment.
///
/// A key and its `_file` twin hide each other: a layer that sets the one blanks the other, so that of the
/// layers below neither is left.
#[derive(Clone, Default)]
pub(crate) struct Layer {
    values: Map<String, Value>,
}

impl Layer {
    /// Adds a value that came from `origin`, which reads on after "set".
    pub(crate) fn insert(
        &mut self,
        named: Named,
        origin: &String,
        kind: ValueKind,
    ) -> Result<(), Error> {
        if let Some(twin) = named.twin() {
            if let Some(first) = self.origin(&twin.name()) {
                let (key, second) = (named.key.name, origin.clone());
                return Err(Error::SetTwice { key, first, second });
            }
            self.values
                .insert(twin.name(), Value::new(None, ValueKind::Nil));
        }
        self.values
            .insert(named.name(), Value::new(Some(origin), kind));
        Ok(())
    }

    fn origin(&self, name: &str) -> Option<String> {
        self.values.get(name)?.origin().map(String::from)
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.values.clone())
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}
