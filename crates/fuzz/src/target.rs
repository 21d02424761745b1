//! Which targets there are.

use crate::{check, content_type, envelope, provider, signature, text, webhook};
use providers::{Provider, registry};

/// A way for bytes into the system.
#[derive(Clone, Copy)]
pub struct Target {
    name: &'static str,
    gate: Gate,
}

#[derive(Clone, Copy)]
enum Gate {
    /// The bytes are the body of a callback of this provider.
    Provider(&'static dyn Provider),
    /// The bytes are what the function says.
    Other(Survives),
}

/// Panics when something does not hold that always should.
type Survives = fn(&[u8]);

/// What is no provider.
const OTHERS: [(&str, Survives); 7] = [
    ("content_type", content_type::survives),
    ("signature_headers", signature::survives),
    ("api_checks", check::survives_as_api_json),
    ("stored_checks", check::survives_as_stored),
    ("webhook_headers", webhook::survives),
    ("envelope", envelope::survives),
    ("text", text::survives),
];

/// Every target: one of each provider, by its name, and those of everything else that is read.
pub fn all() -> impl Iterator<Item = Target> {
    let providers = registry::all().iter().map(|provider| Target {
        name: provider.name(),
        gate: Gate::Provider(*provider),
    });
    let others = OTHERS.into_iter().map(|(name, gate)| Target {
        name,
        gate: Gate::Other(gate),
    });
    providers.chain(others)
}

/// The target of this name.
pub fn find(name: &str) -> Option<Target> {
    all().find(|target| target.name == name)
}

impl Target {
    /// Its name, which is also that of its program and of its corpus.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Whether it is a provider's.
    pub const fn is_provider(self) -> bool {
        matches!(self.gate, Gate::Provider(_))
    }

    /// Gives it the bytes.
    ///
    /// # Panics
    /// When something does not hold that always should.
    pub fn run(self, bytes: &[u8]) {
        match self.gate {
            Gate::Provider(provider) => provider::survives(provider, bytes),
            Gate::Other(survives) => survives(bytes),
        }
    }
}
