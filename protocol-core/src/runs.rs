//! The runs of a queue, in order. The last one, to which datagrams are added, lies apart from those
//! before it: most queues have only that one.

use crate::{lazy_queue::LazyQueue, run::Run};

#[derive(Debug)]
pub(crate) struct Runs {
    before: LazyQueue<Run>,
    last: Option<Run>,
}

impl Runs {
    pub(crate) const fn new() -> Self {
        Self {
            before: LazyQueue::new(),
            last: None,
        }
    }

    /// Adds a datagram of `size` bytes, to the last run if that may have it and stays within `max`
    /// bytes.
    #[inline]
    pub(crate) fn push(&mut self, size: u32, max: u32) {
        if let Some(last) = &mut self.last
            && last.try_extend(size, max)
        {
            return;
        }
        self.push_back(Run::of_one(size));
    }

    /// Takes the last run off.
    pub(crate) fn pop_back(&mut self) -> Option<Run> {
        let last = self.last.take()?;
        self.last = self.before.pop_back();
        Some(last)
    }

    /// Puts a run behind the others.
    #[inline]
    pub(crate) fn push_back(&mut self, run: Run) {
        if let Some(before) = self.last.replace(run) {
            self.before.push_back(before);
        }
    }

    /// Takes the first `datagrams` of the first run off.
    #[inline]
    pub(crate) fn remove_front(&mut self, datagrams: u32) {
        match self.before.front_mut() {
            Some(run) => match run.without_first(datagrams) {
                Some(rest) => *run = rest,
                None => {
                    self.before.pop_front();
                }
            },
            None => self.last = self.last.and_then(|run| run.without_first(datagrams)),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.before.clear();
        self.last = None;
    }

    /// Gives back what is set aside for more than `kept` runs, if there are none.
    #[inline]
    pub(crate) fn release_beyond(&mut self, kept: usize) {
        self.before.release_beyond(kept);
    }

    #[inline]
    pub(crate) fn front(&self) -> Option<Run> {
        self.before.front().copied().or(self.last)
    }

    #[inline]
    pub(crate) const fn back(&self) -> Option<Run> {
        self.last
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.before.len() + usize::from(self.last.is_some())
    }
}
