//! The page that keeps the results.

use std::fs;
use std::path::Path;

use anyhow::Context;

const PAGE: &str = "docs/PERFORMANCE.md";

/// Puts the results of a mode into their place.
pub fn keep(root: &Path, mode: &str, results: &str) -> anyhow::Result<()> {
    let file = root.join(PAGE);
    let page = fs::read_to_string(&file).with_context(|| format!("cannot read {PAGE}"))?;
    let page = replace(&page, mode, results)
        .with_context(|| format!("{PAGE} has no place for the results of the {mode} mode"))?;
    fs::write(&file, page).with_context(|| format!("cannot write {PAGE}"))?;
    println!("{PAGE} has the results of the {mode} mode");
    Ok(())
}

/// The page with other text between the two marks of a mode. Nothing where there are no such marks.
fn replace(page: &str, mode: &str, text: &str) -> Option<String> {
    let begin = format!("<!-- results: {mode} -->\n");
    let end = "<!-- end of results -->";
    let (before, rest) = page.split_once(&begin)?;
    let at = rest.find(end)?;
    let after = &rest[at..];
    Some(format!("{before}{begin}\n{}\n\n{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "a\n<!-- results: embedded -->\nold\n<!-- end of results -->\nb\n\
        <!-- results: distributed -->\n<!-- end of results -->\n";

    #[test]
    fn only_what_is_between_the_marks_of_the_mode_is_replaced() {
        let replaced = replace(PAGE, "embedded", "new\n").unwrap();
        assert_eq!(replaced, PAGE.replace("\nold\n", "\n\nnew\n\n"));
        let again = replace(&replaced, "embedded", "new").unwrap();
        assert_eq!(again, replaced);
        let other = replace(PAGE, "distributed", "new").unwrap();
        assert!(other.contains("old"), "{other}");
    }

    #[test]
    fn a_page_without_the_marks_has_no_place() {
        assert_eq!(replace("", "embedded", "new"), None);
    }
}
