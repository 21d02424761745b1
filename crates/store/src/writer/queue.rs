//! The queue of work, shared by the writer threads.

use super::job::Job;
use crate::error::Error;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What waits for a thread, and the threads that wait for work.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Box<dyn Job>>,
    idle_threads: usize,
    is_closed: bool,
}

impl Queue {
    pub(super) fn push(&self, job: Box<dyn Job>) -> Result<(), Error> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(Error::Closed);
        }
        state.jobs.push_back(job);
        self.arrived.notify_one();
        Ok(())
    }

    /// Waits for work; none when nobody can bring any more.
    pub(super) fn take_first(&self) -> Option<Box<dyn Job>> {
        let mut state = self.lock();
        state.idle_threads += 1;
        while state.jobs.is_empty() && !state.is_closed {
            state = self
                .arrived
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.idle_threads -= 1;
        state.jobs.pop_front()
    }

    /// Work for a transaction that has begun already: what no idle thread is about to take.
    pub(super) fn take_next(&self) -> Option<Box<dyn Job>> {
        let mut state = self.lock();
        if state.jobs.len() > state.idle_threads {
            state.jobs.pop_front()
        } else {
            None
        }
    }

    /// Leaves work to the other threads.
    pub(super) fn put_back(&self, job: Box<dyn Job>) {
        self.lock().jobs.push_front(job);
        self.arrived.notify_one();
    }

    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.arrived.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Connection;
    use std::sync::Arc;

    struct Nothing;

    impl Job for Nothing {
        fn run(&mut self, _: &mut Connection) -> Result<(), Error> {
            Ok(())
        }

        fn tell(self: Box<Self>, _: Result<(), Error>) {}
    }

    #[test]
    fn a_busy_thread_leaves_as_much_work_as_there_are_idle_threads() {
        let queue = Queue::default();
        for _ in 0..5 {
            queue.push(Box::new(Nothing)).unwrap();
        }
        queue.lock().idle_threads = 2;
        let taken = std::iter::from_fn(|| queue.take_next()).count();
        assert_eq!(taken, 3);
        queue.lock().idle_threads = 0;
        let taken = std::iter::from_fn(|| queue.take_next()).count();
        assert_eq!(taken, 2);
    }

    #[test]
    fn what_waits_when_the_queue_is_closed_is_done_and_nothing_more_is_taken() {
        let queue = Arc::new(Queue::default());
        queue.push(Box::new(Nothing)).unwrap();
        queue.close();
        assert!(queue.push(Box::new(Nothing)).is_err());
        assert!(queue.take_first().is_some());
        assert!(queue.take_first().is_none());
    }
}
