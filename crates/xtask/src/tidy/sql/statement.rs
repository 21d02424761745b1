//! A cursor over the tokens of one statement.

use super::token::Token;

/// What starts an item of `CREATE TABLE` or `ADD` that is not a column.
const CONSTRAINTS: [&str; 7] = [
    "primary",
    "unique",
    "check",
    "foreign",
    "constraint",
    "exclude",
    "like",
];

/// The tokens of a statement that are still to be read.
#[derive(Debug, Clone, Copy)]
pub struct Statement<'a> {
    rest: &'a [Token],
}

/// The statements of a script, without their semicolons.
pub fn split(tokens: &[Token]) -> impl Iterator<Item = Statement<'_>> {
    tokens
        .split(|token| *token == Token::Symbol(';'))
        .map(|rest| Statement { rest })
}

impl Statement<'_> {
    /// Whether this keyword is next; if so, it is read.
    pub fn take(&mut self, keyword: &str) -> bool {
        let is_next = self.is_next(keyword);
        if is_next {
            self.rest = &self.rest[1..];
        }
        is_next
    }

    /// Reads one of these keywords, if one is next.
    pub fn take_any(&mut self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.take(keyword))
    }

    /// Reads these keywords, if they are next in this order.
    pub fn take_all(&mut self, keywords: &[&str]) -> bool {
        let mut ahead = *self;
        let are_next = keywords.iter().all(|keyword| ahead.take(keyword));
        if are_next {
            *self = ahead;
        }
        are_next
    }

    /// A name without the schema it may be in.
    pub fn name(&mut self) -> Result<String, String> {
        let name = match self.rest.first() {
            Some(Token::Word(name) | Token::Quoted(name)) => name.clone(),
            found => return Err(format!("a name is expected, not {found:?}")),
        };
        self.rest = &self.rest[1..];
        if self.rest.first() == Some(&Token::Symbol('.')) {
            self.rest = &self.rest[1..];
            return self.name();
        }
        Ok(name)
    }

    /// The columns of a `CREATE TABLE`, from its opening parenthesis.
    pub fn columns(&mut self) -> Result<Vec<String>, String> {
        if self.rest.first() != Some(&Token::Symbol('(')) {
            return Err("a list of columns is expected".to_owned());
        }
        let mut columns = Vec::new();
        loop {
            self.rest = &self.rest[1..];
            if !CONSTRAINTS.iter().any(|word| self.is_next(word)) {
                columns.push(self.name()?);
            }
            self.skip_item();
            match self.rest.first() {
                Some(Token::Symbol(',')) => {}
                Some(_) => return Ok(columns),
                None => return Err("a `)` is missing".to_owned()),
            }
        }
    }

    /// The new name of `RENAME TO`, if that is next.
    pub fn rename_table(&mut self) -> Result<Option<String>, String> {
        if self.take_all(&["rename", "to"]) {
            self.name().map(Some)
        } else {
            Ok(None)
        }
    }

    /// Applies one action of `ALTER TABLE` to the columns.
    pub fn alter_columns(&mut self, columns: &mut Vec<String>) -> Result<(), String> {
        if self.take("add") {
            self.take("column");
            self.take_all(&["if", "not", "exists"]);
            if !CONSTRAINTS.iter().any(|word| self.is_next(word)) {
                columns.push(self.name()?);
            }
        } else if self.take("drop") {
            if self.take("constraint") {
                return Ok(());
            }
            self.take("column");
            self.take_all(&["if", "exists"]);
            let name = self.name()?;
            columns.remove(position(columns, &name)?);
        } else if self.take("rename") && !self.is_next("constraint") {
            self.take("column");
            let at = position(columns, &self.name()?)?;
            if !self.take("to") {
                return Err(format!("`rename {}` does not say to what", columns[at]));
            }
            columns[at] = self.name()?;
        }
        Ok(())
    }

    /// Reads up to and past the next comma outside of parentheses, or says that there is none.
    pub fn skip_past_comma(&mut self) -> bool {
        self.skip_item();
        let is_comma = self.rest.first() == Some(&Token::Symbol(','));
        if is_comma {
            self.rest = &self.rest[1..];
        }
        is_comma
    }

    fn is_next(&self, keyword: &str) -> bool {
        matches!(self.rest.first(), Some(Token::Word(word)) if word == keyword)
    }

    /// Reads up to the comma or the closing parenthesis that ends this item.
    fn skip_item(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.rest.first() {
            match token {
                Token::Symbol('(') => depth += 1,
                Token::Symbol(',' | ')') if depth == 0 => return,
                Token::Symbol(')') => depth -= 1,
                _ => {}
            }
            self.rest = &self.rest[1..];
        }
    }
}

fn position(columns: &[String], name: &str) -> Result<usize, String> {
    columns
        .iter()
        .position(|column| column == name)
        .ok_or_else(|| format!("there is no column {name}"))
}
