//! Walking the chain, an entry at a time.

use super::{Entry, Hash};

/// A place in the chain, with the hash there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its number; the first entry is 1.
    pub position: i64,
    /// The hash of the entry there.
    pub hash: Hash,
}

/// Why a chain does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The next place is not the one after the last.
    #[error("the entry at position {0} is missing")]
    Missing(i64),
    /// It says that it follows another entry.
    #[error("it does not follow the entry before it")]
    Unlinked,
    /// It is not what was hashed.
    #[error("it is not what it was when it was written: its hash is another")]
    Changed,
    /// The chain ends before its head, or with another hash.
    #[error("the log does not end with its head: the last entries are missing, or others")]
    Truncated,
    /// The entry at a place that is known from elsewhere has another hash.
    #[error("it has not the hash that was given for its position")]
    Rewritten,
}

/// How far a chain was walked.
#[derive(Debug, Clone, Copy)]
pub struct Walk {
    reached: Link,
    known: Option<Link>,
}

impl Walk {
    /// Begins after a place. A `known` place is one that was noted outside.
    pub const fn after(anchor: Link, known: Option<Link>) -> Self {
        Self {
            reached: anchor,
            known,
        }
    }

    /// Where it is.
    pub const fn reached(&self) -> Link {
        self.reached
    }

    /// Takes the next entry, with its place and the hash of the one before it, as they are said.
    pub fn step(&mut self, entry: &Entry, place: Link, previous: &Hash) -> Result<(), Broken> {
        let next = self.reached.position + 1;
        if place.position != next {
            return Err(Broken::Missing(next));
        }
        if *previous != self.reached.hash {
            return Err(Broken::Unlinked);
        }
        if entry.hash(previous, next) != place.hash {
            return Err(Broken::Changed);
        }
        self.reached = place;
        self.check()
    }

    /// Looks whether the chain ends here, and has come to the place that is known.
    pub fn end(&self, head: Link) -> Result<(), Broken> {
        self.check()?;
        let is_short = self
            .known
            .is_some_and(|known| known.position > self.reached.position);
        if self.reached != head || is_short {
            return Err(Broken::Truncated);
        }
        Ok(())
    }

    /// Looks whether the place is the one that is known, where it has its number.
    pub fn check(&self) -> Result<(), Broken> {
        match self.known {
            Some(known) if known.position == self.reached.position && known != self.reached => {
                Err(Broken::Rewritten)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BEGINNING, tests::entry};
    use super::*;

    type Chained = (Entry, Link, Hash);

    fn chain(length: u128) -> Vec<Chained> {
        let mut last = BEGINNING;
        let chained = (1..=length).map(|number| {
            let (entry, previous) = (entry(number), last.hash);
            let position = last.position + 1;
            last = Link {
                position,
                hash: entry.hash(&previous, position),
            };
            (entry, last, previous)
        });
        chained.collect()
    }

    fn walk(chain: &[Chained], head: Link, known: Option<Link>) -> Result<(), Broken> {
        let mut walk = Walk::after(BEGINNING, known);
        for (entry, place, previous) in chain {
            walk.step(entry, *place, previous)?;
        }
        walk.end(head)
    }

    #[test]
    fn a_chain_that_nobody_touched_holds() {
        let chain = chain(5);
        let head = chain[4].1;
        assert_eq!(walk(&chain, head, None), Ok(()));
        assert_eq!(walk(&chain, head, Some(chain[2].1)), Ok(()));
        assert_eq!(walk(&[], BEGINNING, None), Ok(()));
    }

    #[test]
    fn what_was_changed_removed_or_swapped_is_noticed() {
        let whole = chain(5);
        let head = whole[4].1;
        let mut changed = whole.clone();
        changed[2].0.action = "webhook.deleted".to_owned();
        assert_eq!(walk(&changed, head, None), Err(Broken::Changed));
        let mut removed = whole.clone();
        removed.remove(2);
        assert_eq!(walk(&removed, head, None), Err(Broken::Missing(3)));
        let mut swapped = whole.clone();
        let (one, other) = (swapped[1].0.clone(), swapped[2].0.clone());
        (swapped[1].0, swapped[2].0) = (other, one);
        assert_eq!(walk(&swapped, head, None), Err(Broken::Changed));
        assert_eq!(walk(&whole[..3], head, None), Err(Broken::Truncated));
    }

    #[test]
    fn one_that_was_written_anew_or_shortened_with_its_head_is_noticed_by_a_head_noted_before() {
        let whole = chain(5);
        let noted = whole[4].1;
        assert_eq!(
            walk(&whole[..3], whole[2].1, Some(noted)),
            Err(Broken::Truncated)
        );
        let mut anew = whole;
        let mut previous = anew[2].2;
        anew[2].0.actor_type = "tidings".to_owned();
        for (entry, place, before) in anew.iter_mut().skip(2) {
            *before = previous;
            place.hash = entry.hash(&previous, place.position);
            previous = place.hash;
        }
        let head = anew[4].1;
        assert_eq!(walk(&anew, head, None), Ok(()));
        assert_eq!(walk(&anew, head, Some(noted)), Err(Broken::Rewritten));
    }
}
