//! The turns of handshakes: one step of one of them, then everybody who has something to say.
//!
//! A step of a TLS handshake is some hundred microseconds of arithmetic. Those of a crowd come at once, and would otherwise all stand before the
//! messages of the sessions that are there.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::ready;

use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::PollSemaphore;

/// The turns of one shard. They are taken in the order in which they are asked for.
pub(crate) struct Turns {
    /// One permit, or none while the shard hasn't looked at its sockets again.
    free: Arc<Semaphore>,
    taken: Notify,
}

impl Default for Turns {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(1)), taken: Notify::new() }
    }
}

impl Turns {
    /// Gives a turn back each time that the shard has looked at its sockets.
    pub(super) async fn give(&self) {
        loop {
            self.taken.notified().await;
            tokio::task::yield_now().await;
            self.free.add_permits(1);
        }
    }

    /// Goes on with this, which takes a turn for each of its steps.
    pub(super) async fn step_by_step<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let mut free = PollSemaphore::new(self.free.clone());
        poll_fn(|context| {
            // Nobody closes it.
            if let Some(turn) = ready!(free.poll_acquire(context)) {
                turn.forget();
                self.taken.notify_one();
            }
            future.as_mut().poll(context)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use tokio::runtime::{Builder, LocalOptions};
    use tokio::task::{spawn_local, yield_now};

    use super::*;

    /// Two that could go on at once, and one who looks on: between two steps there is always its turn.
    #[test]
    fn between_two_steps_everybody_has_their_turn() {
        let runtime = Builder::new_current_thread().build_local(LocalOptions::default());
        let said = runtime.expect("a runtime").block_on(async {
            let (turns, said) = (Rc::new(Turns::default()), Rc::new(RefCell::new(String::new())));
            let giving = turns.clone();
            let giving = spawn_local(async move { giving.give().await });
            let steps = |name: char| {
                let (turns, said) = (turns.clone(), said.clone());
                spawn_local(async move {
                    let work = async {
                        for _ in 0..3 {
                            said.borrow_mut().push(name);
                            yield_now().await;
                        }
                    };
                    turns.step_by_step(work).await;
                })
            };
            let both = [steps('a'), steps('b')];
            let looker = {
                let said = said.clone();
                spawn_local(async move {
                    loop {
                        said.borrow_mut().push('.');
                        yield_now().await;
                    }
                })
            };
            for one in both {
                one.await.expect("it ends");
            }
            looker.abort();
            giving.abort();
            said.take()
        });
        let steps: Vec<&str> = said.split('.').filter(|steps| !steps.is_empty()).collect();
        assert_eq!(steps, ["a", "b", "a", "b", "a", "b"], "{said}");
    }
}
