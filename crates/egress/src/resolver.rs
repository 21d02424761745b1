use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
    ResolverOpts,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Hosts, TokioResolver, system_conf};
use tracing::{debug, warn};

use crate::error::Error;
use crate::failure::{Failure, FailureClass};

/// How long a name server may take before the question is put again.
const NAME_SERVER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long finding the addresses of a name may take in all.
const RESOLUTION_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer is believed, whatever it says itself: a moved endpoint is found within these
/// times.
const MAX_POSITIVE_TTL: Duration = Duration::from_mins(5);
const MAX_NEGATIVE_TTL: Duration = Duration::from_secs(30);

/// Finds the addresses of names. Cheap to clone.
#[derive(Clone)]
pub struct Resolver {
    source: Arc<Source>,
}

enum Source {
    System(Box<System>),
    Answers(Answers),
}

type Answers = Box<dyn Fn(&str) -> Vec<IpAddr> + Send + Sync>;

struct System {
    hosts: Hosts,
    dns: TokioResolver,
    timeout: Duration,
}

impl Resolver {
    /// The system's: `/etc/hosts`, then the name servers of `/etc/resolv.conf`, or the one on this
    /// machine where that file names none (resolv.conf(5)). Both files are read once, here.
    pub fn system() -> Result<Self, Error> {
        let (config, options) = system_conf::read_system_conf().unwrap_or_else(|error| {
            warn!(%error, "no name servers configured: asking the one on this machine");
            let local = NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into());
            (
                ResolverConfig::from_parts(None, vec![], vec![local]),
                ResolverOpts::default(),
            )
        });
        let hosts = Hosts::from_system().unwrap_or_else(|error| {
            debug!(%error, "no hosts file");
            Hosts::default()
        });
        Self::over(hosts, config, options, RESOLUTION_TIMEOUT)
    }

    /// The name server at this address, over UDP, and nothing else.
    pub fn asking(name_server: SocketAddr) -> Result<Self, Error> {
        let mut connection = ConnectionConfig::udp();
        connection.port = name_server.port();
        let server = NameServerConfig::new(name_server.ip(), true, vec![connection]);
        let config = ResolverConfig::from_parts(None, vec![], vec![server]);
        let options = ResolverOpts::default();
        Self::over(Hosts::default(), config, options, RESOLUTION_TIMEOUT)
    }

    /// Exactly these names, in any case and with or without a final dot, and no others.
    pub fn fixed(names: HashMap<String, Vec<IpAddr>>) -> Self {
        let canonical = |name: String| name.trim_end_matches('.').to_ascii_lowercase();
        let names: HashMap<_, _> = names
            .into_iter()
            .map(|(name, answers)| (canonical(name), answers))
            .collect();
        Self::answering(move |name| names.get(name).cloned().unwrap_or_default())
    }

    /// Whatever `answers` says at the time, given the name in lower case without a final dot.
    pub fn answering(answers: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static) -> Self {
        Self {
            source: Arc::new(Source::Answers(Box::new(answers))),
        }
    }

    fn over(
        hosts: Hosts,
        config: ResolverConfig,
        mut options: ResolverOpts,
        timeout: Duration,
    ) -> Result<Self, Error> {
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.use_hosts_file = ResolveHosts::Never;
        options.timeout = NAME_SERVER_TIMEOUT;
        options.attempts = 1;
        options.positive_max_ttl = Some(MAX_POSITIVE_TTL);
        options.negative_max_ttl = Some(MAX_NEGATIVE_TTL);
        let dns = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options)
            .build()
            .map_err(|error| Error::Resolver(error.to_string()))?;
        let system = System {
            hosts,
            dns,
            timeout,
        };
        Ok(Self {
            source: Arc::new(Source::System(Box::new(system))),
        })
    }

    /// All addresses of `name`, IPv4 first, at least one.
    pub(crate) async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Failure> {
        let answers = match &*self.source {
            Source::Answers(answers) => answers(name),
            Source::System(system) => system.resolve(name).await?,
        };
        if answers.is_empty() {
            return Err(unresolved(name, "it has no address"));
        }
        Ok(answers)
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &*self.source {
            Source::System(_) => "system",
            Source::Answers(_) => "answers",
        };
        f.debug_tuple("Resolver").field(&source).finish()
    }
}

impl System {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Failure> {
        let mut fqdn = Name::from_ascii(name).map_err(|_| unresolved(name, "no such name"))?;
        // A tenant's name is never completed with our search domains.
        fqdn.set_fqdn(true);
        let listed = self.listed(&fqdn);
        if !listed.is_empty() {
            return Ok(listed);
        }
        match tokio::time::timeout(self.timeout, self.dns.lookup_ip(fqdn)).await {
            Ok(Ok(answers)) => Ok(answers.iter().collect()),
            Ok(Err(error)) => Err(unresolved(name, why_unresolved(&error))),
            Err(_) => Err(unresolved(name, "the name servers do not answer")),
        }
    }

