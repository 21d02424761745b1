//! SQL as words, names, literals and symbols; comments and white space are gone.

/// One piece of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A keyword or an unquoted name, in lower case, as both engines fold it.
    Word(String),
    /// A name in double quotes; never a keyword.
    Quoted(String),
    /// A string or a number's worth of text, whose content does not matter.
    Literal,
    Symbol(char),
}

/// Reads a whole script, or says which quotation never ends.
pub fn read(script: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = script;
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            _ if rest.starts_with("--") => {
                (None, rest.split_once('\n').map_or("", |(_, after)| after))
            }
            _ if rest.starts_with("/*") => (None, past(&rest[2..], "*/")?),
            '\'' => (Some(Token::Literal), past(&rest[1..], "'")?),
            '"' => {
                let after = past(&rest[1..], "\"")?;
                let name = &rest[1..rest.len() - after.len() - 1];
                (Some(Token::Quoted(name.to_owned())), after)
            }
            '$' if dollar_tag(rest).is_some() => {
                let tag = dollar_tag(rest).unwrap_or_default();
                (Some(Token::Literal), past(&rest[tag.len()..], tag)?)
            }
            _ if is_word(first) => {
                let end = rest
                    .find(|character| !is_word(character))
                    .unwrap_or(rest.len());
                (Some(Token::Word(rest[..end].to_lowercase())), &rest[end..])
            }
            _ => {
                let symbol = (!first.is_whitespace()).then_some(Token::Symbol(first));
                (symbol, &rest[first.len_utf8()..])
            }
        };
        tokens.extend(token);
        rest = after;
    }
    Ok(tokens)
}

/// A doubled quote (`'it''s'`) reads as two literals in a row, which is as good as one here.
fn past<'a>(text: &'a str, end: &str) -> Result<&'a str, String> {
    let found = text.split_once(end).map(|(_, after)| after);
    found.ok_or_else(|| format!("a `{end}` is missing"))
}

/// The opening `$$` or `$tag$` of a dollar-quoted string (`PostgreSQL` manual, 4.1.2.4).
fn dollar_tag(text: &str) -> Option<&str> {
    let length = text[1..].find('$')? + 2;
    let tag = &text[..length];
    tag[1..length - 1].chars().all(is_word).then_some(tag)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Token {
        Token::Word(text.to_owned())
    }

    #[test]
    fn words_are_folded_and_quoted_names_are_not() {
        assert_eq!(
            read("Select \"Order\",1").unwrap(),
            [
                word("select"),
                Token::Quoted("Order".to_owned()),
                Token::Symbol(','),
                word("1")
            ]
        );
    }

    #[test]
    fn comments_disappear_and_strings_are_opaque() {
        assert_eq!(
            read("a -- b; c\n/* d */ 'e;' $f$ g; $$ $f$ h").unwrap(),
            [word("a"), Token::Literal, Token::Literal, word("h")]
        );
    }

    #[test]
    fn a_parameter_is_not_a_dollar_quote() {
        assert_eq!(read("$1").unwrap(), [Token::Symbol('$'), word("1")]);
    }
}
