use std::fmt;
use zeroize::Zeroizing;

/// What a secret must be.
pub(super) const ALLOWED: &str = "must be 16 to 512 printable ASCII characters";

/// A secret text that a provider shares with us. Wiped when dropped, never shown, and without `==`:
/// secrets are compared in constant time.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text itself. Not for logs, errors or answers.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether it is 16 to 512 printable ASCII characters.
    pub(super) fn is_allowed(&self) -> bool {
        (16..=512).contains(&self.0.len()) && is_printable(&self.0)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Whether `text` is printable ASCII, spaces included.
pub(super) fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}
