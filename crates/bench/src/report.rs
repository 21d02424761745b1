//! What is told of a run: tables that people and a page of documentation can read.

use crate::load::Load;
use crate::tally::Tally;
use crate::target::Target;
use std::fmt::{self, Write as _};

/// Everything that was measured.
#[derive(Debug, Default)]
pub struct Report {
    /// What was run, on what.
    pub setting: String,
    pub rows: Vec<Row>,
    pub accounts: Vec<Account>,
    pub costs: Vec<Cost>,
}

/// A number beside what it is held against.
#[derive(Debug, Clone)]
pub struct Row {
    pub what: String,
    pub value: f64,
    pub unit: &'static str,
    /// What could be reached at most, and by what.
    pub ceiling: Option<(&'static str, f64)>,
    pub target: Option<Target>,
}

/// Where everything went in one scenario.
#[derive(Debug, Clone, Default)]
pub struct Account {
    pub scenario: String,
    pub accepted: usize,
    /// How many are told of each.
    pub endpoints: usize,
    pub told: usize,
    pub told_twice: usize,
    pub lost: usize,
    pub unasked: usize,
    pub refused: u64,
    pub broken: u64,
}

/// What one process cost.
#[derive(Debug, Clone)]
pub struct Cost {
    pub process: String,
    /// Milliseconds of CPU for an event, under saturation and at a fixed rate.
    pub saturated_ms: f64,
    pub fixed_ms: f64,
    pub memory_mb: f64,
}

impl Row {
    /// A number alone.
    pub fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            what: what.into(),
            value,
            unit,
            ceiling: None,
            target: None,
        }
    }

    /// Beside what could be reached at most.
    #[must_use]
    pub fn below(mut self, name: &'static str, ceiling: f64) -> Self {
        self.ceiling = Some((name, ceiling));
        self
    }

    /// Beside what should be reached.
    #[must_use]
    pub fn should(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }
}

impl Account {
    /// Of a load whose arrivals were counted.
    pub fn new(scenario: impl Into<String>, load: &Load, tally: &Tally) -> Self {
        Self {
            scenario: scenario.into(),
            accepted: tally.accepted,
            endpoints: tally.endpoints,
            told: tally.told,
            told_twice: tally.told_twice,
            lost: tally.lost,
            unasked: tally.unasked,
            refused: load.refused,
            broken: load.broken,
        }
    }
}

impl Report {
    /// Why the run is a failure, if it is: something was lost, or nothing was measured.
    pub fn verdict(&self) -> Result<(), String> {
        for account in &self.accounts {
            if account.lost > 0 {
                return Err(format!("{} lost in: {}", account.lost, account.scenario));
            }
            if account.accepted == 0 {
                return Err(format!("nothing was accepted in: {}", account.scenario));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.setting)?;
        f.write_str("| what | number | unit | ceiling | of it | design | met |\n")?;
        f.write_str("|---|--:|---|---|--:|--:|---|\n")?;
        for row in &self.rows {
            writeln!(f, "{}", line(row))?;
        }
        f.write_str(
            "\n| scenario | accepted | endpoints | told | told twice | lost | unasked | refused | broken |\n",
        )?;
        f.write_str("|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")?;
        for account in &self.accounts {
            write_account(f, account)?;
        }
        if self.costs.is_empty() {
            return Ok(());
        }
        f.write_str("\n| process | CPU per event, saturated | at 500/s | memory |\n")?;
        f.write_str("|---|--:|--:|--:|\n")?;
        for cost in &self.costs {
            let (saturated, fixed) = (number(cost.saturated_ms), number(cost.fixed_ms));
            let memory = number(cost.memory_mb);
            let process = &cost.process;
            writeln!(
                f,
                "| {process} | {saturated} ms | {fixed} ms | {memory} MB |"
            )?;
        }
        Ok(())
    }
}

fn write_account(f: &mut fmt::Formatter<'_>, account: &Account) -> fmt::Result {
    let Account {
        scenario,
        accepted,
        endpoints,
        told,
        told_twice,
        lost,
        unasked,
        refused,
        broken,
    } = account;
    writeln!(
        f,
        "| {scenario} | {accepted} | {endpoints} | {told} | {told_twice} | {lost} | {unasked} | {refused} | {broken} |"
    )
}

fn line(row: &Row) -> String {
    let mut line = format!("| {} | {} | {} |", row.what, number(row.value), row.unit);
    // Writing into memory does not fail.
    let _ = match row.ceiling {
        Some((name, most)) => {
            let share = 100.0 * row.value / most;
            write!(line, " {name}: {} | {share:.0} % |", number(most))
        }
        None => write!(line, " | |"),
    };
    let _ = match row.target {
        Some(target) => {
            let met = if target.is_met(row.value) {
                "yes"
            } else {
                "no"
            };
            write!(line, " {} | {met} |", wanted(target))
        }
        None => write!(line, " | |"),
    };
    line
}

fn wanted(target: Target) -> String {
    match target {
        Target::AtLeast(least) => format!("≥ {}", number(least)),
        Target::AtMost(most) => format!("≤ {}", number(most)),
    }
}

/// With as many digits as it deserves, and commas between thousands.
fn number(value: f64) -> String {
    if value.abs() < 1.0 {
        return format!("{value:.3}");
    }
    if value.abs() < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let from_end = digits.chars().rev().enumerate();
    let mut reversed = String::new();
    for (place, digit) in from_end {
        if place > 0 && place % 3 == 0 && digit != '-' {
            reversed.push(',');
        }
        reversed.push(digit);
    }
    reversed.chars().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_told_beside_its_ceiling_and_its_target() {
        let row = Row::new("deliveries", 1_234.5, "/s")
            .below("HTTP", 12_345.0)
            .should(Target::AtLeast(1_000.0));
        let expected = "| deliveries | 1,234 | /s | HTTP: 12,345 | 10 % | ≥ 1,000 | yes |";
        assert_eq!(line(&row), expected);
        let bare = line(&Row::new("start", 0.5, "s"));
        assert_eq!(bare, "| start | 0.500 | s | | | | |");
    }

    #[test]
    fn a_loss_is_a_failure_and_so_is_silence() {
        let verdict = |accepted, lost| {
            let account = Account {
                scenario: "one endpoint".to_owned(),
                accepted,
                lost,
                ..Account::default()
            };
            let report = Report {
                accounts: vec![account],
                ..Report::default()
            };
            report.verdict()
        };
        assert_eq!(verdict(9, 0), Ok(()));
        assert_eq!(verdict(9, 2), Err("2 lost in: one endpoint".to_owned()));
        verdict(0, 0).unwrap_err();
    }
}
