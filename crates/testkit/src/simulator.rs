//! The program as a provider: `<program> provider-simulator`.

use crate::client::Api;
use crate::process::clean_command;
use serde_json::Value;
use std::borrow::Borrow;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long it may take to say where it listens.
const PATIENCE: Duration = Duration::from_secs(20);
/// What it says first, before its URL.
const FIRST: &str = "simulating ";

/// A running simulator of a provider. When it is dropped it is killed.
pub struct Simulator {
    child: Child,
    api: Api,
}

impl Simulator {
    /// Starts `<program> provider-simulator --listen 127.0.0.1:0` with these arguments, and waits until
    /// it says where it is.
    ///
    /// # Panics
    ///
    /// When it ends, or does not say so within 20 seconds.
    pub async fn start(program: impl AsRef<Path>, args: &[&str]) -> Self {
        let started = clean_command(program.as_ref())
            .args(["provider-simulator", "--listen", "127.0.0.1:0"])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) => panic!("the simulator cannot be started: {error}"),
        };
        let Some(output) = child.stdout.take() else {
            panic!("the simulator has no output")
        };
        let (tell, told) = mpsc::channel();
        // What it says later is read too: it would stand still otherwise.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        let first = tokio::task::spawn_blocking(move || told.recv_timeout(PATIENCE)).await;
        let url = match &first {
            Ok(Ok(line)) => address(line),
            _ => None,
        };
        let Some(url) = url else {
            let _ = child.kill();
            panic!(
                "the simulator does not say where it is: {first:?}, {:?}",
                child.wait()
            )
        };
        Self {
            child,
            api: Api::anonymous(url),
        }
    }

    /// Its address, without a slash at its end.
    pub fn url(&self) -> &str {
        self.api.base_url()
    }

    /// Everything it answers: the provider's API, and its own below `/simulator`.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Sends a message (`{"to", "from"?, "parts"?, "client_reference"?, "outcome"?}`); the provider's id
    /// of it.
    ///
    /// # Panics
    ///
    /// When it is not taken.
    pub async fn send(&self, message: impl Borrow<Value>) -> String {
        let sent = self.api.post("/simulator/messages", message).await;
        let sent = sent.expect(201);
        match sent["provider_message_id"].as_str() {
            Some(id) => id.to_owned(),
            None => panic!("no id: {sent}"),
        }
    }

    /// What is true of a message.
    ///
    /// # Panics
    ///
    /// When there is none with this id.
    pub async fn message(&self, id: &str) -> Value {
        let path = format!("/simulator/messages/{id}");
        self.api.get(&path).await.expect(200)
    }

    /// What is true of a message, once it is as wanted.
    ///
    /// # Panics
    ///
    /// When it is not `within` the time.
    pub async fn message_until(
        &self,
        id: &str,
        wanted: impl FnMut(&Value) -> bool,
        within: Duration,
    ) -> Value {
        let path = format!("/simulator/messages/{id}");
        self.api.get_until(&path, wanted, within).await
    }

    /// How many requests came, and what became of them.
    pub async fn requests(&self) -> Value {
        self.api.get("/simulator/requests").await.expect(200)
    }

    /// Changes settings, such as `{"loss": 1}`.
    ///
    /// # Panics
    ///
    /// When they are not taken.
    pub async fn set(&self, settings: impl Borrow<Value>) {
        let changed = self.api.post("/simulator/settings", settings).await;
        changed.expect(200);
    }

    /// SIGTERM; how it ended.
    ///
    /// # Panics
    ///
    /// When the signal cannot be sent.
    pub fn terminate(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        let sent = clean_command(Path::new("kill"))
            .args(["-TERM", &pid])
            .status();
        assert!(
            sent.as_ref().is_ok_and(ExitStatus::success),
            "cannot send SIGTERM: {sent:?}"
        );
        match self.child.wait() {
            Ok(status) => status,
            Err(error) => panic!("the simulator does not end: {error}"),
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The URL in its first line: `simulating mtn on http://127.0.0.1:8090 (Ctrl-C ends)`.
fn address(line: &str) -> Option<&str> {
    let (_, rest) = line.strip_prefix(FIRST)?.split_once(" on ")?;
    rest.split(' ').next()
}
