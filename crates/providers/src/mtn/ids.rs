//! How MTN names a message.

use crate::fields::Fields;
use crate::refusal::Refusal;

/// The names of one message.
pub(super) struct Ids {
    /// What MTN told when sending.
    pub(super) provider: String,
    /// The correlator that was chosen when sending.
    pub(super) client: Option<String>,
}

impl Ids {
    /// v3 has no id of its own: its specification calls the correlator the message's id, so that it
    /// stands for both. v2 tells a `requestId` or, as seen, a `TransactionID`; where these are
    /// missing or null, and in the countries that have moved to v3, the correlator is echoed.
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        let (provider, client) = match fields.id("clientCorrelatorId")? {
            Some(id) => (Some(id.clone()), Some(id)),
            None => v2(fields)?,
        };
        let provider = provider.ok_or_else(|| {
            Refusal::unrecognised(
                "one of the fields \"clientCorrelatorId\", \"requestId\", \"transactionId\" and \
                 \"clientCorrelator\" is required",
            )
        })?;
        Ok(Self { provider, client })
    }
}

type Pair = (Option<String>, Option<String>);

fn v2(fields: &Fields<'_>) -> Result<Pair, Refusal> {
    let client = fields.id("clientCorrelator")?;
    let provider = match fields.id("requestId")? {
        Some(id) => Some(id),
        None => fields.id("transactionId")?,
    };
    Ok((provider.or_else(|| client.clone()), client))
}
