//! What may not be written anywhere in the tree.

use crate::tree::Tree;

const MAX_RUST_LINES: usize = 600;

/// The one file that is as long as the database has columns.
const LONG_BY_NATURE: &str = "crates/store/src/schema.rs";

/// Written in two halves, so that this file keeps its own rule.
const FORBIDDEN_TEXTS: [(&str, &str); 3] = [
    (
        concat!("#[ign", "ore"),
        "a test that does not run proves nothing",
    ),
    (concat!("to", "do!("), "unfinished code does not get in"),
    (concat!("db", "g!("), "a trace of debugging"),
];

const FORBIDDEN_WORDS: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

const FORBIDDEN_PATHS: [&str; 2] = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];

/// No unfinished work, no skipped tests, no paths of somebody's machine, no endless files.
pub fn check(tree: &Tree) -> Vec<String> {
    let written = tree
        .with_extension(&["rs", "toml", "md"])
        .flat_map(check_marks);
    let long = tree.with_extension(&["rs"]).filter_map(check_length);
    written
        .chain(long)
        .chain(tree.iter().flat_map(check_paths))
        .collect()
}

fn check_marks((path, text): (&str, &str)) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in numbered(text) {
        for (forbidden, reason) in FORBIDDEN_TEXTS {
            if line.contains(forbidden) {
                findings.push(format!("{path}:{number}: `{forbidden}`: {reason}"));
            }
        }
        for word in FORBIDDEN_WORDS {
            if has_word(line, word) {
                findings.push(format!(
                    "{path}:{number}: `{word}`: finish it or file an issue"
                ));
            }
        }
    }
    findings
}

fn check_length((path, text): (&str, &str)) -> Option<String> {
    let lines = text.lines().count();
    (lines > MAX_RUST_LINES && path != LONG_BY_NATURE)
        .then(|| format!("{path} has {lines} lines, more than {MAX_RUST_LINES}: split it"))
}

fn check_paths((path, text): (&str, &str)) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in numbered(text) {
        for forbidden in FORBIDDEN_PATHS {
            if starts_path(line, forbidden) {
                findings.push(format!(
                    "{path}:{number}: `{forbidden}`: a path of one machine"
                ));
            }
        }
    }
    findings
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_word_character) && !after.is_some_and(is_word_character)
    })
}

/// Whether an absolute path starts so: `src/work/` and `example.com/work/` are something else.
fn starts_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|character| is_word_character(character) || ".-~/}".contains(character))
    })
}

fn is_word_character(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)]))
    }

    #[test]
    fn every_forbidden_text_and_word_can_fail() {
        let texts = FORBIDDEN_TEXTS.iter().map(|(text, _)| *text);
        for mark in texts.chain(FORBIDDEN_WORDS) {
            for path in ["src/a.rs", "a.toml", "a.md"] {
                let found = findings(path, &format!("fine\n  // {mark}: later"));
                assert_eq!(found.len(), 1, "{mark} in {path}");
                assert!(
                    found[0].starts_with(&format!("{path}:2: `{mark}`")),
                    "{found:?}"
                );
            }
        }
    }

    #[test]
    fn a_mark_inside_a_longer_word_is_a_word() {
        for word in FORBIDDEN_WORDS {
            assert_eq!(
                findings("a.rs", &format!("{word}S A{word} {word}_1")),
                Vec::<String>::new()
            );
        }
    }

    #[test]
    fn a_path_of_one_machine_fails_in_any_kind_of_file() {
        for path in FORBIDDEN_PATHS {
            for file in ["docker-compose.yml", "a.rs", ".ci/run"] {
                assert_eq!(findings(file, &format!("x\n\"{path}main\"")).len(), 1);
            }
            let elsewhere = format!("src{path} https://example.com{path} ..{path}");
            assert_eq!(findings("a.rs", &elsewhere), Vec::<String>::new());
        }
    }

    #[test]
    fn a_long_file_fails_unless_it_is_the_schema() {
        let long = "\n".repeat(MAX_RUST_LINES + 1);
        assert_eq!(
            findings("a.rs", &long),
            ["a.rs has 601 lines, more than 600: split it"]
        );
        assert_eq!(findings(LONG_BY_NATURE, &long), Vec::<String>::new());
        assert_eq!(findings("a.md", &long), Vec::<String>::new());
    }
}
