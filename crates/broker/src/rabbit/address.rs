//! Where RabbitMQ is, read from a URL as RabbitMQ's own clients read it
//! (<https://www.rabbitmq.com/docs/uri-spec>, <https://www.rabbitmq.com/docs/uri-query-parameters>).

use crate::error::Error;
use lapin::tcp::OwnedTLSConfig;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use std::time::Duration;
use tokio::time::timeout;
use url::Url;

/// How long a connection may take to be there.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// The pulse of a connection, unless the URL says another: a silent one is dead after two.
const HEARTBEAT_SECONDS: u16 = 10;
/// The parameters a URL may have.
const PARAMETERS: [&str; 5] = [
    "heartbeat",
    "connection_timeout",
    "frame_max",
    "channel_max",
    CA_FILE,
];
const CA_FILE: &str = "cacertfile";

pub(super) struct Address {
    uri: AMQPUri,
    tls: OwnedTLSConfig,
    /// Host and port, for people.
    pub(super) at: String,
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        let bad = |reason: String| Error::BadUrl { reason };
        let mut url = Url::parse(url).map_err(|error| bad(error.to_string()))?;
        let parameters: Vec<(String, String)> = url
            .query_pairs()
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        if let Some((name, _)) = parameters
            .iter()
            .find(|(name, _)| !PARAMETERS.contains(&name.as_str()))
        {
            let known = PARAMETERS.join(", ");
            return Err(bad(format!(
                "it has the parameter {name}; it may have {known}"
            )));
        }
        let (files, others): (Vec<_>, Vec<_>) = parameters
            .into_iter()
            .partition(|(name, _)| name == CA_FILE);
        url.set_query(None);
        if !others.is_empty() {
            url.query_pairs_mut().extend_pairs(&others);
        }
        let mut uri: AMQPUri = url.as_str().parse().map_err(bad)?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        let cert_chain = files
            .last()
            .map(|(_, path)| authorities(path))
            .transpose()?;
        Ok(Self {
            at: format!("{}:{}", uri.authority.host, uri.authority.port),
            tls: OwnedTLSConfig {
                identity: None,
                cert_chain,
            },
            uri,
        })
    }

    /// Connects, under a name that RabbitMQ's operator sees.
    pub(super) async fn connect(&self, name: &str) -> Result<Connection, Error> {
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let runtime = lapin::runtime::default_runtime().map_err(|error| self.away(&error))?;
        let connecting = Connection::connect_uri_with_config(
            self.uri.clone(),
            properties,
            self.tls.clone(),
            runtime,
        );
        match timeout(CONNECT_WITHIN, connecting).await {
            Ok(connected) => connected.map_err(|error| self.away(&error)),
            Err(_) => Err(Error::Away {
                at: self.at.clone(),
                reason: format!("no connection within {CONNECT_WITHIN:?}"),
            }),
        }
    }

    pub(super) fn away(&self, error: &lapin::Error) -> Error {
        Error::Away {
            at: self.at.clone(),
            reason: error.to_string(),
        }
    }
}

/// The certificates of a file, besides the machine's own.
fn authorities(path: &str) -> Result<String, Error> {
    let bad = |reason: String| Error::BadUrl {
        reason: format!("{CA_FILE} {path}: {reason}"),
    };
    let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    if !text.contains("-----BEGIN CERTIFICATE-----") {
        return Err(bad("it holds no certificate in PEM".to_owned()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        match Address::parse(url) {
            Ok(_) => panic!("{url} was taken"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_url_is_read_as_rabbitmq_reads_it() {
        let address = Address::parse("amqp://me:s%40cret@rabbit:5673/clinic%2Fone").unwrap();
        assert_eq!(address.at, "rabbit:5673");
        assert_eq!(address.uri.vhost, "clinic/one");
        assert_eq!(address.uri.authority.userinfo.password, "s@cret");
        assert_eq!(address.uri.query.heartbeat, Some(HEARTBEAT_SECONDS));
        let address = Address::parse("amqps://rabbit?heartbeat=30").unwrap();
        assert_eq!(address.at, "rabbit:5671");
        assert_eq!(address.uri.vhost, "/");
        assert_eq!(address.uri.query.heartbeat, Some(30));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_and_the_password_is_not_told() {
        for url in [
            "amqp://me:hunter2@rabbit/%2f?verify=verify_none",
            "amqp://me:hunter2@rabbit/%2f?cacertfile=/no/such/file.pem",
            "amqp://me:hunter2@rabbit/%2f?heartbeat=often",
            "http://me:hunter2@rabbit/",
        ] {
            let said = refused(url);
            assert!(!said.contains("hunter2"), "{said}");
        }
        assert!(refused("amqp://rabbit?verify=x").contains("the parameter verify"));
        let said = refused("amqp://rabbit?cacertfile=/no/such/file.pem");
        assert!(said.contains("/no/such/file.pem"), "{said}");
    }
}
