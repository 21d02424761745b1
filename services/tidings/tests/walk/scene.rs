//! Where a walk takes place: an installation of its own.

use crate::servers::Backing;
use broker::{Broker, RabbitOptions};
use domain::{Clock, Random};
use failpoint::Point;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;
use tempfile::TempDir;
use testkit::{ADMIN_KEY, Launch, Process, Proxy, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tidings");
/// What `kill -9` sends.
const SIGKILL: i32 = 9;
/// Within which callbacks come.
const SOON: Duration = Duration::from_secs(20);
/// For a process that testkit does not start; it has others of its own.
const LISTENERS: [(&str, &str); 3] = [
    ("TIDINGS_INGRESS__LISTEN", "127.0.0.1:0"),
    ("TIDINGS_SUBSCRIPTIONS__LISTEN", "127.0.0.1:0"),
    ("TIDINGS_RUNTIME__ADMIN_LISTEN", "127.0.0.1:0"),
];

pub struct Scene {
    /// How many processes die in it.
    pub deaths: usize,
    backing: Backing,
    /// The way to RabbitMQ, where it is to be cut.
    rabbit: Option<Proxy>,
    directory: TempDir,
}

impl Scene {
    pub fn new(backing: Backing, deaths: usize) -> Self {
        Self {
            deaths,
            backing,
            rabbit: None,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// With a way to RabbitMQ that can be cut.
    pub async fn with_proxy(mut self) -> Self {
        if let Backing::Servers(servers) = &mut self.backing {
            let (_, after_user) = servers.amqp.split_once('@').unwrap();
            let target = after_user.split('/').next().unwrap().to_owned();
            let proxy = Proxy::start(&target).await;
            servers.amqp = proxy.url(&servers.amqp);
            self.rabbit = Some(proxy);
        }
        self
    }

    /// Cuts the way to RabbitMQ.
    pub fn cut(&self) {
        self.rabbit.as_ref().unwrap().cut();
    }

    /// Mends it, if it was cut.
    pub async fn heal(&self) {
        if let Some(rabbit) = &self.rabbit {
            rabbit.heal().await;
        }
    }

    /// Waits until callbacks are in the journal.
    pub async fn is_kept_in_journal(&self) {
        let folder = self.data_dir().join("journal");
        let holds_any = || {
            let files = std::fs::read_dir(&folder).unwrap();
            files.map(|file| file.unwrap().path()).any(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "journal")
            })
        };
        eventually("callbacks are in the journal", SOON, async || {
            holds_any().then_some(())
        })
        .await;
    }

    /// A process that dies of nothing.
    pub async fn start(&self) -> Process {
        self.launch().start().await
    }

    /// A process that dies at this point, once the scene [is set](Self::is_set).
    pub async fn start_armed(&self, point: Point) -> Process {
        let from = self.from().display().to_string();
        let launch = self.launch().setting("TIDINGS_FAILPOINT_FROM", &from);
        let armed = self.armed(point);
        let launch = armed
            .iter()
            .fold(launch, |launch, (name, value)| launch.setting(name, value));
        launch.start().await
    }

    /// Points count from here on: whatever was told of before, as that RabbitMQ was slow, nobody dies of it.
    pub fn is_set(&self) {
        std::fs::write(self.from(), "").unwrap();
    }

    /// A second dispatcher.
    pub async fn start_beside(&self) -> Process {
        let data_dir = self.directory.path().join("beside");
        let launch = self.launch_in(data_dir).roles(&["dispatcher"]);
        launch.start().await
    }

    /// Runs a process that dies at this point before anybody can ask it anything.
    pub async fn run_armed(&self, point: Point) -> ExitStatus {
        let data_dir = self.data_dir().display().to_string();
        let mut settings = self.settings();
        settings.extend(self.armed(point));
        let mut settings: Vec<(&str, &str)> = borrowed(&settings);
        settings.extend(LISTENERS);
        settings.push(("TIDINGS_DATA_DIR", &data_dir));
        Process::run_command(PROGRAM, &["run"], &settings)
            .await
            .status
    }

    /// What people did is in the audit log in one chain, says the command that looks. A process runs.
    pub async fn verify_audit_log(&self) {
        let data_dir = self.data_dir().display().to_string();
        let settings = self.settings();
        let mut settings: Vec<(&str, &str)> = borrowed(&settings);
        settings.push(("TIDINGS_DATA_DIR", &data_dir));
        settings.push(("TIDINGS_SUBSCRIPTIONS__ADMIN_KEY", ADMIN_KEY));
        let ended = Process::run_command(PROGRAM, &["audit", "verify"], &settings).await;
        assert!(ended.status.success(), "{ended:?}");
    }

    /// It died of the point, and of nothing else.
    #[track_caller]
    pub fn expect_death(&self, point: Point, status: ExitStatus) {
        let fired = std::fs::read_to_string(self.marker());
        assert_eq!(fired.as_deref().ok(), Some(point.as_str()), "{status}");
        assert_eq!(status.signal(), Some(SIGKILL), "{status}");
    }

    /// Makes a message's row one that no release can have written, as after a disk fault.
    pub async fn break_message(&self, id: &str) {
        let broken = format!("update messages set state = 99 where provider_message_id = '{id}'");
        let file = self.data_dir().join("tidings.db");
        assert_eq!(self.backing.change_store(&file, &broken).await, 1);
    }

    /// The queue, while no process has it.
    pub fn open_broker(&self) -> Broker {
        let clock = Clock::system();
        match &self.backing {
            Backing::Files => Broker::open_embedded(&self.data_dir().join("queue.db"), clock),
            Backing::Servers(servers) => {
                let options = RabbitOptions::new(&servers.amqp, &servers.namespace);
                Broker::open_rabbit(&options, clock, Random::system())
            }
        }
        .unwrap()
    }

    fn launch(&self) -> Launch {
        self.launch_in(self.data_dir())
    }

    fn launch_in(&self, data_dir: PathBuf) -> Launch {
        let settings = self.settings();
        Launch::new(PROGRAM, data_dir).settings(&borrowed(&settings))
    }

    fn settings(&self) -> Vec<(String, String)> {
        // A failing endpoint is soon asked again. A job that is in hand at every death has one attempt
        // left, and what cannot be done is soon a dead letter.
        let attempts = (self.deaths + 1).to_string();
        let mut settings = self.backing.settings();
        settings.extend([
            setting("TIDINGS_DISPATCHER__RETRY", "1,1,1,1,1".to_owned()),
            // An endpoint that refuses is tried again all the same.
            setting(
                "TIDINGS_DISPATCHER__BREAKER__MIN_REQUESTS",
                "10000".to_owned(),
            ),
            setting("TIDINGS_POLLER__FIRST_POLL", "2s".to_owned()),
            setting("TIDINGS_POLLER__FIRST_POLL_FLOOR", "1s".to_owned()),
            setting("TIDINGS_TRACKER__MAX_ATTEMPTS", attempts),
        ]);
        settings
    }

    fn armed(&self, point: Point) -> [(String, String); 2] {
        [
            setting("TIDINGS_FAILPOINT", point.as_str().to_owned()),
            setting(
                "TIDINGS_FAILPOINT_MARKER",
                self.marker().display().to_string(),
            ),
        ]
    }

    fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn from(&self) -> PathBuf {
        self.directory.path().join("failpoint.from")
    }

    fn marker(&self) -> PathBuf {
        self.directory.path().join("failpoint.fired")
    }
}

fn setting(name: &str, value: String) -> (String, String) {
    (name.to_owned(), value)
}

fn borrowed(settings: &[(String, String)]) -> Vec<(&str, &str)> {
    settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}
