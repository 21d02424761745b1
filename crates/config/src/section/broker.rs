use url::Url;

use crate::error::Error;
use crate::secret::Secret;
use crate::setting::{Setting, Settings};

const LONGEST_NAMESPACE: usize = 64;

/// What carries the jobs.
#[derive(Debug, Clone)]
pub struct Broker {
    /// Where it is.
    pub url: BrokerUrl,
    /// What the names of our queues in a RabbitMQ begin with.
    pub namespace: String,
}

/// Which broker, by the scheme of its URL.
#[derive(Debug, Clone)]
pub enum BrokerUrl {
    /// `queue.db` in the data directory, of one process.
    Embedded,
    /// A server: the whole `amqp://` or `amqps://` URL, password included.
    Amqp(Secret),
}

impl Broker {
    pub(crate) fn read(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            url: url(&settings.get("broker.url")?)?,
            namespace: namespace(&settings.get("broker.namespace")?)?,
        })
    }
}

fn url(setting: &Setting) -> Result<BrokerUrl, Error> {
    let text = setting.text()?;
    if text == "embedded:" {
        return Ok(BrokerUrl::Embedded);
    }
    if text.starts_with("embedded") {
        return Err(
            setting.invalid("has the embedded broker at a place of its own: write embedded:")
        );
    }
    if !text.starts_with("amqp://") && !text.starts_with("amqps://") {
        return Err(setting.invalid("is no URL of a broker that is known"));
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(setting.invalid("contains white space"));
    }
    match Url::parse(&text) {
        Ok(url) if url.host_str().is_some_and(|host| !host.is_empty()) => {
            Ok(BrokerUrl::Amqp(Secret::new(text)))
        }
        Ok(_) => Err(setting.invalid("names no server")),
        Err(error) => Err(setting.invalid(format!("is not a valid URL ({error})"))),
    }
}

fn namespace(setting: &Setting) -> Result<String, Error> {
    let text = setting.text()?;
    let is_usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if text.is_empty() || text.len() > LONGEST_NAMESPACE || !text.chars().all(is_usual) {
        return Err(setting.invalid("cannot begin the names of queues"));
    }
    Ok(text)
}
