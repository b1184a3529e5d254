//! One attempt to send or receive packets that never waits: all of a driver but the waiting.

use std::io;

use datagram_protocol_core::{DatagramProtocol, Outgoing, SendPacketError};

use crate::{SendError, SendPacketsError};

/// How far the pump got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "after `WouldBlock`, wait for the socket to become ready"]
#[expect(
    clippy::exhaustive_enums,
    reason = "either it would block or it would not"
)]
pub enum Progress {
    /// Everything was sent, or something was received.
    Done,
    /// The socket would block.
    WouldBlock,
}

/// What came of an attempt to receive a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a packet in it would be lost"]
#[expect(
    clippy::exhaustive_enums,
    reason = "a driver has to handle each of them"
)]
pub enum Attempt<T> {
    /// The packet.
    Ready(T),
    /// Nothing has arrived: wait for the socket to become readable.
    WouldBlock,
    /// What arrived was ignored or dropped: see to deadlines and fairness, then try again.
    Again,
}

/// What came of something that may find that the socket would block.
pub trait Outcome {
    /// What it is if the socket would block.
    const WOULD_BLOCK: Self;

    /// Tells whether the socket would block.
    fn would_block(&self) -> bool;
}

impl Outcome for Progress {
    const WOULD_BLOCK: Self = Self::WouldBlock;

    #[inline]
    fn would_block(&self) -> bool {
        *self == Self::WouldBlock
    }
}

impl<T> Outcome for Attempt<T> {
    const WOULD_BLOCK: Self = Self::WouldBlock;

    #[inline]
    fn would_block(&self) -> bool {
        matches!(self, Self::WouldBlock)
    }
}

/// Runs `pump` inside an event loop's `try_io`, which has to see when the socket would block.
///
/// If `try_io` does not run it, because the loop has not yet heard of the socket being ready, `pump`
/// runs all the same: trying is cheaper than waiting.
///
/// # Errors
///
/// What `pump` says.
///
/// # Examples
///
/// ```no_run
/// # use datagram_udp_socket::{ConnectedUdpSocket, Progress, within};
/// # fn fill(
/// #     source: &mio::net::UdpSocket,
/// #     socket: &ConnectedUdpSocket,
/// #     incoming: &mut datagram_protocol_core::Incoming,
/// # ) -> Result<(), datagram_udp_socket::RecvError> {
/// let progress = within(|io| source.try_io(io), || socket.fill(incoming))?;
/// # Ok(())
/// # }
/// ```
#[inline]
pub fn within<O: Outcome, E>(
    try_io: impl FnOnce(&mut dyn FnMut() -> io::Result<()>) -> io::Result<()>,
    pump: impl FnOnce() -> Result<O, E>,
) -> Result<O, E> {
    let mut pump = Some(pump);
    let mut outcome = None;
    let _would_block = try_io(&mut || {
        if let Some(pump) = pump.take() {
            outcome = Some(pump());
        }
        match &outcome {
            Some(Ok(outcome)) if outcome.would_block() => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(()),
        }
    });
    match (outcome, pump) {
        (Some(outcome), _) => outcome,
        (None, Some(pump)) => pump(),
        (None, None) => Ok(O::WOULD_BLOCK),
    }
}

/// Encodes `packets` with `protocol` and sends them through `flush`, each run as soon as it is full and
/// the rest at the end. Returns how many were sent; fewer than there are means that the socket would
/// block.
///
/// What is not sent is taken off the queue again, uncounted, before this returns or unwinds: each
/// packet is either sent or not, and none is sent by a later call. `flush` is
/// [`ConnectedUdpSocket::flush_part`](crate::ConnectedUdpSocket::flush_part), wrapped in whatever
/// keeps the driver's readiness right.
///
/// # Errors
///
/// The error of the first packet that failed, with the number of those sent before it; or what
/// `flush` says.
pub fn try_send_packets<'p, P: DatagramProtocol>(
    protocol: &P,
    outgoing: &mut Outgoing,
    packets: impl IntoIterator<Item = &'p P::Sent>,
    mut flush: impl FnMut(&mut Outgoing, bool) -> Result<Progress, SendPacketsError>,
) -> Result<usize, SendPacketsError>
where
    P::Sent: 'p,
{
    let lot = Lot(outgoing);
    let mut sent = 0;
    let mut flush_lot = |outgoing: &mut Outgoing, more: bool, sent: &mut usize| {
        let queued = outgoing.len();
        let flushed = flush(outgoing, more);
        match &flushed {
            Ok(_) => *sent += queued - outgoing.len(),
            Err(error) => *sent += error.sent,
        }
        flushed.map_err(|error| SendPacketsError::new(*sent, error.error))
    };
    for packet in packets {
        // With more behind it the run would get no longer, but the buffer would.
        if lot.0.has_full_run() && flush_lot(lot.0, true, &mut sent)? == Progress::WouldBlock {
            return Ok(sent);
        }
        let mut queued = lot.0.send_packet(protocol, packet);
        if queued.is_err() && !lot.0.is_empty() {
            // Those in front go first, and make room.
            if flush_lot(lot.0, false, &mut sent)? == Progress::WouldBlock {
                return Ok(sent);
            }
            if matches!(queued, Err(SendPacketError::QueueFull)) {
                queued = lot.0.send_packet(protocol, packet);
            }
        }
        queued.map_err(|error| SendPacketsError::new(sent, SendError::from(error)))?;
    }
    if !lot.0.is_empty() {
        let _progress = flush_lot(lot.0, false, &mut sent)?;
    }
    Ok(sent)
}

/// Packets that are queued only for as long as somebody tries to send them.
struct Lot<'a>(&'a mut Outgoing);

impl Drop for Lot<'_> {
    fn drop(&mut self) {
        self.0.take_back(self.0.len());
    }
}
