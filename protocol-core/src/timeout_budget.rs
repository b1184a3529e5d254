//! The one piece of time arithmetic that the drivers share.

use core::time::Duration;

/// A timeout that is used up bit by bit, for an operation made of several waits.
///
/// It has no clock: whoever waits measures, and [spends](Self::spend). `None` means no limit.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use datagram_protocol_core::TimeoutBudget;
///
/// let mut budget = TimeoutBudget::new(Duration::from_secs(2));
/// budget.spend(Duration::from_millis(500));
///
/// assert_eq!(budget.remaining(), Some(Duration::from_millis(1500)));
/// assert!(!budget.is_exhausted());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeoutBudget {
    remaining: Option<Duration>,
}

impl TimeoutBudget {
    /// Starts with the whole of `timeout`.
    #[must_use]
    pub fn new(timeout: impl Into<Option<Duration>>) -> Self {
        Self {
            remaining: timeout.into(),
        }
    }

    /// Takes `elapsed` off; spending more than is left leaves zero.
    pub fn spend(&mut self, elapsed: Duration) {
        self.remaining = self.remaining.map(|left| left.saturating_sub(elapsed));
    }

    /// Returns what is left; `None` means no limit.
    #[must_use]
    pub const fn remaining(&self) -> Option<Duration> {
        self.remaining
    }

    /// Tells whether nothing is left. A budget of zero is exhausted from the start, which still
    /// allows an attempt that does not wait.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.remaining == Some(Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_spent_remains() {
        let mut budget = TimeoutBudget::new(Duration::from_secs(3));

        budget.spend(Duration::from_secs(1));

        assert_eq!(budget.remaining(), Some(Duration::from_secs(2)));
        assert!(!budget.is_exhausted());
    }

    #[test]
    fn spending_more_than_is_left_exhausts() {
        let mut budget = TimeoutBudget::new(Duration::from_secs(1));

        budget.spend(Duration::from_secs(3));

        assert!(budget.is_exhausted());
    }

    #[test]
    fn no_limit_stays_no_limit() {
        let mut budget = TimeoutBudget::new(None);

        budget.spend(Duration::MAX);

        assert_eq!(budget.remaining(), None);
        assert!(!budget.is_exhausted());
    }
}
