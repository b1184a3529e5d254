//! A mutex around something that is let go of when the client is closed.

use std::{
    ops::{Deref, DerefMut},
    sync::atomic::{
        AtomicBool,
        Ordering::{Relaxed, SeqCst},
        fence,
    },
};

use parking_lot::{Mutex, MutexGuard};

use crate::deadline::Deadline;

/// Whether the client is closed. It never opens again.
#[derive(Debug, Default)]
pub(crate) struct Closed(AtomicBool);

impl Closed {
    /// Closes; tells whether it was open before.
    pub(crate) fn close(&self) -> bool {
        !self.0.swap(true, SeqCst)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// What holds a descriptor and lets go of it when the client is closed.
pub(crate) trait Release {
    fn release(&mut self);
}

/// A mutex whose content is released once the client is closed: by whoever closes it or, if somebody
/// is inside just then, by that one on the way out. So closing never waits for the lock, and the
/// descriptor goes with its last user.
#[derive(Debug)]
pub(crate) struct Closable<T: Release>(Mutex<T>);

impl<T: Release> Closable<T> {
    pub(crate) const fn new(content: T) -> Self {
        Self(Mutex::new(content))
    }

    /// Locks; `None` if that is not possible in time.
    #[inline]
    pub(crate) fn enter<'a>(
        &'a self,
        closed: &'a Closed,
        deadline: &mut Deadline,
    ) -> Option<Inside<'a, T>> {
        let guard = match self.0.try_lock() {
            Some(guard) => guard,
            None => match deadline.remaining() {
                Some(remaining) => self.0.try_lock_for(remaining)?,
                None => self.0.lock(),
            },
        };
        Some(Inside {
            mutex: self,
            closed,
            guard: Some(guard),
        })
    }

    /// Releases the content, unless somebody is inside. To be called after closing.
    pub(crate) fn release(&self) {
        if let Some(mut content) = self.0.try_lock() {
            content.release();
        }
    }

    /// Looks at the content, or changes something small. Waits for the lock without limit.
    pub(crate) fn with<R>(&self, closed: &Closed, look: impl FnOnce(&mut T) -> R) -> R {
        let mut inside = Inside {
            mutex: self,
            closed,
            guard: Some(self.0.lock()),
        };
        look(&mut inside)
    }
}

/// A [`Closable`] that is locked.
pub(crate) struct Inside<'a, T: Release> {
    mutex: &'a Closable<T>,
    closed: &'a Closed,
    /// Present until dropped.
    guard: Option<MutexGuard<'a, T>>,
}

impl<T: Release> Deref for Inside<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_ref().expect("present until dropped")
    }
}

impl<T: Release> DerefMut for Inside<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().expect("present until dropped")
    }
}

impl<T: Release> Drop for Inside<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.guard = None;
        // Either this sees that the client was closed, or the one who closes finds the lock free.
        fence(SeqCst);
        if self.closed.is_closed() {
            self.mutex.release();
        }
    }
}
