use std::fmt;

use anyhow::ensure;

/// How libtest starts the line that closes each test binary.
const RESULT: &str = "test result:";

/// The counts of all test binaries together.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Totals {
    passed: usize,
    failed: usize,
    ignored: usize,
    filtered: usize,
    /// Result lines that could not be read.
    unreadable: usize,
}

impl Totals {
    /// Adds a line of `cargo test`, if it is a result such as
    /// `test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s`.
    pub fn add(&mut self, line: &str) {
        let line = without_colours(line);
        let Some(counts) = line.strip_prefix(RESULT) else {
            return;
        };
        let count = |what: &str| {
            let (before, _) = counts.split_once(what)?;
            before.trim_end().rsplit(' ').next()?.parse::<usize>().ok()
        };
        match (
            count("passed"),
            count("failed"),
            count("ignored"),
            count("filtered out"),
        ) {
            (Some(passed), Some(failed), Some(ignored), Some(filtered)) => {
                self.passed += passed;
                self.failed += failed;
                self.ignored += ignored;
                self.filtered += filtered;
            }
            _ => self.unreadable += 1,
        }
    }

    /// Fails unless there were tests, and all of them ran and passed.
    pub fn verdict(&self) -> anyhow::Result<()> {
        ensure!(
            self.unreadable == 0,
            "unreadable test results: {}",
            self.unreadable
        );
        ensure!(self.failed == 0, "failed tests: {}", self.failed);
        ensure!(
            self.ignored == 0,
            "ignored tests: {}; run them or remove them",
            self.ignored
        );
        ensure!(self.filtered == 0, "tests filtered out: {}", self.filtered);
        ensure!(self.passed > 0, "no test ran");
        Ok(())
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skipped = self.ignored + self.filtered;
        write!(
            formatter,
            "{} passed, {} failed, {skipped} skipped",
            self.passed, self.failed
        )
    }
}

/// Leaves out terminal colours (`ESC [ … m`), which `CARGO_TERM_COLOR=always` asks for.
fn without_colours(line: &str) -> String {
    let mut pieces = line.split('\u{1b}');
    let plain = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(plain, |plain, piece| {
        plain + piece.split_once('m').map_or("", |(_, rest)| rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s";

    fn totals(lines: &[&str]) -> Totals {
        let mut totals = Totals::default();
        for line in lines {
            totals.add(line);
        }
        totals
    }

    #[test]
    fn results_of_all_binaries_are_summed_up() {
        let totals = totals(&["running 5 tests", "test a ... ok", GOOD, "", GOOD]);
        assert_eq!(totals.to_string(), "10 passed, 0 failed, 0 skipped");
        totals.verdict().unwrap();
    }

    #[test]
    fn colours_do_not_hide_a_result() {
        let failed = GOOD
            .replace("ok", "\u{1b}[31mFAILED\u{1b}[m")
            .replace("0 failed", "2 failed");
        assert_eq!(
            totals(&[&failed]).to_string(),
            "5 passed, 2 failed, 0 skipped"
        );
    }

    #[test]
    fn whatever_is_not_a_full_success_fails() {
        for (from, to, reason) in [
            ("0 failed", "1 failed", "failed tests: 1"),
            (
                "0 ignored",
                "2 ignored",
                "ignored tests: 2; run them or remove them",
            ),
            ("0 filtered out", "3 filtered out", "tests filtered out: 3"),
            ("5 passed", "0 passed", "no test ran"),
            ("5 passed", "many passed", "unreadable test results: 1"),
        ] {
            let verdict = totals(&[&GOOD.replace(from, to)]).verdict();
            assert_eq!(verdict.unwrap_err().to_string(), reason);
        }
    }

    #[test]
    fn silence_is_not_success() {
        assert_eq!(
            totals(&[]).verdict().unwrap_err().to_string(),
            "no test ran"
        );
    }
}
