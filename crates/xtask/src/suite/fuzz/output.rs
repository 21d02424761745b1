//! What libFuzzer says.

use std::collections::VecDeque;
use std::fmt;

/// How many lines are kept, to be shown when something was found: the panic, the stack and the input.
const LINES: usize = 120;

const RUNS: &str = "stat::number_of_executed_units:";
const RATE: &str = "stat::average_exec_per_sec:";
const FOUND: &str = "Test unit written to ";

/// What a program has said so far.
#[derive(Default)]
pub(super) struct Output {
    last: VecDeque<String>,
    runs: Option<u64>,
    rate: Option<u64>,
    found: Option<String>,
}

impl Output {
    pub(super) fn add(&mut self, line: &str) {
        let count = |after: &str| line.strip_prefix(after)?.trim().parse().ok();
        self.runs = count(RUNS).or(self.runs);
        self.rate = count(RATE).or(self.rate);
        if let Some((_, file)) = line.split_once(FOUND) {
            self.found = Some(file.to_owned());
        }
        if self.last.len() == LINES {
            self.last.pop_front();
        }
        self.last.push_back(line.to_owned());
    }

    /// The file with the input that the target does not survive.
    pub(super) fn found(&self) -> Option<&str> {
        self.found.as_deref()
    }

    pub(super) fn last_lines(&self) -> impl Iterator<Item = &str> {
        self.last.iter().map(String::as_str)
    }
}

/// How much was tried.
impl fmt::Display for Output {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (runs, rate) = (self.runs.unwrap_or(0), self.rate.unwrap_or(0));
        write!(formatter, "{runs:>10} inputs, {rate:>7} a second")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(lines: &[&str]) -> Output {
        let mut output = Output::default();
        for line in lines {
            output.add(line);
        }
        output
    }

    #[test]
    fn how_much_was_tried_is_read() {
        let output = output(&[
            "#2048\tpulse  cov: 12",
            "stat::number_of_executed_units: 52496",
            "stat::average_exec_per_sec:     2499",
        ]);
        assert_eq!(output.to_string(), "     52496 inputs,    2499 a second");
        assert_eq!(output.found(), None);
    }

    #[test]
    fn where_the_input_is_is_read() {
        let output = output(&[
            "thread '<unnamed>' panicked at src/lib.rs:1:1:",
            "artifact_prefix='a/'; Test unit written to a/crash-0beec7b5",
            "Base64: AA==",
        ]);
        assert_eq!(output.found(), Some("a/crash-0beec7b5"));
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut output = Output::default();
        for number in 0..LINES + 40 {
            output.add(&number.to_string());
        }
        let last: Vec<_> = output.last_lines().collect();
        assert_eq!((last.len(), last[0]), (LINES, "40"));
    }
}
