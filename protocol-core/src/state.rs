//! The client as a pure state machine.

use core::net::SocketAddr;

use bytes::Bytes;

use crate::{
    ClientConfig, DatagramProtocol, DatagramProtocolParseError, Incoming, Outgoing, ReceiverState,
    SendPacketError, SenderState, Stats, Transmit,
};

/// A typed UDP conversation with one peer, without any I/O.
///
/// Application side: [`send_packet`](Self::send_packet), [`poll_packet`](Self::poll_packet),
/// [`close`](Self::close), [`is_closing`](Self::is_closing), [`is_closed`](Self::is_closed).
///
/// Network side: [`poll_transmit`](Self::poll_transmit),
/// [`handle_datagram`](Self::handle_datagram), [`handle_datagrams`](Self::handle_datagrams).
///
/// Any order of calls is legal, and the same calls give the same results: there is no clock, no
/// randomness and nothing to drain before the next call. Nothing that arrives makes a method panic,
/// but for a protocol that panics itself; then the panic passes through and the state stays usable.
///
/// # Examples
///
/// A complete loop over a blocking socket:
///
/// ```
/// use std::net::UdpSocket;
///
/// use bytes::Bytes;
/// use datagram_protocol_core::{DatagramClientState, Line};
///
/// # let peer = UdpSocket::bind("127.0.0.1:0")?;
/// # let peer_address = peer.local_addr()?;
/// let socket = UdpSocket::bind("127.0.0.1:0")?;
/// let mut client = DatagramClientState::new(Line::new(), peer_address);
///
/// client.send_packet("hello")?;
/// while let Some(transmit) = client.poll_transmit(1) {
///     socket.send_to(transmit.contents(), transmit.destination())?;
///     transmit.sent();
/// }
/// # let mut buffer = [0; 100];
/// # let (len, source) = peer.recv_from(&mut buffer)?;
/// # peer.send_to(&buffer[..len], source)?;
///
/// let mut buffer = [0; 65_535];
/// let answer = loop {
///     if let Some(packet) = client.poll_packet() {
///         break packet?;
///     }
///     let (len, source) = socket.recv_from(&mut buffer)?;
///     client.handle_datagram(source, Bytes::copy_from_slice(&buffer[..len]));
/// };
/// assert_eq!(answer, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct DatagramClientState<P> {
    sender: SenderState<P>,
    incoming: Incoming,
}

impl<P: DatagramProtocol> DatagramClientState<P> {
    /// Starts a conversation with `remote_address`, with the default limits.
    #[must_use]
    pub fn new(protocol: P, remote_address: SocketAddr) -> Self {
        Self::with_config(protocol, remote_address, ClientConfig::new())
    }

    /// Starts a conversation with `remote_address`, with the limits of `config`.
    #[must_use]
    pub fn with_config(protocol: P, remote_address: SocketAddr, config: ClientConfig) -> Self {
        Self {
            sender: SenderState::new(protocol, remote_address, &config),
            incoming: Incoming::new(remote_address, &config),
        }
    }

    /// Queues `packet`, encoded, as one datagram to the remote address.
    ///
    /// Sends nothing by itself: call [`poll_transmit`](Self::poll_transmit) next.
    ///
    /// # Errors
    ///
    /// The queue is as it was before the call. [`QueueFull`](SendPacketError::QueueFull) passes
    /// once transmits are taken; [`Closed`](SendPacketError::Closed) and
    /// [`TooLarge`](SendPacketError::TooLarge) never do. After
    /// [`Serialize`](SendPacketError::Serialize) the queue is empty if the protocol destroyed it,
    /// which [`dropped`](Stats::dropped) counts.
    ///
    /// # Panics
    ///
    /// If the protocol does. The queue is then as it was, too.
    #[inline]
    pub fn send_packet(&mut self, packet: &P::Sent) -> Result<(), SendPacketError> {
        self.sender.send_packet(packet)
    }

    /// Takes the next datagram that has arrived and parses it; `None` means none is waiting.
    ///
    /// # Errors
    ///
    /// [`DatagramProtocolParseError`] if that datagram is no packet. It is off the queue; the next
    /// call gets the next datagram.
    ///
    /// # Panics
    ///
    /// If the protocol does. That datagram is then off the queue, too.
    #[must_use = "the packet is off the queue"]
    #[inline]
    pub fn poll_packet(&mut self) -> Option<Result<P::Received, DatagramProtocolParseError>> {
        self.incoming.poll_packet(self.sender.protocol())
    }