    fn listed(&self, name: &Name) -> Vec<IpAddr> {
        let families = [RecordType::A, RecordType::AAAA];
        families
            .into_iter()
            .filter_map(|family| {
                self.hosts
                    .lookup_static_host(&Query::query(name.clone(), family))
            })
            .flat_map(|found| {
                found
                    .answers()
                    .iter()
                    .filter_map(|r| r.data.ip_addr())
                    .collect::<Vec<_>>()
            })
            .collect()
    }
}

fn why_unresolved(error: &NetError) -> &'static str {
    debug!(%error, "a name could not be resolved");
    if error.is_nx_domain() {
        "no such name"
    } else if error.is_no_records_found() {
        "it has no address"
    } else {
        "the name servers do not answer"
    }
}

fn unresolved(name: &str, why: &str) -> Failure {
    Failure::new(FailureClass::Dns, &format!("cannot resolve {name}: {why}"))
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::op::{Message, ResponseCode};
    use hickory_resolver::proto::rr::{RData, Record};
    use tokio::net::UdpSocket;
    use tokio::task::JoinSet;

    use super::*;

    /// A name server on the loopback that knows `both.example.com` and says so only where asked for
    /// exactly that.
    async fn name_server(tasks: &mut JoinSet<()>) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tasks.spawn(async move {
            let mut buffer = [0; 1500];
            loop {
                let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
                let question = Message::from_vec(&buffer[..length]).unwrap();
                let answer = answer(question).to_vec().unwrap();
                socket.send_to(&answer, client).await.unwrap();
            }
        });
        address
    }

    fn answer(question: Message) -> Message {
        let query = question.queries[0].clone();
        let mut answer = question.into_response();
        let data: Option<IpAddr> = match (query.name().to_ascii().as_str(), query.query_type()) {
            ("both.example.com.", RecordType::A) => Some("192.0.2.1".parse().unwrap()),
            ("both.example.com.", RecordType::AAAA) => Some("2001:db8::1".parse().unwrap()),
            _ => None,
        };
        match data {
            Some(ip) => {
                let record = Record::from_rdata(query.name().clone(), 60, RData::from(ip));
                answer.add_answer(record);
            }
            None => answer.metadata.response_code = ResponseCode::NXDomain,
        }
        answer
    }

    fn resolver(server: SocketAddr, hosts: &str) -> Resolver {
        let mut connection = ConnectionConfig::udp();
        connection.port = server.port();
        let server = NameServerConfig::new(server.ip(), true, vec![connection]);
        let search = vec![Name::from_ascii("example.com.").unwrap()];
        let config = ResolverConfig::from_parts(None, search, vec![server]);
        let mut listed = Hosts::default();
        listed.read_hosts_conf(hosts.as_bytes()).unwrap();
        let timeout = Duration::from_millis(300);
        Resolver::over(listed, config, ResolverOpts::default(), timeout).unwrap()
    }

    fn shown(answers: &[IpAddr]) -> Vec<String> {
        answers.iter().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn both_families_are_asked_for() {
        let mut tasks = JoinSet::new();
        let resolver = resolver(name_server(&mut tasks).await, "");
        let answers = resolver.resolve("both.example.com").await.unwrap();
        assert_eq!(shown(&answers), ["192.0.2.1", "2001:db8::1"]);
    }

    #[tokio::test]
    async fn search_domains_complete_no_name() {
        let mut tasks = JoinSet::new();
        let resolver = resolver(name_server(&mut tasks).await, "");
        let failure = resolver.resolve("both").await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Dns);
        assert_eq!(failure.detail, "cannot resolve both: no such name");
    }

    #[tokio::test]
    async fn a_name_in_the_hosts_file_is_not_asked_for() {
        let nobody: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let resolver = resolver(
            nobody,
            "192.0.2.7 Listed both.example.com\n2001:db8::7 listed\n",
        );
        let answers = resolver.resolve("listed").await.unwrap();
        assert_eq!(shown(&answers), ["192.0.2.7", "2001:db8::7"]);
        let answers = resolver.resolve("both.example.com").await.unwrap();
        assert_eq!(shown(&answers), ["192.0.2.7"]);
    }

    #[tokio::test]
    async fn a_silent_name_server_is_not_waited_for_longer_than_set() {
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let resolver = resolver(silent.local_addr().unwrap(), "");
        let failure = resolver.resolve("both.example.com").await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Dns);
        assert!(
            failure.detail.ends_with("the name servers do not answer"),
            "{failure}"
        );
    }

    #[tokio::test]
    async fn a_fixed_resolver_knows_its_names_in_any_case() {
        let answers = vec!["192.0.2.1".parse().unwrap()];
        let resolver = Resolver::fixed(HashMap::from([("Known.Example.".into(), answers)]));
        assert_eq!(resolver.resolve("known.example").await.unwrap().len(), 1);
        assert_eq!(
            resolver.resolve("other.example").await.unwrap_err().class,
            FailureClass::Dns
        );
    }

    #[test]
    fn the_system_resolver_needs_no_runtime_to_be_made() {
        Resolver::system().unwrap();
    }
}
