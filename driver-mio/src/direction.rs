//! One direction of a client: its lock, and waiting for the socket.

use std::{io, net::UdpSocket, sync::Arc};

use datagram_udp_socket::{
    Attempt, Closable, Closed, ConnectedUdpSocket, Inside, Progress, Release, Seat,
};
use mio::{Interest, Waker};
use parking_lot::Mutex;

use crate::{deadline::Deadline, waiter::Waiter};

/// One direction of a client, to be used by any number of threads.
///
/// `seat` is locked for each attempt and never while waiting. A thread whose attempt would block
/// takes the `turn` to wait, so that one thread waits in mio and the others for it; whoever gets the
/// turn tries again before it waits, since the one before it may have left packets behind.
#[derive(Debug)]
pub(crate) struct Direction<T> {
    interest: Interest,
    seat: Closable<Seat<T, UdpSocket>>,
    turn: Closable<Turn>,
    /// Wakes the one who waits in mio.
    waker: Mutex<Option<Waker>>,
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
            seat: Closable::new(Seat::new(state, socket)),
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
            if let Some(turn) = &mut turn
                && turn.0.as_ref().is_some_and(|waiter| waiter.is_stale())
            {
                turn.release();
            }
            let mut seat = self
                .seat
                .enter_within(closed, || deadline.remaining())
                .ok_or(Ended::TimedOut)?;
            let (state, socket) = seat.open(closed).map_err(|_closed| Ended::Closed)?;
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
                    Some(turn) => self.wait(turn, socket, closed, deadline)?,
                    None => {
                        let entered = self.turn.enter_within(closed, || deadline.remaining());
                        turn = Some(entered.ok_or(Ended::TimedOut)?);
                    }
                }
            }
        }
    }

    fn wait(
        &self,
        turn: &mut Turn,
        socket: Arc<ConnectedUdpSocket>,
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
        // Whoever closes, or replaces the socket, from here on finds the waker.
        if closed.is_closed() {
            return Err(Ended::Closed);
        }
        if waiter.is_stale() {
            return Ok(());
        }
        waiter.wait(deadline.remaining()).map_err(Ended::CannotWait)
    }

    /// Lets the socket go, and ends whoever waits for it. To be called after closing; waits for
    /// nobody.
    pub(crate) fn close(&self) {
        self.wake();
        self.seat.release();
    }

    /// Ends the wait of whoever waits now. To be called after the socket was replaced.
    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.waker.lock() {
            // It can only fail for lack of kernel memory; then the wait ends with its timeout.
            let _no_memory = waker.wake();
        }
        // If nobody waits, the descriptor in there goes.
        self.turn.release();
    }

    /// Returns the seat, for [`replace_socket`](datagram_udp_socket::replace_socket).
    pub(crate) const fn seat(&self) -> &Closable<Seat<T, UdpSocket>> {
        &self.seat
    }

    /// Enters after whoever is inside now. Nobody waits for the socket in there.
    pub(crate) fn enter<'a>(&'a self, closed: &'a Closed) -> Inside<'a, Seat<T, UdpSocket>> {
        self.seat.enter(closed)
    }
}