    /// Takes in one datagram from `source` and parses it at once: [`handle_datagram`] and
    /// [`poll_packet`] in one, for a datagram that lies in a buffer of the caller's. `None` if it was
    /// ignored or dropped.
    ///
    /// If something is queued already, the datagram is queued behind it, copied, and what is returned
    /// is the first of the queue.
    ///
    /// # Errors
    ///
    /// As for [`poll_packet`], with a copy of the datagram.
    ///
    /// # Panics
    ///
    /// If the protocol does.
    ///
    /// [`handle_datagram`]: Self::handle_datagram
    /// [`poll_packet`]: Self::poll_packet
    #[inline]
    pub fn receive(
        &mut self,
        source: SocketAddr,
        datagram: &[u8],
    ) -> Option<Result<P::Received, DatagramProtocolParseError>> {
        self.incoming
            .receive(self.sender.protocol(), source, datagram)
    }

    /// Changes the peer, say after its name was resolved again.
    ///
    /// What is queued to be sent leaves for the new address, and what was received from the old one
    /// stays queued. Which datagram is too large may change with the family of IP, for packets
    /// queued from now on.
    pub fn set_remote_address(&mut self, remote_address: SocketAddr) {
        self.sender.set_remote_address(remote_address);
        self.incoming.set_remote_address(remote_address);
    }

    /// Ends sending: from now on [`send_packet`](Self::send_packet) fails. What is queued still
    /// comes out of [`poll_transmit`](Self::poll_transmit), and what arrives is still received.
    /// Calling it again changes nothing.
    pub const fn close(&mut self) {
        self.sender.close();
    }

    /// Takes in one datagram; an empty one is a datagram like any other.
    ///
    /// It is parsed when [`poll_packet`](Self::poll_packet) gets to it. One from another source than
    /// the remote address is ignored, one that the queue has no room for is dropped; both are
    /// counted in [`stats`](Self::stats). The bytes are not copied.
    pub fn handle_datagram(&mut self, source: SocketAddr, datagram: impl Into<Bytes>) {
        self.incoming.handle_datagram(source, datagram);
    }

    /// Takes in several datagrams of one length, lying end to end, as Linux's `UDP_GRO` (udp(7))
    /// delivers them.
    ///
    /// `stride` is the number of bytes from one datagram's start to the next; the last may be
    /// shorter. A stride of 0, or one not below the length of `contents`, means one datagram, also
    /// when that is empty. Otherwise as [`handle_datagram`](Self::handle_datagram).
    pub fn handle_datagrams(&mut self, source: SocketAddr, contents: Bytes, stride: usize) {
        self.incoming.handle_datagrams(source, contents, stride);
    }

    /// Returns the next send operation: the datagrams at the front of the queue that can leave
    /// together, at most `max_segments` of them (0 counts as 1). `None` means nothing is queued.
    ///
    /// Senders without segmentation offload pass 1. Send it, then call [`Transmit::sent`];
    /// otherwise it stays queued.
    #[must_use = "what is queued is sent by nobody else"]
    #[inline]
    pub fn poll_transmit(&mut self, max_segments: usize) -> Option<Transmit<'_>> {
        self.sender.poll_transmit(max_segments)
    }

    /// Splits the client into its two directions, which then are independent of each other. Closing
    /// concerns the sender.
    #[must_use]
    pub fn split(self) -> (SenderState<P>, ReceiverState<P>)
    where
        P: Clone,
    {
        let protocol = self.sender.protocol().clone();
        (
            self.sender,
            ReceiverState::from_parts(protocol, self.incoming),
        )
    }

    /// Returns the outgoing queue, for a pump that serves clients of any protocol.
    pub const fn outgoing_mut(&mut self) -> &mut Outgoing {
        self.sender.outgoing_mut()
    }

    /// Returns the incoming queue, for a pump that serves clients of any protocol.
    pub const fn incoming_mut(&mut self) -> &mut Incoming {
        &mut self.incoming
    }

    /// Returns the address of the peer.
    #[must_use]
    pub const fn remote_address(&self) -> SocketAddr {
        self.sender.remote_address()
    }

    /// Tells whether [`close`](Self::close) was called.
    #[must_use]
    pub const fn is_closing(&self) -> bool {
        self.sender.is_closing()
    }

    /// Tells whether [`close`](Self::close) was called and nothing is left to send.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Returns what this client has seen so far.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.sender.stats().merged_with(self.incoming.stats())
    }
}
