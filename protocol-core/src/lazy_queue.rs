//! A queue for what there mostly is none of.

use alloc::{boxed::Box, collections::VecDeque};

/// A `VecDeque` that takes no more than a pointer until something is in it.
#[derive(Debug)]
#[expect(
    clippy::box_collection,
    reason = "it is boxed to be small while there is none"
)]
pub(crate) struct LazyQueue<T>(Option<Box<VecDeque<T>>>);

impl<T> LazyQueue<T> {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    #[cold]
    pub(crate) fn push_back(&mut self, item: T) {
        self.0.get_or_insert_default().push_back(item);
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        self.0.as_mut()?.pop_front()
    }

    #[inline]
    pub(crate) fn pop_back(&mut self) -> Option<T> {
        self.0.as_mut()?.pop_back()
    }

    #[inline]
    pub(crate) fn front_mut(&mut self) -> Option<&mut T> {
        self.0.as_mut()?.front_mut()
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        if let Some(queue) = &mut self.0 {
            queue.clear();
        }
    }

    /// Gives back what is set aside for more than `kept` items, if there are none.
    #[inline]
    pub(crate) fn release_beyond(&mut self, kept: usize) {
        if let Some(queue) = &self.0
            && queue.is_empty()
            && queue.capacity() > kept
        {
            self.0 = None;
        }
    }

    #[inline]
    pub(crate) fn front(&self) -> Option<&T> {
        self.0.as_ref()?.front()
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |queue| queue.len())
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|queue| queue.is_empty())
    }
}
