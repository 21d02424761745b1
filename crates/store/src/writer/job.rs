//! Work that somebody waits for.

use super::Permit;
use crate::connection::Connection;
use crate::error::Error;
use tokio::sync::oneshot;

/// Work of any caller.
pub(crate) trait Job: Send {
    /// Does it, in a transaction that was begun. May be called again after that was undone.
    fn run(&mut self, connection: &mut Connection) -> Result<(), Error>;

    /// Its parts, where it failed as a whole and they may do better each by itself. It is over then.
    fn split(&mut self) -> Vec<Box<dyn Job>> {
        Vec::new()
    }

    /// Says how it ended: what it returned last, if that is durable.
    fn tell(self: Box<Self>, ended: Result<(), Error>);
}

/// A caller's work, and the caller.
pub(super) struct Call<T, W> {
    work: W,
    done: Option<T>,
    caller: oneshot::Sender<Result<T, Error>>,
    /// Its place in the queue.
    _permit: Permit,
}

impl<T, W> Call<T, W> {
    pub(super) const fn new(
        work: W,
        caller: oneshot::Sender<Result<T, Error>>,
        permit: Permit,
    ) -> Self {
        Self {
            work,
            done: None,
            caller,
            _permit: permit,
        }
    }
}

impl<T, W> Job for Call<T, W>
where
    T: Send,
    W: FnMut(&mut Connection) -> Result<T, Error> + Send,
{
    fn run(&mut self, connection: &mut Connection) -> Result<(), Error> {
        self.done = None;
        self.done = Some((self.work)(connection)?);
        Ok(())
    }

    fn tell(self: Box<Self>, ended: Result<(), Error>) {
        let Self { done, caller, .. } = *self;
        // The caller may have gone away; the work is done all the same.
        let _ = caller.send(ended.and_then(|()| done.ok_or(Error::Closed)));
    }
}
