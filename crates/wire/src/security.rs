//! What the door noticed in a second, for the tracker to record.

use crate::base64_bytes;
use domain::Timestamp;
use domain::callback::Kind;
use domain::id::{QuarantineId, TenantId};
use domain::security::{Reason, SecurityEvent, Suspicion};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What the door noticed. Recording it twice changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityJob {
    /// What was counted, each as far as it was counted when this was sent.
    pub events: Vec<SecurityEvent>,
    /// Refused requests, to be kept.
    pub quarantined: Vec<Quarantined>,
    /// What looks suspicious.
    pub suspicions: Vec<Suspicion>,
}

/// A refused request, whole and sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// Its id.
    pub id: QuarantineId,
    /// Whose account; the platform's where there is none.
    pub tenant_id: TenantId,
    /// The slug that was called.
    pub provider_account: String,
    /// Which URL was called.
    pub kind: Kind,
    /// Why it was refused.
    pub reason: Reason,
    /// When it was received.
    pub received_at: Timestamp,
    /// Who called.
    pub source_ip: IpAddr,
    /// The size of its body, in bytes.
    pub size_bytes: u32,
    /// The request, sealed by the vault for [`domain::secret::quarantined_request`].
    #[serde(with = "base64_bytes")]
    pub sealed: Vec<u8>,
}
