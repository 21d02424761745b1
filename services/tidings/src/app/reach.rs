//! How endpoints and the APIs of providers are reached.

use crate::exit::Failure;
use config::Config;
use rustls::pki_types::CertificateDer;

/// What is believed of the world outside, beside what the configuration says.
#[derive(Debug, Clone)]
pub struct Reach {
    /// Finds the addresses of names.
    pub resolver: egress::Resolver,
    /// Root certificates trusted besides Mozilla's.
    pub extra_roots: Vec<CertificateDer<'static>>,
}

impl Reach {
    /// The name servers of this machine, and no roots but Mozilla's.
    pub fn system() -> Result<Self, Failure> {
        Ok(Self {
            resolver: egress::Resolver::system().map_err(Failure::runtime)?,
            extra_roots: Vec::new(),
        })
    }

    /// What reaches endpoints.
    pub(super) fn client(&self, config: &Config) -> Result<egress::Client, Failure> {
        self.client_with(config, egress::ClientOptions::default())
    }

    /// What reaches the APIs of providers, whose answers are longer than those of endpoints.
    pub(super) fn asking(&self, config: &Config) -> Result<egress::Client, Failure> {
        let options = egress::ClientOptions {
            max_body_bytes: poller::MAX_ANSWER_BYTES,
            ..egress::ClientOptions::default()
        };
        self.client_with(config, options)
    }

    /// What tries endpoints for people, who want to see how a connection comes about: it keeps none.
    pub(super) fn trying(&self, config: &Config) -> Result<egress::Client, Failure> {
        let options = egress::ClientOptions {
            max_idle_per_host: 0,
            ..egress::ClientOptions::default()
        };
        self.client_with(config, options)
    }

    fn client_with(
        &self,
        config: &Config,
        options: egress::ClientOptions,
    ) -> Result<egress::Client, Failure> {
        let policy = egress::Policy {
            allow_networks: config.egress.allow_networks.clone(),
            allow_ports: config.egress.allow_ports.clone(),
            require_https: config.egress.require_https,
        };
        let proxy = config.egress.proxy.as_ref();
        let proxy = proxy.map(|url| egress::Proxy::parse(url.reveal()));
        let options = egress::ClientOptions {
            proxy: proxy
                .transpose()
                .map_err(|error| Failure::configuration(format!("egress.proxy: {error}")))?,
            extra_roots: self.extra_roots.clone(),
            ..options
        };
        egress::Client::new(policy, self.resolver.clone(), options).map_err(Failure::runtime)
    }
}
