//! Where a session is driven: on the thread that uses it.

use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::{AsyncConnectionWrapper, BlockOn};
use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

/// A runtime of one thread: whichever is using it. What was spawned on it goes on while it is used.
#[derive(Clone)]
pub struct Here(Arc<Ending>);

/// A runtime that may be dropped anywhere.
struct Ending(Option<Runtime>);

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

thread_local! {
    /// What the wrapper made next on this thread runs on: it asks without saying who asks.
    static NEXT: RefCell<Option<Here>> = const { RefCell::new(None) };
}

impl Here {
    pub(super) fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self(Arc::new(Ending(Some(runtime)))))
    }

    /// Runs something to its end. On a blocking thread.
    pub(super) fn run<F: Future>(&self, work: F) -> F::Output {
        self.runtime().block_on(work)
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime().spawn(task);
    }

    /// Lets what was spawned take note of what has happened meanwhile, without waiting: the first
    /// time round the sockets are looked at, the second time whoever waits for them runs.
    pub(super) fn catch_up(&self) {
        self.run(async {
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        });
    }

    /// Diesel's synchronous face of a connection that is driven here.
    pub(super) fn wrap(
        &self,
        connection: AsyncPgConnection,
    ) -> AsyncConnectionWrapper<AsyncPgConnection, Self> {
        NEXT.set(Some(self.clone()));
        connection.into()
    }

    fn runtime(&self) -> &Runtime {
        let running = self.0.0.as_ref();
        running.expect("only dropping it takes it")
    }
}

impl BlockOn for Here {
    fn block_on<F: Future>(&self, work: F) -> F::Output {
        self.run(work)
    }

    fn get_runtime() -> Self {
        NEXT.take().expect("`wrap` says what it runs on")
    }
}
