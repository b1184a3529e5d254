//! One direction of a client: its lock, and waiting for the socket.

use std::{io, sync::Arc};

use datagram_udp_socket::{Attempt, ConnectedUdpSocket, Progress};
use mio::{Interest, Waker};
use parking_lot::Mutex;

use crate::{
    closable::{Closable, Closed, Inside, Release},
    deadline::Deadline,
    waiter::Waiter,
};

/// One direction of a client, to be used by any number of threads.
///
/// `seat` is locked for each attempt and never while waiting. A thread whose attempt would block
/// takes the `turn` to wait, so that one thread waits in mio and the others for it; whoever gets the
/// turn tries again before it waits, since the one before it may have left packets behind.
#[derive(Debug)]
pub(crate) struct Direction<T> {
    interest: Interest,
    seat: Closable<Seat<T>>,
    turn: Closable<Turn>,
    /// Wakes the one who waits in mio.
    waker: Mutex<Option<Waker>>,
}

/// A half of the state machine, with the socket for as long as the client is open.
#[derive(Debug)]
pub(crate) struct Seat<T> {
    pub(crate) state: T,
    pub(crate) socket: Option<Arc<ConnectedUdpSocket>>,
}

impl<T> Release for Seat<T> {
    fn release(&mut self) {
        self.socket = None;
    }
}

#[derive(Debug, Default)]
struct Turn(Option<Box<Waiter>>);

impl Release for Turn {
    fn release(&mut self) {
        self.0 = None;
    }
}

/// Why an operation ended without having been done.
#[derive(Debug)]
pub(crate) enum Ended {
    Closed,
    TimedOut,
    /// The system has no means to wait, say no descriptor left.
    CannotWait(io::Error),
}

/// What an attempt runs the pump through.
pub(crate) struct Gate<'a>(Option<&'a Waiter>);

impl Gate<'_> {
    pub(crate) fn pass<E>(
        &self,
        pump: impl FnOnce() -> Result<Progress, E>,
    ) -> Result<Progress, E> {
        match self.0 {
            Some(waiter) => waiter.watch(pump),
            None => pump(),
        }
    }
}

impl<T> Direction<T> {
    pub(crate) const fn new(interest: Interest, state: T, socket: Arc<ConnectedUdpSocket>) -> Self {
        Self {
            interest,
            seat: Closable::new(Seat {
                state,
                socket: Some(socket),
            }),
            turn: Closable::new(Turn(None)),
            waker: Mutex::new(None),
        }
    }

    /// Repeats `attempt` until it is ready, waiting in between for the socket.
    #[inline]
    pub(crate) fn run<R>(
        &self,
        closed: &Closed,
        deadline: &mut Deadline,
        mut attempt: impl FnMut(&mut T, &ConnectedUdpSocket, Gate<'_>) -> Attempt<R>,
    ) -> Result<R, Ended> {
        let mut turn: Option<Inside<'_, Turn>> = None;
        loop {
            let mut seat = self.seat.enter(closed, deadline).ok_or(Ended::TimedOut)?;
            let Seat { state, socket } = &mut *seat;
            let socket = match socket {
                Some(socket) if !closed.is_closed() => socket,
                _ => return Err(Ended::Closed),
            };
            let gate = Gate(turn.as_ref().and_then(|turn| turn.0.as_deref()));
            let would_block = match attempt(state, socket, gate) {
                Attempt::Ready(result) => return Ok(result),
                Attempt::WouldBlock => true,
                Attempt::Again => false,
            };
            if deadline.is_over() {
                return Err(Ended::TimedOut);
            }
            if would_block {
                let socket = Arc::clone(socket);
                drop(seat);
                match &mut turn {
                    Some(turn) => self.wait(turn, &socket, closed, deadline)?,
                    None => {
                        turn = Some(self.turn.enter(closed, deadline).ok_or(Ended::TimedOut)?);
                    }
                }
            }
        }
    }

    fn wait(
        &self,
        turn: &mut Turn,
        socket: &ConnectedUdpSocket,
        closed: &Closed,
        deadline: &mut Deadline,
    ) -> Result<(), Ended> {
        let waiter = match &mut turn.0 {
            Some(waiter) => waiter,
            empty => {
                let (waiter, waker) =
                    Waiter::new(socket, self.interest).map_err(Ended::CannotWait)?;
                *self.waker.lock() = Some(waker);
                empty.insert(Box::new(waiter))
            }
        };
        // Whoever closes from here on finds the waker.
        if closed.is_closed() {
            return Err(Ended::Closed);
        }
        waiter.wait(deadline.remaining()).map_err(Ended::CannotWait)
    }

    /// Lets the socket go, and ends whoever waits for it. To be called after closing; waits for
    /// nobody.
    pub(crate) fn close(&self) {
        if let Some(waker) = &*self.waker.lock() {
            // It can only fail for lack of kernel memory; then the wait ends with its timeout.
            let _no_memory = waker.wake();
        }
        self.seat.release();
        self.turn.release();
    }

    /// Uses the half of the state machine, after whoever uses it now. Never waits for the socket.
    pub(crate) fn with<R>(&self, closed: &Closed, look: impl FnOnce(&mut Seat<T>) -> R) -> R {
        self.seat.with(closed, look)
    }
}
