//! What processes use, from `/proc` (proc(5)).

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// `/proc` counts time in hundredths of a second on every Linux that is not built to do otherwise.
const TICK: Duration = Duration::from_millis(10);

/// A process with everything it started.
#[derive(Debug, Clone)]
pub struct Group {
    /// What it is called in the tables.
    pub name: String,
    /// The id of the process.
    pub process: u32,
}

/// A line of the process table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    parent: u32,
    /// The id of its process group.
    group: u32,
    /// User and system time, its own and of ended children that were waited for.
    ticks: u32,
}

/// The CPU time of each group until now, in their order.
pub fn cpu(groups: &[Group]) -> Vec<Duration> {
    let table = table();
    let time = |group: &Group| {
        let members = members(&table, group.process);
        TICK * members
            .iter()
            .map(|process| table[process].ticks)
            .sum::<u32>()
    };
    groups.iter().map(time).collect()
}

/// The most memory that a process has ever had resident, in bytes.
pub fn peak_bytes(process: u32) -> u64 {
    kilobytes(&format!("/proc/{process}/status"), "VmHWM:") * 1024
}

/// The memory that each group has resident, in bytes; what processes share is counted once.
pub fn resident_bytes(groups: &[Group]) -> Vec<u64> {
    let table = table();
    let of_process = |process: &u32| kilobytes(&format!("/proc/{process}/smaps_rollup"), "Pss:");
    let of_group = |group: &Group| {
        let members = members(&table, group.process);
        1024 * members.iter().map(of_process).sum::<u64>()
    };
    groups.iter().map(of_group).collect()
}

/// The process, its process group, and all that descend from them.
fn members(table: &BTreeMap<u32, Stat>, process: u32) -> Vec<u32> {
    let is_root = |(id, stat): (&u32, &Stat)| *id == process || stat.group == process;
    let is_member = |id: &u32| {
        let mut id = *id;
        while let Some(stat) = table.get(&id) {
            if is_root((&id, stat)) {
                return true;
            }
            id = stat.parent;
        }
        false
    };
    table.keys().copied().filter(is_member).collect()
}

fn table() -> BTreeMap<u32, Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let line = |entry: fs::DirEntry| {
        let process = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        Some((process, parse(&stat)?))
    };
    entries.filter_map(line).collect()
}

/// The fields after the name of the program, which may have spaces and brackets.
fn parse(stat: &str) -> Option<Stat> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let field = |at: usize| fields.get(at)?.parse::<u32>().ok();
    Some(Stat {
        parent: field(1)?,
        group: field(2)?,
        ticks: field(11)? + field(12)? + field(13)? + field(14)?,
    })
}

fn kilobytes(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let digits = line.and_then(|line| line.split_whitespace().next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_process_are_read_whatever_it_is_called() {
        let line = "7 (a) b (c) S 3 2 1 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 9 1 1";
        let expected = Stat {
            parent: 3,
            group: 2,
            ticks: 100,
        };
        assert_eq!(parse(line), Some(expected));
    }

    #[test]
    fn a_group_is_what_descends_from_it() {
        let stat = |parent, group| Stat {
            parent,
            group,
            ticks: 1,
        };
        let table = BTreeMap::from([
            (1, stat(0, 1)),
            (5, stat(1, 5)),
            (6, stat(5, 6)),
            (7, stat(1, 5)),
            (8, stat(1, 8)),
        ]);
        assert_eq!(members(&table, 5), [5, 6, 7]);
    }

    #[test]
    fn this_process_uses_memory() {
        let this = std::process::id();
        assert!(peak_bytes(this) > 100_000);
        let group = Group {
            name: "this".to_owned(),
            process: this,
        };
        assert_eq!(cpu(&[group]).len(), 1);
    }
}
