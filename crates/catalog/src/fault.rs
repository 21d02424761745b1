//! What is wrong with something, and where.

use domain::text;

/// The most that one answer tells.
pub const MOST_FAULTS: usize = 20;
/// The longest detail, in bytes: enough to say what is wrong, too little to say a value back.
const MAX_DETAIL_BYTES: usize = 256;
/// The longest pointer, in bytes.
const MAX_POINTER_BYTES: usize = 512;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where, as a JSON pointer (RFC 6901) from what was judged.
    pub pointer: String,
    /// What, for people.
    pub detail: String,
}

impl Fault {
    /// Says it, in bounded words.
    pub fn new(pointer: impl AsRef<str>, detail: impl AsRef<str>) -> Self {
        let detail = text::cut(detail.as_ref(), MAX_DETAIL_BYTES);
        Self {
            pointer: text::cut(pointer.as_ref(), MAX_POINTER_BYTES).to_owned(),
            detail: detail.replace(char::is_control, "\u{fffd}"),
        }
    }

    /// The same, of something that is a part of another.
    pub(crate) fn within(self, of: &str) -> Self {
        Self::new(format!("{of}{}", self.pointer), self.detail)
    }
}

/// A member's name as a segment of a pointer (RFC 6901 §3).
pub(crate) fn escaped(name: &str) -> String {
    text::cut(name, 128).replace('~', "~0").replace('/', "~1")
}
