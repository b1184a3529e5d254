//! What drivers lock: something that is let go of when the client is closed.

use std::{
    ops::{Deref, DerefMut},
    sync::{
        Arc,
        atomic::{
            AtomicBool,
            Ordering::{Relaxed, SeqCst},
            fence,
        },
    },
    time::Duration,
};

use datagram_protocol_core::ClientClosedError;
use parking_lot::{Mutex, MutexGuard};

use crate::ConnectedUdpSocket;

/// Whether a client is closed. It never opens again.
#[derive(Debug, Default)]
pub struct Closed(AtomicBool);

impl Closed {
    /// Starts open.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Closes; tells whether it was open before. Then release what is [`Closable`].
    pub fn close(&self) -> bool {
        !self.0.swap(true, SeqCst)
    }

    /// Tells whether it is closed.
    #[must_use]
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// What holds a descriptor, and lets go of it when the client is closed.
pub trait Release {
    /// Lets go. May be called again.
    fn release(&mut self);
}

/// A half of the state machine, with the socket for as long as the client is open.
#[derive(Debug)]
#[non_exhaustive]
pub struct Seat<T, S> {
    /// The half.
    pub state: T,
    /// The socket; `None` once the client is closed.
    pub socket: Option<Arc<ConnectedUdpSocket<S>>>,
}

impl<T, S> Seat<T, S> {
    /// Puts a half and the socket together.
    #[must_use]
    pub const fn new(state: T, socket: Arc<ConnectedUdpSocket<S>>) -> Self {
        Self {
            state,
            socket: Some(socket),
        }
    }

    /// Returns both, for an attempt.
    ///
    /// # Errors
    ///
    /// The client is closed.
    #[inline]
    pub fn open(
        &mut self,
        closed: &Closed,
    ) -> Result<(&mut T, &Arc<ConnectedUdpSocket<S>>), ClientClosedError> {
        match &self.socket {
            Some(socket) if !closed.is_closed() => Ok((&mut self.state, socket)),
            _ => Err(ClientClosedError::new()),
        }
    }
}

impl<T, S> Release for Seat<T, S> {
    fn release(&mut self) {
        self.socket = None;
    }
}

/// A mutex whose content is released once the client is closed: by whoever closes it or, if somebody
/// is inside just then, by that one on the way out. So closing does not wait for the lock, and the
/// descriptor goes with its last user.
#[derive(Debug)]
pub struct Closable<T: Release>(Mutex<T>);

impl<T: Release> Closable<T> {
    /// Wraps `content`.
    #[must_use]
    pub const fn new(content: T) -> Self {
        Self(Mutex::new(content))
    }

    /// Locks, waiting for as long as it takes.
    #[inline]
    pub fn enter<'a>(&'a self, closed: &'a Closed) -> Inside<'a, T> {
        self.inside(closed, self.0.lock())
    }

    /// Locks, waiting for at most the time that `timeout` tells (`None` means for ever), which is
    /// asked only if the lock is not free. `None` if that is not enough.
    #[inline]
    pub fn enter_within<'a>(
        &'a self,
        closed: &'a Closed,
        timeout: impl FnOnce() -> Option<Duration>,
    ) -> Option<Inside<'a, T>> {
        let guard = match self.0.try_lock() {
            Some(guard) => guard,
            None => match timeout() {
                Some(timeout) => self.0.try_lock_for(timeout)?,
                None => self.0.lock(),
            },
        };
        Some(self.inside(closed, guard))
    }

    /// Releases the content, unless somebody is inside. To be called after [`Closed::close`].
    pub fn release(&self) {
        if let Some(mut content) = self.0.try_lock() {
            content.release();
        }
    }

    /// Tells whether somebody is inside just now.
    #[must_use]
    pub fn is_entered(&self) -> bool {
        self.0.is_locked()
    }

    fn inside<'a>(&'a self, closed: &'a Closed, guard: MutexGuard<'a, T>) -> Inside<'a, T> {
        Inside {
            mutex: self,
            closed,
            guard: Some(guard),
        }
    }
}

/// A [`Closable`] that is locked.
#[derive(Debug)]
pub struct Inside<'a, T: Release> {
    mutex: &'a Closable<T>,
    closed: &'a Closed,
    /// Present until dropped.
    guard: Option<MutexGuard<'a, T>>,
}

impl<T: Release> Deref for Inside<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.guard.as_ref().expect("present until dropped")
    }
}

impl<T: Release> DerefMut for Inside<'_, T> {
    #[inline]
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
