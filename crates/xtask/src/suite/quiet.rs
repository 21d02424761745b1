//! Keeps Debian from starting the services of packages while they are installed.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Asked by `invoke-rc.d` and `deb-systemd-invoke` before they start anything.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// 101 forbids the action.
const FORBID: &[u8] = b"#!/bin/sh\nexit 101\n";

/// Forbids that services are started. Dropped, it is as before. Where the owner of the machine has a
/// policy, that one decides.
pub struct NoServices {
    written: Option<PathBuf>,
}

impl NoServices {
    /// From here on, while the value is alive.
    pub fn while_alive() -> anyhow::Result<Self> {
        Self::at(Path::new(POLICY)).with_context(|| format!("cannot write {POLICY}"))
    }

    fn at(path: &Path) -> anyhow::Result<Self> {
        if fs::symlink_metadata(path).is_ok() {
            return Ok(Self { written: None });
        }
        let mut file = fs::File::create_new(path)?;
        let written = Self {
            written: Some(path.to_owned()),
        };
        file.set_permissions(Permissions::from_mode(0o755))?;
        file.write_all(FORBID)?;
        Ok(written)
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        let Some(path) = &self.written else { return };
        if let Err(error) = fs::remove_file(path) {
            println!("cannot remove {}: {error}", path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn services_are_forbidden_until_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy-rc.d");
        let forbidden = NoServices::at(&path).unwrap();
        let status = Command::new(&path).status().unwrap();
        assert_eq!(status.code(), Some(101));
        drop(forbidden);
        assert!(!path.exists());
    }

    #[test]
    fn the_policy_of_the_owner_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy-rc.d");
        fs::write(&path, "mine").unwrap();
        drop(NoServices::at(&path).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }
}
