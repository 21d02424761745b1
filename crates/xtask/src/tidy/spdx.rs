//! SPDX licence expressions (SPDX 2.3, annex D), and the `MIT/Apache-2.0` that old manifests write.

/// Deeper expressions are nobody's licence.
const MAX_DEPTH: usize = 16;

/// Whether a user who accepts only `allowed` may use something under `expression`. `X WITH Y` counts as
/// a licence of its own name. An expression that cannot be read is an error.
pub fn is_satisfied(expression: &str, allowed: &[&str]) -> Result<bool, String> {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser {
        tokens: &tokens,
        allowed,
    };
    let satisfied = parser.any(0)?;
    match parser.tokens.first() {
        None => Ok(satisfied),
        Some(token) => Err(format!("`{token}` is not expected here")),
    }
}

struct Parser<'a> {
    tokens: &'a [&'a str],
    allowed: &'a [&'a str],
}

impl Parser<'_> {
    fn any(&mut self, depth: usize) -> Result<bool, String> {
        let mut satisfied = self.all(depth)?;
        while self.take("OR") {
            satisfied |= self.all(depth)?;
        }
        Ok(satisfied)
    }

    fn all(&mut self, depth: usize) -> Result<bool, String> {
        let mut satisfied = self.one(depth)?;
        while self.take("AND") {
            satisfied &= self.one(depth)?;
        }
        Ok(satisfied)
    }

    fn one(&mut self, depth: usize) -> Result<bool, String> {
        if depth > MAX_DEPTH {
            return Err("it is nested too deep".to_owned());
        }
        if self.take("(") {
            let satisfied = self.any(depth + 1)?;
            return if self.take(")") {
                Ok(satisfied)
            } else {
                Err("a `)` is missing".to_owned())
            };
        }
        let licence = self.name()?;
        if self.take("WITH") {
            let exception = self.name()?;
            return Ok(self
                .allowed
                .contains(&format!("{licence} WITH {exception}").as_str()));
        }
        Ok(self.allowed.contains(&licence.as_str()))
    }

    fn name(&mut self) -> Result<String, String> {
        let (token, rest) = self.tokens.split_first().ok_or("it ends too early")?;
        if ["(", ")", "AND", "OR", "WITH"].contains(token) {
            return Err(format!("`{token}` is not a licence"));
        }
        self.tokens = rest;
        Ok((*token).to_owned())
    }

    fn take(&mut self, expected: &str) -> bool {
        let found = self.tokens.first() == Some(&expected);
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn satisfied(expression: &str) -> Result<bool, String> {
        is_satisfied(
            expression,
            &["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"],
        )
    }

    #[test]
    fn or_is_a_choice_and_and_is_not() {
        assert_eq!(satisfied("MIT"), Ok(true));
        assert_eq!(satisfied("GPL-3.0"), Ok(false));
        assert_eq!(satisfied("GPL-3.0 OR MIT"), Ok(true));
        assert_eq!(satisfied("GPL-3.0 AND MIT"), Ok(false));
        assert_eq!(satisfied("GPL-3.0/MIT"), Ok(true));
        assert_eq!(satisfied("GPL-3.0 / MIT"), Ok(true));
    }

    #[test]
    fn and_binds_closer_than_or_and_parentheses_closest() {
        assert_eq!(satisfied("MIT OR GPL-3.0 AND GPL-2.0"), Ok(true));
        assert_eq!(satisfied("(MIT OR GPL-3.0) AND GPL-2.0"), Ok(false));
        assert_eq!(satisfied("(MIT OR GPL-3.0) AND (ISC)"), Ok(true));
    }

    #[test]
    fn an_exception_makes_another_licence() {
        assert_eq!(satisfied("Apache-2.0 WITH LLVM-exception"), Ok(true));
        assert_eq!(satisfied("Apache-2.0"), Ok(false));
        assert_eq!(satisfied("MIT WITH Classpath-exception-2.0"), Ok(false));
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        for expression in [
            "", "MIT OR", "OR MIT", "(MIT", "MIT)", "MIT ISC", "MIT WITH", "()",
        ] {
            assert!(satisfied(expression).is_err(), "{expression}");
        }
        assert!(satisfied(&"(".repeat(100)).is_err());
    }
}
