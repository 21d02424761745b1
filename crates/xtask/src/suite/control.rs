//! How a test ends a private server and starts it again: a program beside the server's data.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Writes the program, which takes `stop`, `start` or `restart`, and the settings that it reads in the
/// words of a shell.
pub fn write(
    directory: &Path,
    program: &str,
    settings: &[(&str, String)],
) -> anyhow::Result<PathBuf> {
    let lines = settings
        .iter()
        .map(|(name, value)| export(name, value) + "\n");
    let path = directory.join("control");
    fs::write(directory.join("settings"), lines.collect::<String>())
        .and_then(|()| fs::write(&path, program))
        .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o755)))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// Sets a variable, in the words of a shell.
pub fn export(name: &str, value: &str) -> String {
    format!("export {name}='{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_program_reads_its_settings_as_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let program = "#!/bin/sh\n. \"$(dirname \"$0\")/settings\"\necho \"$A $1\"\n";
        let settings = [("A", "it's {b}".to_owned())];
        let control = write(directory.path(), program, &settings).unwrap();
        let output = Command::new("sh").arg(control).arg("stop").output();
        assert_eq!(output.unwrap().stdout, b"it's {b} stop\n");
    }
}
