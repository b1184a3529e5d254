//! The arithmetic of runs, free of bytes.

use core::num::NonZeroU32;

/// Consecutive datagrams of one length that lie end to end; only the last may be shorter. A run can
/// leave as one transmit.
///
/// Lengths are bytes. `u32` holds every UDP length and keeps the queue's own overhead small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// Length of every datagram but the last.
    segment: u32,
    /// Length of the last datagram.
    last: u32,
    /// How many there are. Not to be zero lets an `Option` of a run be no larger than the run.
    datagrams: NonZeroU32,
}

impl Run {
    pub(crate) const fn of_one(size: u32) -> Self {
        Self {
            segment: size,
            last: size,
            datagrams: NonZeroU32::MIN,
        }
    }

    /// Takes one more datagram in, if the run may go on with it within `max` bytes.
    #[inline]
    pub(crate) const fn try_extend(&mut self, size: u32, max: u32) -> bool {
        let fits = size != 0
            && size <= self.segment
            && self.last == self.segment
            // All are of one length here.
            && self.segment * self.datagrams.get() + size <= max;
        if fits && let Some(datagrams) = self.datagrams.checked_add(1) {
            self.last = size;
            self.datagrams = datagrams;
            return true;
        }
        false
    }

    #[inline]
    pub(crate) const fn len(&self) -> u32 {
        self.segment * (self.datagrams.get() - 1) + self.last
    }

    #[inline]
    pub(crate) const fn segment(&self) -> u32 {
        self.segment
    }

    #[inline]
    pub(crate) const fn datagrams(&self) -> u32 {
        self.datagrams.get()
    }

    /// Returns the run of its first `datagrams` (all if it has fewer).
    #[inline]
    pub(crate) const fn first(&self, datagrams: NonZeroU32) -> Self {
        if datagrams.get() >= self.datagrams.get() {
            return *self;
        }
        Self {
            segment: self.segment,
            last: self.segment,
            datagrams,
        }
    }

    /// Returns the run without its first `datagrams`; `None` if nothing is left.
    #[inline]
    pub(crate) const fn without_first(&self, datagrams: u32) -> Option<Self> {
        let left = self.datagrams.get().saturating_sub(datagrams);
        let Some(datagrams) = NonZeroU32::new(left) else {
            return None;
        };
        Some(Self {
            // A lone datagram is its own segment, so that the run may go on with its length.
            segment: if left == 1 { self.last } else { self.segment },
            last: self.last,
            datagrams,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn run_of(sizes: &[u32]) -> Run {
        let mut run = Run::of_one(sizes[0]);
        for &size in &sizes[1..] {
            assert!(run.try_extend(size, 1000), "{size} does not extend {run:?}");
        }
        run
    }

    #[test]
    fn run_ends_with_a_shorter_datagram() {
        let mut run = run_of(&[10, 10, 4]);

        assert_eq!((run.len(), run.datagrams(), run.segment()), (24, 3, 10));
        assert!(!run.try_extend(4, 1000));
        assert!(!run.try_extend(10, 1000));
    }

    #[test]
    fn run_takes_neither_longer_nor_empty_datagrams() {
        let mut run = run_of(&[10]);

        assert!(!run.try_extend(11, 1000));
        assert!(!run.try_extend(0, 1000));
        assert!(!Run::of_one(0).try_extend(0, 1000));
    }

    #[test]
    fn run_is_bounded_in_bytes() {
        let mut run = run_of(&[10, 10]);

        assert!(!run.try_extend(10, 29));
        assert!(run.try_extend(10, 30));
    }

    #[test]
    fn parts_of_a_run_add_up() {
        let run = run_of(&[10, 10, 10, 4]);

        for n in 1..4 {
            let rest = run.without_first(n).unwrap();
            let n = NonZeroU32::new(n).unwrap();
            assert_eq!(run.first(n).len() + rest.len(), run.len());
            assert_eq!(run.first(n).datagrams() + rest.datagrams(), 4);
        }
        assert_eq!(run.without_first(4), None);
        assert_eq!(run.first(NonZeroU32::MAX), run);
    }
}
