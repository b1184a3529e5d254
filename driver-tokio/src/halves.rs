//! The two halves of a connected client, and one attempt on either that never waits.

use std::{cell::Cell, io, sync::Arc};

use datagram_protocol_core::{
    ClientClosedError, ClientConfig, DatagramProtocol, Incoming, Outgoing, Stats,
};
use datagram_udp_socket::{
    Addresses, Attempt, Closable, Closed, LeftBehind, RecvError, Seat, SendPacketsError,
    closed_error, replace_socket, try_send_packets, within,
};
use parking_lot::Mutex;
use tokio::{io::Interest, net::UdpSocket};

use crate::link::{Link, Obstacle, READING, Socket};

/// The queues of the state machine with their socket, each under a lock that is held for an attempt
/// and never across an await.
#[derive(Debug)]
pub(crate) struct Halves {
    /// Held while the socket is replaced.
    replacing: Mutex<()>,
    /// Held only to copy them.
    addresses: Mutex<Addresses>,
    sending: Closable<Seat<Outgoing, UdpSocket>>,
    receiving: Closable<Seat<Incoming, UdpSocket>>,
}

impl Halves {
    pub(crate) fn new(config: &ClientConfig, socket: Arc<Socket>) -> Self {
        let peer = socket.remote_address();
        Self {
            replacing: Mutex::new(()),
            addresses: Mutex::new(socket.addresses()),
            sending: Closable::new(Seat::new(Outgoing::new(peer, config), Arc::clone(&socket))),
            receiving: Closable::new(Seat::new(Incoming::new(peer, config), socket)),
        }
    }

    /// Receives a packet, if one is there.
    #[inline]
    pub(crate) fn try_recv<P: DatagramProtocol>(
        &self,
        protocol: &P,
        link: &Link,
    ) -> Result<P::Received, Unready> {
        let mut seat = self.receiving.enter(&link.closed);
        let (incoming, socket) = seat.open(&link.closed)?;
        // What came with an earlier datagram.
        if let Some(packet) = incoming.poll_packet(protocol) {
            return packet.map_err(|error| Unready::Failed(error.into()));
        }
        receive(protocol, incoming, socket, link)
    }

    /// Sends those of `packets` that the socket takes, and counts them in `sent`. What it does not
    /// take is left to the next attempt, unencoded.
    pub(crate) fn try_send<'p, P: DatagramProtocol>(
        &self,
        protocol: &P,
        closed: &Closed,
        packets: impl ExactSizeIterator<Item = &'p P::Sent>,
        sent: &mut usize,
    ) -> Result<Result<(), Obstacle>, SendPacketsError>
    where
        P::Sent: 'p,
    {
        let all = packets.len();
        let mut seat = self.sending.enter(closed);
        let (outgoing, socket) = seat
            .open(closed)
            .map_err(|closed| SendPacketsError::new(0, closed.into()))?;
        let attempt = try_send_packets(protocol, outgoing, packets, |outgoing, more| {
            within(
                |io| socket.io().try_io(Interest::WRITABLE, io),
                || socket.flush_part(outgoing, more),
            )
        })?;
        *sent += attempt;
        if attempt == all {
            return Ok(Ok(()));
        }
        Ok(Err(Obstacle::NotReady(
            Arc::clone(socket),
            Interest::WRITABLE,
            None,
        )))
    }

    /// Puts what `connect` makes of the old socket in its place. Whoever waits has to be woken then.
    pub(crate) fn replace(
        &self,
        closed: &Closed,
        connect: impl FnOnce(&Socket) -> io::Result<Socket>,
    ) -> io::Result<()> {
        let _replacing = self.replacing.lock();
        let gone = |ClientClosedError { .. }| closed_error();
        let old = self.with_socket(closed, Arc::clone).map_err(gone)?;
        let socket = connect(&old)?;
        let addresses = socket.addresses();
        replace_socket(closed, &self.sending, &self.receiving, socket).map_err(gone)?;
        *self.addresses.lock() = addresses;
        Ok(())
    }

    pub(crate) fn addresses(&self) -> Addresses {
        *self.addresses.lock()
    }

    /// Runs `call` with the socket, while nothing is being sent.
    pub(crate) fn with_socket<R>(
        &self,
        closed: &Closed,
        call: impl FnOnce(&Arc<Socket>) -> R,
    ) -> Result<R, ClientClosedError> {
        let mut seat = self.sending.enter(closed);
        let (_, socket) = seat.open(closed)?;
        Ok(call(socket))
    }

    /// Lets the socket go. To be called after closing.
    pub(crate) fn release(&self, closed: &Closed) {
        self.receiving.release();
        // After whoever is inside; entering and leaving lets the socket go.
        drop(self.sending.enter(closed));
    }

    pub(crate) fn stats(&self, closed: &Closed) -> Stats {
        let sent = self.sending.enter(closed).state.stats();
        let received = self.receiving.enter(closed).state.stats();
        sent.merged_with(received)
    }
}

/// Why an attempt to receive brought no packet.
#[derive(Debug)]
pub(crate) enum Unready {
    /// It has to be made again after this.
    Obstacle(Obstacle),
    Failed(RecvError),
}

impl From<RecvError> for Unready {
    fn from(error: RecvError) -> Self {
        Self::Failed(error)
    }
}

impl From<ClientClosedError> for Unready {
    fn from(error: ClientClosedError) -> Self {
        Self::Failed(error.into())
    }
}

/// Receives a packet from the socket.
fn receive<P: DatagramProtocol>(
    protocol: &P,
    incoming: &mut Incoming,
    socket: &Arc<Socket>,
    link: &Link,
) -> Result<P::Received, Unready> {
    let is_ready = Cell::new(false);
    let mut left = LeftBehind::new(incoming, || {
        // Otherwise tokio has told.
        if !is_ready.get() {
            link.leave_behind();
        }
    });
    match within(
        |io| {
            try_read(socket.io(), &mut || {
                is_ready.set(true);
                io()
            })
        },
        || socket.receive(&mut (protocol, left.incoming_mut())),
    )? {
        Attempt::Ready(packet) => Ok(packet),
        Attempt::WouldBlock => Err(Unready::Obstacle(Obstacle::NotReady(
            Arc::clone(socket),
            READING,
            Some(link.left()),
        ))),
        Attempt::Again => Err(Unready::Obstacle(Obstacle::Busy)),
    }
}

/// Runs `io` so that tokio sees when the socket would block: `try_io` for [`READING`], which has to be
/// called for each kind of readiness. One inside the other, so that both are noted before `io` runs
/// and neither takes back what comes later.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn try_read(socket: &UdpSocket, io: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
    let would_block = Cell::new(None);
    let mut once = || {
        let blocked = would_block.get().unwrap_or_else(|| io().is_err());
        would_block.set(Some(blocked));
        if blocked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(())
    };
    let result = socket.try_io(Interest::ERROR, || {
        let _not_readable = socket.try_io(Interest::READABLE, &mut once);
        once()
    });
    match would_block.get() {
        Some(_) => result,
        None => socket.try_io(Interest::READABLE, once),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn try_read(socket: &UdpSocket, io: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
    socket.try_io(READING, io)
}
