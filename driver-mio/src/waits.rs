//! What it takes to wait, made when somebody first does: most clients of many never wait.

use std::sync::{
    OnceLock,
    atomic::{Ordering::SeqCst, fence},
};

use datagram_udp_socket::{Closable, Release};
use mio::{Interest, Waker};
use parking_lot::Mutex;

use crate::waiter::Waiter;

/// Waiting for a client's socket, in both directions.
#[derive(Debug)]
pub(crate) struct Waits(OnceLock<Box<Both>>);

#[derive(Debug, Default)]
struct Both {
    readable: Wait,
    writable: Wait,
}

/// Waiting in one direction. Whoever has the turn waits in mio, the others for the turn.
#[derive(Debug)]
pub(crate) struct Wait {
    pub(crate) turn: Closable<Turn>,
    /// Wakes the one who waits in mio.
    pub(crate) waker: Mutex<Option<Waker>>,
}

impl Default for Wait {
    fn default() -> Self {
        Self {
            turn: Closable::new(Turn(None)),
            waker: Mutex::new(None),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Turn(pub(crate) Option<Box<Waiter>>);

impl Release for Turn {
    fn release(&mut self) {
        self.0 = None;
    }
}

impl Waits {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Returns what it takes to wait for `interest`. Look whether the client is closed, or its socket
    /// replaced, before the wait.
    pub(crate) fn wait_for(&self, interest: Interest) -> &Wait {
        let both = self.0.get_or_init(Box::default);
        // Either the one who closes or replaces finds this, or this one sees what that one did.
        fence(SeqCst);
        if interest.is_readable() {
            &both.readable
        } else {
            &both.writable
        }
    }

    /// Wakes the receiver that waits in mio, if there is one, for packets that came out of the socket
    /// with another's. To be called in the seat, which that one has left before it waits.
    pub(crate) fn wake_receiver(&self) {
        if let Some(both) = self.0.get()
            && both.readable.turn.is_entered()
        {
            both.readable.interrupt();
        }
    }

    /// Ends the waits of those who wait now. To be called after the client was closed or its socket
    /// replaced.
    pub(crate) fn wake(&self) {
        fence(SeqCst);
        if let Some(both) = self.0.get() {
            both.readable.wake();
            both.writable.wake();
        }
    }
}

impl Wait {
    fn interrupt(&self) {
        if let Some(waker) = &*self.waker.lock() {
            // It can only fail for lack of kernel memory; then the wait ends with its timeout.
            let _no_memory = waker.wake();
        }
    }

    fn wake(&self) {
        self.interrupt();
        // If nobody waits, the descriptor in there goes.
        self.turn.release();
    }
}
