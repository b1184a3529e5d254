//! One direction of a client: its lock, and waiting for the socket.

use std::{io, net::UdpSocket, sync::Arc};

use datagram_protocol_core::{ClientClosedError, Incoming, Outgoing};
use datagram_udp_socket::{
    Attempt, Closable, Closed, ConnectedUdpSocket, Inside, Outcome, RecvError, Release, Seat,
};
use mio::Interest;

use crate::{
    deadline::Deadline,
    waiter::Waiter,
    waits::{Turn, Wait, Waits},
};

/// One direction of a client, to be used by any number of threads.
///
/// `seat` is locked for each attempt and never while waiting. A thread whose attempt would block
/// takes the [turn](Wait::turn) to wait, so that one thread waits in mio and the others for it; whoever
/// gets the turn tries again before it waits, since the one before it may have left packets behind.
#[derive(Debug)]
pub(crate) struct Direction<T> {
    seat: Closable<Seat<T, UdpSocket>>,
}

/// A queue between client and socket.
pub(crate) trait Queue {
    /// What the socket has to be for it.
    const INTEREST: Interest;
}

impl Queue for Outgoing {
    const INTEREST: Interest = Interest::WRITABLE;
}

impl Queue for Incoming {
    const INTEREST: Interest = Interest::READABLE;
}

/// A seat that is taken.
pub(crate) type Taken<'a, T> = Inside<'a, Seat<T, UdpSocket>>;

/// Why an operation ended without having been done.
#[derive(Debug)]
pub(crate) enum Ended {
    Closed(ClientClosedError),
    TimedOut,
    /// The system has no means to wait, say no descriptor left.
    CannotWait(io::Error),
}

impl From<ClientClosedError> for Ended {
    fn from(error: ClientClosedError) -> Self {
        Self::Closed(error)
    }
}

impl From<Ended> for RecvError {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Closed(error) => error.into(),
            Ended::TimedOut => Self::TimedOut,
            Ended::CannotWait(error) => Self::Io(error),
        }
    }
}

/// What an attempt runs the pump through.
pub(crate) struct Gate<'a>(Option<&'a Waiter>);

impl Gate<'_> {
    /// Tells whether there is no waiter, so that somebody else may be waiting.
    pub(crate) const fn is_open(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn pass<O: Outcome, E>(&self, pump: impl FnOnce() -> Result<O, E>) -> Result<O, E> {
        match self.0 {
            Some(waiter) => waiter.watch(pump),
            None => pump(),
        }
    }
}

impl<T: Queue> Direction<T> {
    pub(crate) const fn new(queue: T, socket: Arc<ConnectedUdpSocket>) -> Self {
        Self {
            seat: Closable::new(Seat::new(queue, socket)),
        }
    }

    /// Takes the seat, waiting for it within the deadline.
    #[inline]
    pub(crate) fn take<'a>(
        &'a self,
        closed: &'a Closed,
        deadline: &mut Deadline,
    ) -> Result<Taken<'a, T>, Ended> {
        self.seat
            .enter_within(closed, || deadline.remaining())
            .ok_or(Ended::TimedOut)
    }

    /// Takes the seat, and repeats `attempt` until it is ready, waiting in between for the socket.
    pub(crate) fn run<'a, R>(
        &'a self,
        closed: &'a Closed,
        waits: &'a Waits,
        deadline: &mut Deadline,
        attempt: impl FnMut(&mut T, &ConnectedUdpSocket, Gate<'_>) -> Attempt<R>,
    ) -> Result<R, Ended> {
        let seat = self.take(closed, deadline)?;
        self.run_in(seat, closed, waits, deadline, attempt)
    }

    /// Does the same in a seat that was [taken](Self::take).
    pub(crate) fn run_in<'a, R>(
        &'a self,
        mut seat: Taken<'a, T>,
        closed: &'a Closed,
        waits: &'a Waits,
        deadline: &mut Deadline,
        mut attempt: impl FnMut(&mut T, &ConnectedUdpSocket, Gate<'_>) -> Attempt<R>,
    ) -> Result<R, Ended> {
        let mut turn: Option<(&Wait, Inside<'_, Turn>)> = None;
        loop {
            let (queue, socket) = seat.open(closed)?;
            let gate = Gate(turn.as_ref().and_then(|(_, turn)| turn.0.as_deref()));
            let would_block = match attempt(queue, socket, gate) {
                Attempt::Ready(result) => return Ok(result),
                Attempt::WouldBlock => true,
                Attempt::Again => false,
            };
            if deadline.is_over() {
                return Err(Ended::TimedOut);
            }
            let socket = Arc::clone(socket);
            drop(seat);
            if would_block {
                match &mut turn {
                    Some((wait, turn)) => Self::wait(wait, turn, socket, closed, deadline)?,
                    None => {
                        let wait = waits.wait_for(T::INTEREST);
                        let entered = wait.turn.enter_within(closed, || deadline.remaining());
                        turn = Some((wait, entered.ok_or(Ended::TimedOut)?));
                    }
                }
            }
            seat = self.take(closed, deadline)?;
        }
    }

    fn wait(
        wait: &Wait,
        turn: &mut Turn,
        socket: Arc<ConnectedUdpSocket>,
        closed: &Closed,
        deadline: &mut Deadline,
    ) -> Result<(), Ended> {
        let waiter = match &mut turn.0 {
            Some(waiter) => waiter,
            empty => {
                let (waiter, waker) =
                    Waiter::new(socket, T::INTEREST).map_err(Ended::CannotWait)?;
                *wait.waker.lock() = Some(waker);
                *empty = Some(Box::new(waiter));
                // Whoever left packets behind before found no waker: another attempt finds those.
                return Ok(());
            }
        };
        // Whoever closes, or replaces the socket, finds the waker.
        if closed.is_closed() {
            return Err(ClientClosedError::new().into());
        }
        if waiter.is_stale() {
            turn.release();
            return Ok(());
        }
        let waited = waiter.wait(deadline.remaining()).map_err(Ended::CannotWait);
        if waiter.is_stale() {
            turn.release();
        }
        waited
    }

    /// Lets the socket go. To be called after closing; waits for nobody.
    pub(crate) fn release(&self) {
        self.seat.release();
    }

    /// Returns the seat, for [`replace_socket`](datagram_udp_socket::replace_socket).
    pub(crate) const fn seat(&self) -> &Closable<Seat<T, UdpSocket>> {
        &self.seat
    }

    /// Enters after whoever is inside now. Nobody waits for the socket in there.
    pub(crate) fn enter<'a>(&'a self, closed: &'a Closed) -> Taken<'a, T> {
        self.seat.enter(closed)
    }
}
