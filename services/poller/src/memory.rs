//! What is remembered of an account between two turns: the token, when the next request may go out, and whether it
//! was told that its provider cannot be asked. It is local to the poller; who takes the account next begins anew.

use domain::Timestamp;
use domain::id::AccountId;
use domain::limit::{Admission, Rate};
use providers::ask::Token;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use store::poll::RestReason;

/// How many accounts are remembered. Beyond it, all are forgotten: each costs a token at the most.
const MOST_REMEMBERED: usize = 4_096;
/// No token is used for longer, whatever its provider says.
const MAX_LIFETIME: Duration = Duration::from_hours(24);
/// How long before its end a token is replaced, where it lives for long enough.
const EARLY: Duration = Duration::from_mins(1);

/// All accounts that are remembered.
#[derive(Default)]
pub(crate) struct Memories(Mutex<HashMap<AccountId, Memory>>);

/// What is remembered of one.
#[derive(Default)]
pub(crate) struct Memory {
    /// When the account was last changed, as it was known then.
    changed_at: Option<Timestamp>,
    token: Option<(Token, Timestamp)>,
    last_request: Option<Timestamp>,
    pub(crate) told: Option<RestReason>,
}

impl Memories {
    /// Takes what is remembered of an account; nothing of the token, where the account was changed.
    pub(crate) fn take(&self, account: AccountId, changed_at: Timestamp) -> Memory {
        let known = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&account);
        let mut memory = known.unwrap_or_default();
        if memory.changed_at != Some(changed_at) {
            memory.token = None;
            memory.changed_at = Some(changed_at);
        }
        memory
    }

    pub(crate) fn keep(&self, account: AccountId, memory: Memory) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST_REMEMBERED {
            all.clear();
        }
        all.insert(account, memory);
    }
}

impl Memory {
    /// The token, as long as it is worth using.
    pub(crate) fn token(&self, now: Timestamp) -> Option<Token> {
        let (token, got_at) = self.token.as_ref()?;
        let lifetime = token.lifetime.min(MAX_LIFETIME);
        let early = EARLY.min(lifetime / 10);
        // A clock that was set back says nothing of its age.
        let is_fresh = *got_at <= now && now.since(*got_at) < lifetime.saturating_sub(early);
        is_fresh.then(|| token.clone())
    }

    pub(crate) fn keep_token(&mut self, token: Token, now: Timestamp) {
        self.token = Some((token, now));
    }

    pub(crate) fn forget_token(&mut self) {
        self.token = None;
    }

    /// How long the next request has to wait; none, and it counts, when it may go out now. Requests are spread
    /// evenly: of `per_second` there are never more in any second.
    pub(crate) fn wait(&mut self, per_second: u32, now: Timestamp) -> Option<Duration> {
        let rate = Rate::new(
            1,
            Duration::from_millis(1_000u64.div_ceil(per_second.max(1).into())),
        );
        match rate.admit(self.last_request, now) {
            Admission::Allowed(remember) => {
                self.last_request = Some(remember);
                None
            }
            Admission::Refused(wait) => Some(wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000).plus(Duration::from_millis(millis))
    }

    fn token(seconds: u64) -> Token {
        Token {
            value: "t".to_owned(),
            lifetime: Duration::from_secs(seconds),
        }
    }

    #[test]
    fn a_token_is_replaced_a_minute_or_a_tenth_of_its_life_before_its_end() {
        let mut memory = Memory::default();
        assert!(memory.token(at(0)).is_none());
        memory.keep_token(token(3_600), at(0));
        assert!(memory.token(at(3_539_000)).is_some());
        assert!(memory.token(at(3_540_000)).is_none());
        memory.keep_token(token(10), at(0));
        assert!(memory.token(at(8_999)).is_some());
        assert!(memory.token(at(9_000)).is_none());
        memory.keep_token(token(u64::MAX), at(0));
        assert!(memory.token(at(24 * 3_600_000)).is_none());
    }

    #[test]
    fn requests_are_spread_over_the_second() {
        let mut memory = Memory::default();
        assert_eq!(memory.wait(4, at(0)), None);
        assert_eq!(memory.wait(4, at(0)), Some(Duration::from_millis(250)));
        let sent = (0..10_000).filter(|millis| memory.wait(4, at(*millis)).is_none());
        assert_eq!(sent.count(), 39);
    }

    #[test]
    fn a_changed_account_gets_a_new_token() {
        let memories = Memories::default();
        let account = AccountId::new(at(0), &domain::Random::seeded(1));
        let mut memory = memories.take(account, at(0));
        memory.keep_token(token(3_600), at(0));
        memories.keep(account, memory);
        let memory = memories.take(account, at(0));
        assert!(memory.token(at(1)).is_some());
        memories.keep(account, memory);
        assert!(memories.take(account, at(5)).token(at(6)).is_none());
    }
}
