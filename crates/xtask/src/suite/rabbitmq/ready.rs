//! Whether an AMQP server answers.

use std::io;
use std::time::Duration;

use anyhow::{bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The protocol header (AMQP 0-9-1, section 4.2.2).
const HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";

/// What a server answers: a method frame on channel 0 with the class and the method of Connection.Start
/// (sections 4.2.3 and 1.4.1). Between the channel and the class is the length of the frame.
const METHOD_ON_CHANNEL_0: [u8; 3] = [1, 0, 0];
const CONNECTION_START: [u8; 4] = [0, 10, 0, 10];

/// Opens a connection to a port of this machine and speaks AMQP up to the server's first frame.
pub async fn answers(port: u16) -> anyhow::Result<()> {
    match timeout(PATIENCE, greet(port)).await {
        Ok(frame) => check(frame?),
        Err(_) => bail!("no answer on port {port} within {} s", PATIENCE.as_secs()),
    }
}

async fn greet(port: u16) -> io::Result<[u8; 11]> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(HEADER).await?;
    let mut frame = [0; 11];
    stream.read_exact(&mut frame).await?;
    Ok(frame)
}

fn check(frame: [u8; 11]) -> anyhow::Result<()> {
    ensure!(
        frame.starts_with(&METHOD_ON_CHANNEL_0) && frame.ends_with(&CONNECTION_START),
        "not the answer of an AMQP server: {frame:?}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn answered(frame: &'static [u8]) -> anyhow::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut header = [0; 8];
            stream.read_exact(&mut header).await.unwrap();
            assert_eq!(header, HEADER);
            stream.write_all(frame).await.unwrap();
        };
        let (answered, ()) = tokio::join!(answers(port), serve);
        answered
    }

    #[tokio::test]
    async fn the_first_frame_of_a_server_is_recognised() {
        answered(&[1, 0, 0, 0, 0, 1, 244, 0, 10, 0, 10, 0, 9])
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_server_of_another_protocol_is_not_taken_for_one() {
        answered(b"AMQP\x00\x00\x09\x01").await.unwrap_err();
        let error = answered(b"HTTP/1.1 400 Bad Request").await.unwrap_err();
        assert!(
            error.to_string().starts_with("not the answer of an AMQP"),
            "{error}"
        );
    }
}
