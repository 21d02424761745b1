//! The servers of a run, used by nobody else. `PostgreSQL` waits for the disk, as it does in earnest.

use crate::suite::child::Children;
use crate::suite::postgres::{Disk, Postgres};
use crate::suite::rabbitmq::RabbitMq;

/// Tests may talk to the database over TLS; to measure, over one machine, would be to measure that.
const PLAIN: &str = "?sslmode=disable";

/// One of each. Dropped, they end.
pub struct Servers {
    postgres: Postgres,
    rabbitmq: RabbitMq,
}

impl Servers {
    /// Starts them, after installing what is missing where that is possible.
    pub async fn start(children: &mut Children) -> anyhow::Result<Self> {
        Ok(Self {
            postgres: Postgres::start(children, Disk::Synced).await?,
            rabbitmq: RabbitMq::start(children).await?,
        })
    }

    /// How the bench is told of them; once, as it needs empty databases.
    pub fn arguments(&self) -> anyhow::Result<Vec<String>> {
        let database = |name| {
            let url = self.postgres.create_database(name)?;
            anyhow::Ok(url + PLAIN)
        };
        let process = |name: &str, id: u32| format!("--server={name}={id}");
        Ok(vec![
            format!("--store-url={}", database("tidings")?),
            format!("--ceiling-url={}", database("ceiling")?),
            format!("--broker-url={}", self.rabbitmq.url()),
            process("PostgreSQL", self.postgres.process()?),
            process("RabbitMQ", self.rabbitmq.process()),
        ])
    }
}
