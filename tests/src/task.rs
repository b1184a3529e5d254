//! Threads and conditions, waited for with a generous deadline.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

/// How long anything that is bound to happen may take, on a machine that has better things to do.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A thread with a result.
#[derive(Debug)]
#[must_use = "a failure in it would go unnoticed"]
pub struct Task<T> {
    result: Receiver<Result<T, Box<dyn Any + Send>>>,
}

/// Runs `work` on a thread of its own.
pub fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Task<T> {
    let (sender, result) = mpsc::channel();
    thread::spawn(move || {
        // Nobody is left to tell once the task was dropped.
        let _not_awaited = sender.send(catch_unwind(AssertUnwindSafe(work)));
    });
    Task { result }
}

impl<T> Task<T> {
    /// Returns the result, or panics with the panic of the thread, or because it does not end.
    #[track_caller]
    pub fn join(self) -> T {
        self.join_within(DEADLINE)
    }

    /// As [`join`](Self::join), for work that is long.
    #[track_caller]
    pub fn join_within(self, limit: Duration) -> T {
        match self.result.recv_timeout(limit) {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(RecvTimeoutError::Timeout) => {
                panic!("still not done after {limit:?}{}", deadlocks())
            }
            Err(RecvTimeoutError::Disconnected) => unreachable!("the thread sends before it ends"),
        }
    }

    /// Tells whether the thread is still at it after `pause`. If not, the result is gone.
    pub fn is_running_after(&self, pause: Duration) -> bool {
        thread::sleep(pause);
        self.result.try_recv().is_err()
    }
}

/// Tells which threads wait for each other's locks (of the libraries, which use parking_lot).
#[cfg(feature = "deadlock-detection")]
fn deadlocks() -> String {
    let circles = parking_lot::deadlock::check_deadlock();
    let threads = circles.iter().flatten().map(|thread| {
        let (id, backtrace) = (thread.thread_id(), thread.backtrace());
        format!("\n\nin a deadlock, {id:?}:\n{backtrace:?}")
    });
    threads.collect()
}

#[cfg(not(feature = "deadlock-detection"))]
fn deadlocks() -> &'static str {
    ""
}

/// Waits until `condition` holds.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "not in time: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Gives other threads a moment to block in what they have announced. No assertion may need it: it
/// makes the interesting order of events likely, and every other order must pass as well.
pub fn settle() {
    thread::sleep(Duration::from_millis(10));
}

#[cfg(all(test, feature = "deadlock-detection"))]
mod tests {
    use std::sync::{Arc, Barrier};

    use parking_lot::Mutex;

    use super::*;

    #[test]
    fn threads_that_wait_for_each_other_are_named() {
        let locks = Arc::new([Mutex::new(()), Mutex::new(())]);
        let both_locked = Arc::new(Barrier::new(2));
        let [one, _other] = [0, 1].map(|first| {
            let (locks, both_locked) = (Arc::clone(&locks), Arc::clone(&both_locked));
            in_background(move || {
                let _first = locks[first].lock();
                both_locked.wait();
                let _second = locks[1 - first].lock();
            })
        });

        let hang = catch_unwind(AssertUnwindSafe(|| one.join_within(Duration::from_secs(2))));

        let told = hang.expect_err("neither gets the other's lock");
        let told = told.downcast_ref::<String>().expect("it is a text");
        assert_eq!(told.matches("in a deadlock, ThreadId").count(), 2, "{told}");
    }
}
