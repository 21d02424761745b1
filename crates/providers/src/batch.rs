//! Batches: many statements in one body.

use crate::object::Object;
use crate::refusal::Refusal;
use domain::callback::Statement;

/// Reads every entry of the array of this name. One that is refused is told with its place, and
/// with it the whole batch is refused.
pub(crate) fn each<'a>(
    name: &str,
    entries: Vec<Object<'a>>,
    read: impl Fn(Object<'a>) -> Result<Statement, Refusal>,
) -> Result<Vec<Statement>, Refusal> {
    let entries = entries.into_iter().enumerate();
    entries
        .map(|(index, entry)| {
            read(entry).map_err(|refusal| refusal.within(&format!("{name}[{index}]")))
        })
        .collect()
}
