//! How a hostile receiver behaves.

use super::connection::Connection;
use super::{Certificate, Meeting};
use std::time::Duration;
use tokio::time::sleep;

/// What is done with a connection, step by step. After the last one it is closed.
#[derive(Debug, Clone)]
pub struct Behaviour {
    steps: Vec<Step>,
    tls: Option<(Certificate, &'static [&'static str])>,
    is_secure: bool,
}

/// One step.
#[derive(Debug, Clone)]
pub enum Step {
    /// Reads a request over HTTP/1.1 to its end.
    Read,
    /// Reads what a client says over HTTP/2 until its first request has ended.
    ReadHttp2,
    /// Writes these bytes.
    Say(Vec<u8>),
    /// Writes what the last request asks for: the text `data.say` of its body.
    SayAsAsked,
    /// Writes these bytes one by one, with a pause before each.
    Drip(Vec<u8>, Duration),
    /// Writes these bytes again and again, until the other side has had enough.
    Endless(Vec<u8>),
    /// The same with a pause between.
    EndlessDrip(Vec<u8>, Duration),
    /// Waits for so long.
    Pause(Duration),
    /// Reads what comes, until the other side closes.
    Wait,
    /// Reads nothing, until the other side closes.
    Ignore,
    /// Ends the connection by a reset.
    Reset,
    /// Leaves the connection to the next request, which need not meet the same behaviour.
    Again,
}

impl Behaviour {
    /// These steps, over TCP.
    pub fn of(steps: impl Into<Vec<Step>>) -> Self {
        Self {
            steps: steps.into(),
            tls: None,
            is_secure: false,
        }
    }

    /// Reads a request, writes these bytes, and waits until the other side closes.
    pub fn says(bytes: impl Into<Vec<u8>>) -> Self {
        Self::of([Step::Read, Step::Say(bytes.into()), Step::Wait])
    }

    /// Reads a request, writes these bytes, and closes.
    pub fn says_and_closes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::of([Step::Read, Step::Say(bytes.into())])
    }

    /// Answers every request by 200, as anybody would.
    pub fn well() -> Self {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        Self::of([Step::Read, Step::Say(answer.to_vec()), Step::Again])
    }

    /// The same after a handshake of TLS with this certificate, over HTTP/1.1.
    #[must_use]
    pub fn over_tls(self, certificate: Certificate) -> Self {
        self.speaking(certificate, &["http/1.1"])
    }

    /// The same after a handshake of TLS in which HTTP/2 was agreed on.
    #[must_use]
    pub fn over_http2(self) -> Self {
        self.speaking(Certificate::Good, &["h2"])
    }

    /// The same to one who comes with TLS, instead of a handshake: its hello was read.
    #[must_use]
    pub fn instead_of_tls(self) -> Self {
        Self {
            is_secure: true,
            ..self
        }
    }

    /// Whether it is met at `https`.
    pub(super) fn is_secure(&self) -> bool {
        self.is_secure
    }

    pub(super) fn tls(&self) -> Option<(Certificate, &'static [&'static str])> {
        self.tls
    }

    fn speaking(self, certificate: Certificate, protocols: &'static [&'static str]) -> Self {
        Self {
            tls: Some((certificate, protocols)),
            is_secure: true,
            ..self
        }
    }
}

/// Plays it; whether the connection is left to another request.
pub(super) async fn play(
    behaviour: &Behaviour,
    connection: &mut Connection,
    meeting: &Meeting<'_>,
) -> bool {
    let mut asked = Vec::new();
    for step in &behaviour.steps {
        let is_done = match step {
            Step::Read => match connection.read().await {
                Some(hit) => {
                    asked = said_in(&hit.body);
                    meeting.note(|seen| seen.hits.push(hit));
                    true
                }
                None => false,
            },
            Step::ReadHttp2 => connection.read_http2().await,
            Step::Say(bytes) => say(connection, meeting, bytes).await,
            Step::SayAsAsked => say(connection, meeting, &asked).await,
            Step::Drip(bytes, pause) => drip(connection, meeting, bytes, *pause).await,
            Step::Endless(bytes) => {
                while say(connection, meeting, bytes).await {}
                false
            }
            Step::EndlessDrip(bytes, pause) => {
                while say(connection, meeting, bytes).await {
                    sleep(*pause).await;
                }
                false
            }
            Step::Pause(pause) => {
                sleep(*pause).await;
                true
            }
            Step::Wait => {
                connection.until_closed().await;
                false
            }
            Step::Ignore => {
                connection.until_left().await;
                false
            }
            Step::Reset => {
                connection.will_reset();
                false
            }
            Step::Again => return true,
        };
        if !is_done {
            return false;
        }
    }
    false
}

async fn say(connection: &mut Connection, meeting: &Meeting<'_>, bytes: &[u8]) -> bool {
    let written = connection.write(bytes).await;
    if written.is_some() {
        meeting.note(|seen| seen.written += bytes.len());
    }
    written.is_some()
}

async fn drip(
    connection: &mut Connection,
    meeting: &Meeting<'_>,
    bytes: &[u8],
    pause: Duration,
) -> bool {
    for byte in bytes.chunks(1) {
        sleep(pause).await;
        if !say(connection, meeting, byte).await {
            return false;
        }
    }
    true
}

/// The text `data.say` of a body; none is nothing.
fn said_in(body: &[u8]) -> Vec<u8> {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = body["data"]["say"].as_str().unwrap_or_default();
    text.as_bytes().to_vec()
}
