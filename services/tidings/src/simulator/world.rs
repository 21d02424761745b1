//! The messages of the provider, and what it knows of them. In memory, and bounded.

use super::settings::Settings;
use domain::{Random, State, Timestamp};
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// The most messages that are held.
pub(super) const MAX_MESSAGES: usize = 200_000;
/// The most messages of phones in the inbox; the oldest go first.
const MAX_INBOX: usize = 10_000;
/// The most tokens that hold at a time; the oldest go first.
const MAX_TOKENS: usize = 1_000;

/// A message that was sent, and what becomes of it.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub id: String,
    pub to: String,
    pub from: String,
    pub parts: u32,
    pub client_reference: Option<String>,
    pub outcome: State,
    pub sent_at: Timestamp,
    /// When the provider learns of the end.
    pub ends_at: Timestamp,
    pub asked: u32,
    pub callbacks: Callbacks,
}

/// What became of the callbacks about a message.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Callbacks {
    pub planned: u32,
    pub lost: u32,
    pub accepted: u32,
    pub refused: u32,
}

/// A message that a phone sent.
#[derive(Debug, Clone)]
pub(super) struct FromPhone {
    pub id: u64,
    pub from: String,
    pub to: String,
    pub text: String,
    pub at: Timestamp,
}

/// How many requests came, and what became of them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Requests {
    pub all: u64,
    pub tokens: u64,
    pub questions: u64,
    pub asked_about: u64,
    pub not_found: u64,
    pub unauthorized: u64,
    pub rate_limited: u64,
    pub errors: u64,
    pub html: u64,
    pub error_bodies: u64,
    pub wrong_messages: u64,
    pub callbacks: Callbacks,
}

/// Everything the provider knows.
pub(super) struct World {
    pub settings: Settings,
    pub requests: Requests,
    seed: u64,
    messages: Vec<Message>,
    /// How many were forgotten: a message's place is never another's.
    forgotten: usize,
    by_id: HashMap<String, usize>,
    inbox: VecDeque<FromPhone>,
    received: u64,
    tokens: VecDeque<(String, Timestamp)>,
}

/// Why a message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotTaken {
    Full,
    Known,
}

impl World {
    pub(super) fn new(settings: Settings, seed: u64) -> Self {
        Self {
            settings,
            requests: Requests::default(),
            seed,
            messages: Vec::new(),
            forgotten: 0,
            by_id: HashMap::new(),
            inbox: VecDeque::new(),
            received: 0,
            tokens: VecDeque::new(),
        }
    }

    /// The randomness of what comes next: the same for the same seed, whatever else happens.
    pub(super) fn random(&self, what: Drawn) -> Random {
        let (salt, number) = match what {
            Drawn::Message => (1, (self.forgotten + self.messages.len()) as u64),
            Drawn::Request => (2, self.requests.all),
        };
        let mixed = (self.seed ^ number.rotate_left(8)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Random::seeded(mixed ^ salt)
    }

    /// Takes a message; its place.
    pub(super) fn take(&mut self, message: Message) -> Result<usize, NotTaken> {
        if self.messages.len() >= MAX_MESSAGES {
            return Err(NotTaken::Full);
        }
        if self.by_id.contains_key(&message.id) {
            return Err(NotTaken::Known);
        }
        let place = self.forgotten + self.messages.len();
        self.by_id.insert(message.id.clone(), place);
        self.messages.push(message);
        Ok(place)
    }

    pub(super) fn messages(&self) -> &[Message] {
        &self.messages
    }

    pub(super) fn find(&self, id: &str) -> Option<&Message> {
        self.at(*self.by_id.get(id)?)
    }

    /// A message that somebody asks about.
    pub(super) fn ask(&mut self, id: &str) -> Option<Message> {
        self.requests.asked_about += 1;
        let message = self.at_mut(*self.by_id.get(id)?)?;
        message.asked += 1;
        Some(message.clone())
    }

    pub(super) fn at(&self, place: usize) -> Option<&Message> {
        self.messages.get(place.checked_sub(self.forgotten)?)
    }

    fn at_mut(&mut self, place: usize) -> Option<&mut Message> {
        self.messages.get_mut(place.checked_sub(self.forgotten)?)
    }

    /// Counts what became of a callback, of its message and of all.
    pub(super) fn count(&mut self, place: usize, count: impl Fn(&mut Callbacks)) {
        count(&mut self.requests.callbacks);
        if let Some(message) = self.at_mut(place) {
            count(&mut message.callbacks);
        }
    }

    /// Puts a message of a phone into the inbox; its id.
    pub(super) fn receive(&mut self, from: String, to: String, text: String, at: Timestamp) -> u64 {
        self.received += 1;
        let id = self.received;
        self.inbox.push_back(FromPhone {
            id,
            from,
            to,
            text,
            at,
        });
        if self.inbox.len() > MAX_INBOX {
            self.inbox.pop_front();
        }
        id
    }

    /// What phones sent after this id, at most so many.
    pub(super) fn inbox(&self, after: u64, most: usize) -> Vec<FromPhone> {
        let later = self.inbox.iter().filter(|message| message.id > after);
        later.take(most).cloned().collect()
    }

    /// A new token.
    pub(super) fn grant(&mut self, token: String, now: Timestamp) {
        let lifetime = Duration::from_secs(self.settings.token_lifetime.into());
        self.tokens.push_back((token, now.plus(lifetime)));
        if self.tokens.len() > MAX_TOKENS {
            self.tokens.pop_front();
        }
    }

    pub(super) fn holds(&self, token: &str, now: Timestamp) -> bool {
        let mut tokens = self.tokens.iter();
        tokens.any(|(known, until)| known == token && *until > now)
    }

    pub(super) fn forget_messages(&mut self) {
        self.forgotten += self.messages.len();
        self.messages.clear();
        self.by_id.clear();
    }
}

/// For what randomness is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Drawn {
    Message,
    Request,
}

