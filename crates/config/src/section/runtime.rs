use std::net::SocketAddr;

use crate::error::Error;
use crate::setting::Settings;

/// The process itself.
#[derive(Debug, Clone)]
pub struct Runtime {
    /// The address of `/livez`, `/readyz` and `/metrics`; port 0 takes any.
    pub admin_listen: SocketAddr,
}

impl Runtime {
    pub(crate) fn read(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            admin_listen: settings.get("runtime.admin_listen")?.socket_address()?,
        })
    }
}
