//! A private PostgreSQL for the tests: on a free loopback port, in a scratch directory, ended by its
//! own process id whatever becomes of the run.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;

use super::certificate::Certificate;
use super::child::Children;
use super::control;
use super::ports;
use super::servers;
use super::setup::{self, is_root};

/// What tests read; where it is set, that server is used and none is started.
pub const VARIABLE: &str = "TIDINGS_TEST_POSTGRES_URL";
/// The PEM file of the authority of its certificate, which is for `localhost` and 127.0.0.1.
const CA: &str = "TIDINGS_TEST_POSTGRES_CA";
/// A program that ends it and starts it again.
const CONTROL: &str = "TIDINGS_TEST_POSTGRES_CONTROL";

const PACKAGE: &str = "postgresql";
/// Debian's package would start a server of its own; this file keeps it from that.
const CREATE_CLUSTER: (&str, &str) = (
    "/etc/postgresql-common/createcluster.conf",
    "create_main_cluster = false\n",
);
/// Whom the server runs as when we are root, which it refuses to be.
const USER: &str = "postgres";

/// Whether a commit waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// No: what tests write need not survive the machine.
    Unsynced,
    /// Yes, as for whoever runs it.
    Synced,
}

/// A running server. Dropped, it ends.
pub struct Postgres {
    bin: PathBuf,
    directory: TempDir,
    url: String,
    ca: PathBuf,
    control: PathBuf,
}

impl Postgres {
    /// Starts one, after installing PostgreSQL where it is missing and that is possible.
    pub async fn start(children: &mut Children, disk: Disk) -> anyhow::Result<Self> {
        let bin = find_or_install(children).await?;
        let directory = tempfile::Builder::new()
            .prefix("tidings-postgres-")
            .tempdir()?;
        let certificate = Certificate::make(directory.path())?;
        // It refuses a key that others may read.
        fs::set_permissions(&certificate.key, Permissions::from_mode(0o600))?;
        let settings = [("BIN", display(&bin))];
        let program = include_str!("postgres/control.sh");
        let control = control::write(directory.path(), program, &settings)?;
        if is_root() {
            run("chown", &["-R", USER, &display(directory.path())])?;
        }
        let [port] = ports::free()?;
        let server = Self {
            url: format!("postgres://{USER}@127.0.0.1:{port}/postgres"),
            bin,
            directory,
            ca: certificate.ca,
            control,
        };
        let data = display(&server.data());
        let sockets = display(server.directory.path());
        server.perform(
            "initdb",
            &["-D", &data, "-A", "trust", "-U", USER, "--no-sync"],
        )?;
        let options = format!(
            "-k {sockets} -c listen_addresses=127.0.0.1 -p {port} -c max_connections=400 {} \
             -c ssl=on -c ssl_cert_file={} -c ssl_key_file={}",
            disk.options(),
            display(&certificate.server),
            display(&certificate.key)
        );
        let log = display(&server.log());
        let start = [
            "-D",
            data.as_str(),
            "-w",
            "-o",
            options.as_str(),
            "-l",
            log.as_str(),
            "start",
        ];
        server.perform("pg_ctl", &start)?;
        println!("a private PostgreSQL runs at {}", server.url);
        Ok(server)
    }

    /// The environment variables that tests find it by.
    pub fn variables(&self) -> [(&'static str, String); 3] {
        [
            (VARIABLE, self.url.clone()),
            (CA, display(&self.ca)),
            (CONTROL, display(&self.control)),
        ]
    }

    /// Makes an empty database; its URL.
    pub fn create_database(&self, name: &str) -> anyhow::Result<String> {
        let (server, _) = self.url.rsplit_once('/').context("a URL without a path")?;
        let maintenance = format!("--maintenance-db={}", self.url);
        self.perform("createdb", &[&maintenance, name])?;
        Ok(format!("{server}/{name}"))
    }

    /// The id of the process that all others of the server descend from.
    pub fn process(&self) -> anyhow::Result<u32> {
        let file = self.data().join("postmaster.pid");
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let line = text.lines().next().unwrap_or_default();
        line.trim().parse().context("postmaster.pid has no id")
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    fn perform(&self, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let program = display(&self.bin.join(program));
        if is_root() {
            return run(
                "runuser",
                &[&["-u", USER, "--", program.as_str()], arguments].concat(),
            );
        }
        run(&program, arguments)
    }
}

impl Disk {
    /// What differs; a server for tests also keeps less of its log. It writes as much into it as any other: with a
    /// minimal one, an unlogged index of a copied database was a page of zeros after a crash.
    fn options(self) -> &'static str {
        match self {
            Self::Unsynced => "-c fsync=off -c max_wal_size=512MB",
            Self::Synced => "-c fsync=on",
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = display(&self.data());
        if let Err(error) = self.perform("pg_ctl", &["-D", &data, "-m", "immediate", "stop"]) {
            let tail = servers::tail(&self.log());
            println!("the private PostgreSQL could not be stopped: {error:#}{tail}");
        }
    }
}

/// Where its programs are, after installing it where it is missing and that is possible.
pub async fn find_or_install(children: &mut Children) -> anyhow::Result<PathBuf> {
    match find_bin() {
        Some(bin) => Ok(bin),
        None => install(children).await,
    }
}

/// Where `initdb` and `pg_ctl` are: Debian keeps them out of the way, by version.
fn find_bin() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .filter(|bin| bin.join("pg_ctl").exists())
        .collect();
    versions.sort();
    let of_debian = versions.pop();
    of_debian.or_else(|| {
        let asked = Command::new("pg_config").arg("--bindir").output().ok()?;
        let bin = PathBuf::from(String::from_utf8(asked.stdout).ok()?.trim());
        bin.join("pg_ctl").exists().then_some(bin)
    })
}

async fn install(children: &mut Children) -> anyhow::Result<PathBuf> {
    if !setup::can_install() {
        bail!(
            "PostgreSQL is missing; install it (on Debian: apt-get install {PACKAGE}), or set \
             {VARIABLE} to a server whose user may make databases"
        );
    }
    println!("PostgreSQL is missing; installing {PACKAGE}");
    let (path, text) = CREATE_CLUSTER;
    if let Some(folder) = Path::new(path).parent() {
        std::fs::create_dir_all(folder)?;
    }
    if !Path::new(path).exists() {
        std::fs::write(path, text).with_context(|| format!("cannot write {path}"))?;
    }
    setup::install(children, &[PACKAGE]).await?;
    find_bin().context("PostgreSQL is installed and still not found")
}

fn run(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    // A server that goes on running must not hold our output open.
    let status = Command::new(program)
        .args(arguments)
        // The server's user may not enter the directory we are in.
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("cannot run {program}"))?;
    ensure!(
        status.success(),
        "{program} {} ended with {status}",
        arguments.join(" ")
    );
    Ok(())
}

fn display(path: &Path) -> String {
    path.display().to_string()
}
