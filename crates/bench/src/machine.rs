//! What a run was made on.

use std::fs;

/// One line: processor, memory, kernel and what else went on.
pub fn describe() -> String {
    let processors = read("/proc/cpuinfo");
    let cores = processors
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let model = value(&processors, "model name").unwrap_or("an unnamed processor");
    let memory = read("/proc/meminfo");
    let memory = value(&memory, "MemTotal").and_then(|value| value.split(' ').next());
    let gigabytes = memory.and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / (1024 * 1024);
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    format!(
        "{cores} cores of {model}, {gigabytes} GB of memory, Linux {}, load average before the run {load}",
        kernel.trim()
    )
}

fn read(file: &str) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_cores_and_memory() {
        let machine = describe();
        assert!(!machine.starts_with("0 cores"), "{machine}");
        assert!(!machine.contains(" 0 GB"), "{machine}");
    }
}
