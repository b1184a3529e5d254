//! When an operation has to end.

use std::time::{Duration, Instant};

use datagram_protocol_core::TimeoutBudget;

/// The time that one operation may take. The clock starts when it is first asked for, which is when
/// the operation first has to wait: one that does not wait never reads it.
#[derive(Debug)]
pub(crate) struct Deadline {
    timeout: TimeoutBudget,
    start: Option<Instant>,
}

impl Deadline {
    pub(crate) fn after(timeout: impl Into<Option<Duration>>) -> Self {
        Self {
            timeout: TimeoutBudget::new(timeout),
            start: None,
        }
    }

    /// Returns how long the operation may still wait; `None` means for ever.
    pub(crate) fn remaining(&mut self) -> Option<Duration> {
        let mut budget = self.timeout;
        if budget.remaining().is_some() {
            budget.spend(self.start.get_or_insert_with(Instant::now).elapsed());
        }
        budget.remaining()
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.remaining() == Some(Duration::ZERO)
    }

    /// Returns how long the operation has waited so far.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.map_or(Duration::ZERO, |start| start.elapsed())
    }
}
