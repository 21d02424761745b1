//! Texts that a list is asked for, whole or by their beginning.

/// How a text is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// This text.
    Exactly(String),
    /// Texts that begin with this.
    Beginning(String),
}

/// The first text, by bytes, that comes after all that begin with this; none where nothing does.
pub(crate) fn after(beginning: &str) -> Option<String> {
    let mut rest = beginning.to_owned();
    while let Some(last) = rest.pop() {
        // As UTF-8, texts are in the order of their characters' numbers, which leave surrogates out.
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            rest.push(next);
            return Some(rest);
        }
    }
    None
}

/// Narrows a boxed query to the rows of which a text column, named with its table, is as asked. The
/// columns' indexes are in the order of bytes on both engines.
macro_rules! asked {
    ($query:ident, $order:expr, $column:expr, $name:literal, $asked:expr) => {
        match $asked {
            None => {}
            Some($crate::asked::Asked::Exactly(text)) => {
                $query = $query.filter($column.eq(text));
            }
            Some($crate::asked::Asked::Beginning(beginning)) => {
                let sql = || diesel::dsl::sql::<diesel::sql_types::Bool>($name);
                let (from, to) = $order;
                $query = $query.filter(
                    sql()
                        .sql(from)
                        .bind::<diesel::sql_types::Text, _>(beginning),
                );
                if let Some(end) = $crate::asked::after(beginning) {
                    $query = $query.filter(sql().sql(to).bind::<diesel::sql_types::Text, _>(end));
                }
            }
        }
    };
}

pub(crate) use asked;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_with_a_text_is_before_what_comes_after_it() {
        for (beginning, end) in [
            ("+26097", Some("+26098")),
            ("a\u{d7ff}", Some("a\u{e000}")),
            ("ab\u{10ffff}", Some("ac")),
            ("\u{10ffff}\u{10ffff}", None),
            ("", None),
        ] {
            assert_eq!(after(beginning).as_deref(), end, "{beginning:?}");
        }
        let end = after("é").unwrap_or_default();
        assert!("é\u{10ffff}z" < end.as_str() && "é" < end.as_str());
    }
}
