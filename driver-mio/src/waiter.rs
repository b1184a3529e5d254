//! Waiting for one direction of a socket.

use std::{io, sync::Arc, time::Duration};

use datagram_udp_socket::{ConnectedUdpSocket, Outcome, within};
use mio::{Events, Interest, Poll, Token, Waker, net::UdpSocket};

const SOCKET: Token = Token(0);
const WAKER: Token = Token(1);

/// A mio `Poll` for one direction, made at its first real wait. It has a duplicate of the descriptor,
/// since mio lets a socket be in one registry only.
#[derive(Debug)]
pub(crate) struct Waiter {
    /// What it waits for.
    socket: Arc<ConnectedUdpSocket>,
    poll: Poll,
    events: Events,
    source: UdpSocket,
}

impl Waiter {
    /// Makes a waiter, and what wakes it before the socket is ready.
    pub(crate) fn new(
        socket: Arc<ConnectedUdpSocket>,
        interest: Interest,
    ) -> io::Result<(Self, Waker)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let mut source = UdpSocket::from_std(socket.io().try_clone()?);
        poll.registry().register(&mut source, SOCKET, interest)?;
        let waiter = Self {
            socket,
            poll,
            events: Events::with_capacity(2),
            source,
        };
        Ok((waiter, waker))
    }

    /// Tells whether it waits for a socket that the client no longer has.
    pub(crate) fn is_stale(&self) -> bool {
        self.socket.is_replaced()
    }

    /// Waits until the socket became ready since it last would have blocked, for at most `timeout`.
    /// May return early.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            result => result,
        }
    }

    /// Runs `pump` so that mio sees when the socket would block.
    pub(crate) fn watch<O: Outcome, E>(&self, pump: impl FnOnce() -> Result<O, E>) -> Result<O, E> {
        within(|io| self.source.try_io(io), pump)
    }
}
