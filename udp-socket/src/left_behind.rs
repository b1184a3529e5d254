//! Packets that come out of the socket with another's.

use std::fmt;

use datagram_protocol_core::Incoming;

/// The queue of a receiver that takes datagrams out of the socket, of which one is its own.
///
/// If others are in the queue when this is dropped, also because the protocol panics, whoever waits has
/// to be told of them: an event loop tells of what is in the socket, and does not if that was emptied
/// before it looked.
pub struct LeftBehind<'a, F: Fn()> {
    incoming: &'a mut Incoming,
    tell: F,
}

impl<'a, F: Fn()> LeftBehind<'a, F> {
    /// Starts with an empty queue. `tell` is called at the end if that is no longer empty.
    #[inline]
    pub const fn new(incoming: &'a mut Incoming, tell: F) -> Self {
        Self { incoming, tell }
    }

    /// Returns the queue.
    #[inline]
    pub const fn incoming_mut(&mut self) -> &mut Incoming {
        self.incoming
    }
}

impl<F: Fn()> Drop for LeftBehind<'_, F> {
    #[inline]
    fn drop(&mut self) {
        if !self.incoming.is_empty() {
            (self.tell)();
        }
    }
}

impl<F: Fn()> fmt::Debug for LeftBehind<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeftBehind")
            .field("incoming", &self.incoming)
            .finish_non_exhaustive()
    }
}
