//! `tidings keys rotate`.

use super::reseal::{Tally, reseal, reseal_check};
use super::{Key, Origin};
use crate::exit::Failure;
use crate::{app, print};
use config::{Config, StoreUrl};
use domain::Random;
use std::sync::Arc;
use wire::Queue;

/// Seals every secret in the store with the current key, which is made now when it is ours to make.
pub(crate) async fn rotate(config: &Config) -> Result<(), Failure> {
    if let StoreUrl::Sqlite(path) = &config.store.url
        && !path.exists()
    {
        return Err(Failure::Configuration(format!(
            "there is no store at {} yet, and no key to change: the first `tidings run` makes both",
            path.display()
        )));
    }
    let (_data_dir, store) = app::open_alone(config).await?;
    let mut key = Key::read(config, &Random::system())?;
    key.check(&store)
        .await?
        .map_err(|refused| key.ask(refused))?;
    key.begin_change()?;
    let tally = reseal(&store, &key.vault, &key.random).await?;
    tell(&tally);
    if let Some(failure) = key.failure(&tally) {
        return Err(failure);
    }
    reseal_check(&store, &key).await?;
    key.end_change(config).await
}

impl Key {
    /// Replaces a kept key by a new one, unless that was done and not finished.
    fn begin_change(&mut self) -> Result<(), Failure> {
        if self.origin != Origin::Configured && !self.vault.has_previous() {
            self.vault = Arc::new(self.files.begin_change(&self.random)?);
        }
        Ok(())
    }

    /// Forgets the key before a kept one; says what is left to be done with a configured one.
    async fn end_change(&self, config: &Config) -> Result<(), Failure> {
        if self.origin == Origin::Configured {
            print::line(if self.vault.has_previous() {
                DONE_CONFIGURED
            } else {
                NOTHING_CONFIGURED
            });
            return Ok(());
        }
        let left = app::jobs_left(config, Queue::Security).await?;
        if left > 0 {
            print::line(&format!(
                "everything in the store is sealed with the new key, but {left} jobs that wait in the queue \
                 may not be: {} stays. Start Tidings, and once \
                 tidings_queue_depth{{queue=\"security.v1\"}} is 0, stop it and run this again.",
                self.files.previous.display()
            ));
            return Ok(());
        }
        self.files.end_change()?;
        print::line(&format!(
            "everything is sealed with a new key: keep a copy of {} apart from the back-ups. Those made \
             until now open with the copy of the old key, and with no other.",
            self.files.current.display()
        ));
        Ok(())
    }

    /// Says what to do about a configured key that is not the store's.
    fn ask(&self, refused: Failure) -> Failure {
        if self.origin != Origin::Configured || self.vault.has_previous() {
            return refused;
        }
        Failure::Configuration(format!("{refused}; {GIVE_PREVIOUS}"))
    }

    /// What is wrong when not everything is under the current key.
    fn failure(&self, tally: &Tally) -> Option<Failure> {
        let refused = tally.refused.len();
        if refused > 0 {
            let is_of_another = |error: &signing::Error| matches!(error, signing::Error::OtherKey);
            let is_asked_for = self.origin == Origin::Configured
                && !self.vault.has_previous()
                && tally.refused.iter().any(|it| is_of_another(&it.error));
            return Some(if is_asked_for {
                Failure::Configuration(format!(
                    "{refused} secrets are sealed with another key than store.encryption_key: \
                     {GIVE_PREVIOUS}"
                ))
            } else {
                Failure::Runtime(format!(
                    "{refused} secrets cannot be opened and were left as they are: keep the previous key, \
                     set the secrets of these accounts and webhooks anew or delete them (a refused request \
                     goes by itself, after retention.quarantine), and run this again"
                ))
            });
        }
        (tally.missed > 0).then(|| {
            Failure::Runtime(format!(
                "{} secrets were changed again and again meanwhile: look whether every process has the \
                 same store.encryption_key, and run this again",
                tally.missed
            ))
        })
    }
}

const GIVE_PREVIOUS: &str = "set store.previous_encryption_key to the key that was in use before, and run \
                             this again";
const NOTHING_CONFIGURED: &str = "everything in the store is sealed with store.encryption_key. To change \
                                  it, set it to a new key in every process, and \
                                  store.previous_encryption_key to this one, and run this again.";
const DONE_CONFIGURED: &str = "everything in the store is sealed with store.encryption_key. Jobs that wait \
                               in the queue may still be sealed with the previous key: once \
                               tidings_queue_depth{queue=\"security.v1\"} is 0, run this again, and when \
                               it seals nothing any more, take store.previous_encryption_key out of every \
                               process. Back-ups made until now open with the previous key, and with no \
                               other: keep it for them.";

fn tell(tally: &Tally) {
    print::line(&format!(
        "sealed again: {} provider accounts, {} status APIs, {} webhooks, {} refused requests, {} headers, \
         credentials and replaced secrets of webhooks",
        tally.accounts, tally.status_apis, tally.subscriptions, tally.quarantined, tally.beside
    ));
    for refused in &tally.refused {
        print::line(&format!("left as it is: {}, {}", refused.id, refused.error));
    }
}
