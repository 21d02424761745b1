//! Which message, and which of its send attempts, a report is about.

use super::Message;
use crate::erasure::BLANK;
use crate::id::{AccountId, MessageId};
use crate::report::Report;
use crate::send_attempt::Sending;

/// What a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// The message.
    pub message: MessageId,
    /// The number of the send attempt that goes by the ids the report names.
    pub send_attempt: u32,
}

/// Which of the messages a report that came to an account is about: by provider message id, then by
/// client reference, of any of their send attempts through that account; of several with one reference
/// the newest. A recipient that both sides know must agree; without one there must be exactly one
/// candidate.
pub fn find_match<'a>(
    candidates: impl Iterator<Item = &'a Message> + Clone,
    account: AccountId,
    report: &Report,
) -> Option<Match> {
    let recipient = report.recipient_e164();
    if let Some(id) = report.provider_message_id.as_deref() {
        let by_id = sent(candidates.clone(), account, |sending| {
            sending.provider_message_id == Some(id)
        });
        if !by_id.is_empty() {
            return only_match(&by_id, recipient.as_deref());
        }
    }
    let reference = report.client_reference.as_deref()?;
    let by_reference = sent(candidates, account, |sending| {
        sending.client_reference == Some(reference)
    });
    only_match(&by_reference, recipient.as_deref())
}

/// Those of which a send attempt through an account is so, each with the newest such attempt.
fn sent<'a>(
    candidates: impl Iterator<Item = &'a Message>,
    account: AccountId,
    is_so: impl Fn(&Sending<'_>) -> bool,
) -> Vec<(&'a Message, u32)> {
    candidates
        .filter_map(|message| {
            let of_account = message
                .sendings()
                .filter(|sending| sending.account_id == account && is_so(sending));
            Some((message, of_account.last()?.number))
        })
        .collect()
}

fn only_match(candidates: &[(&Message, u32)], recipient: Option<&str>) -> Option<Match> {
    let to = |number: &str| {
        let fitting = candidates.iter();
        let fitting = fitting.filter(move |(message, _)| message.registration.to == number);
        fitting.collect::<Vec<_>>()
    };
    let Some(recipient) = recipient else {
        return only(&candidates.iter().collect::<Vec<_>>());
    };
    let fitting = to(recipient);
    if fitting.is_empty() {
        // A number that was erased may be anybody's.
        return only(&to(BLANK));
    }
    only(&fitting)
}

fn only(fitting: &[&(&Message, u32)]) -> Option<Match> {
    match fitting {
        [(message, send_attempt)] => Some(Match {
            message: message.id,
            send_attempt: *send_attempt,
        }),
        _ => None,
    }
}