impl Message {
    /// What the provider says of it at a time.
    pub(super) fn state(&self, now: Timestamp) -> State {
        if now < self.ends_at {
            State::Sent
        } else {
            self.outcome
        }
    }

    /// Since when it says so.
    pub(super) fn since(&self, state: State) -> Timestamp {
        if state == State::Sent {
            self.sent_at
        } else {
            self.ends_at
        }
    }

    /// What is true of it, for whoever compares.
    pub(super) fn view(&self, now: Timestamp) -> Value {
        json!({
            "provider_message_id": self.id,
            "client_reference": self.client_reference,
            "to": self.to,
            "from": self.from,
            "parts": self.parts,
            "state": self.state(now).as_str(),
            "outcome": self.outcome.as_str(),
            "sent_at": self.sent_at,
            "ends_at": self.ends_at,
            "asked": self.asked,
            "callbacks": self.callbacks.view(),
        })
    }
}

impl Callbacks {
    fn view(self) -> Value {
        json!({
            "planned": self.planned,
            "lost": self.lost,
            "accepted": self.accepted,
            "refused": self.refused,
        })
    }
}

impl Requests {
    pub(super) fn view(self) -> Value {
        json!({
            "all": self.all,
            "tokens": self.tokens,
            "questions": self.questions,
            "asked_about": self.asked_about,
            "not_found": self.not_found,
            "unauthorized": self.unauthorized,
            "rate_limited": self.rate_limited,
            "errors": self.errors,
            "html": self.html,
            "error_bodies": self.error_bodies,
            "wrong_messages": self.wrong_messages,
            "callbacks": self.callbacks.view(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use clap::Parser;

    fn message(id: String) -> Message {
        Message {
            id,
            to: String::new(),
            from: String::new(),
            parts: 1,
            client_reference: None,
            outcome: State::Delivered,
            sent_at: Timestamp::from_millis(0),
            ends_at: Timestamp::from_millis(1),
            asked: 0,
            callbacks: Callbacks::default(),
        }
    }

    #[test]
    fn a_world_is_full_at_its_bound_and_empty_when_it_is_forgotten() {
        let mut world = World::new(Settings::usual(), 1);
        for number in 0..MAX_MESSAGES {
            world.take(message(number.to_string())).unwrap();
        }
        assert_eq!(world.take(message("more".to_owned())), Err(NotTaken::Full));
        world.forget_messages();
        assert_eq!(world.take(message("more".to_owned())), Ok(MAX_MESSAGES));
        assert_eq!(world.take(message("more".to_owned())), Err(NotTaken::Known));
        assert!(world.at(0).is_none() && world.at(MAX_MESSAGES).is_some());
    }

    #[test]
    fn tokens_run_out_and_the_inbox_keeps_the_newest() {
        let mut world = World::new(Settings::usual(), 1);
        let now = Timestamp::from_millis(0);
        world.grant("t".to_owned(), now);
        let lifetime = Duration::from_hours(1);
        assert!(world.holds("t", now) && !world.holds("other", now));
        assert!(!world.holds("t", now.plus(lifetime)));
        for _ in 0..=MAX_INBOX {
            world.receive(String::new(), String::new(), String::new(), now);
        }
        assert_eq!(world.inbox(0, 1)[0].id, 2);
    }

    impl Settings {
        /// What holds when nothing is said.
        fn usual() -> Self {
            #[derive(Parser)]
            struct Line {
                #[command(flatten)]
                settings: Settings,
            }
            let line = ["tidings", "provider-simulator", "--provider", "mtn"];
            assert!(Command::try_parse_from(line).is_ok());
            Line::parse_from(["simulator"]).settings
        }
    }
}
