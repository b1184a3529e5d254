//! The two directions of a client, for drivers that run them under different locks or threads.

use core::net::SocketAddr;

use bytes::Bytes;

use crate::{
    ClientConfig, DatagramProtocol, DatagramProtocolParseError, Incoming, Outgoing,
    SendPacketError, Stats, Transmit,
};

/// The sending half of a [`DatagramClientState`](crate::DatagramClientState); the methods are the
/// same.
#[derive(Debug)]
pub struct SenderState<P> {
    protocol: P,
    outgoing: Outgoing,
}

impl<P> SenderState<P> {
    pub(crate) fn new(protocol: P, remote_address: SocketAddr, config: &ClientConfig) -> Self {
        Self {
            protocol,
            outgoing: Outgoing::new(remote_address, config),
        }
    }

    pub(crate) const fn protocol(&self) -> &P {
        &self.protocol
    }

    /// See
    /// [`DatagramClientState::set_remote_address`](crate::DatagramClientState::set_remote_address).
    pub fn set_remote_address(&mut self, remote_address: SocketAddr) {
        self.outgoing.set_destination(remote_address);
    }

    /// See [`DatagramClientState::close`](crate::DatagramClientState::close).
    pub const fn close(&mut self) {
        self.outgoing.close();
    }

    /// See [`DatagramClientState::is_closing`](crate::DatagramClientState::is_closing).
    #[must_use]
    pub const fn is_closing(&self) -> bool {
        self.outgoing.is_closing()
    }

    /// See [`DatagramClientState::is_closed`](crate::DatagramClientState::is_closed).
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.outgoing.is_closing() && self.outgoing.is_empty()
    }

    /// See [`DatagramClientState::poll_transmit`](crate::DatagramClientState::poll_transmit).
    #[must_use = "what is queued is sent by nobody else"]
    pub fn poll_transmit(&mut self, max_segments: usize) -> Option<Transmit<'_>> {
        self.outgoing.poll_transmit(max_segments)
    }

    /// See [`DatagramClientState::outgoing_mut`](crate::DatagramClientState::outgoing_mut).
    pub const fn outgoing_mut(&mut self) -> &mut Outgoing {
        &mut self.outgoing
    }

    /// Returns the address that every datagram goes to.
    #[must_use]
    pub const fn remote_address(&self) -> SocketAddr {
        self.outgoing.destination()
    }

    /// Returns the counters of this half; those of what came in are zero.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.outgoing.stats()
    }
}

impl<P: DatagramProtocol> SenderState<P> {
    /// See [`DatagramClientState::send_packet`](crate::DatagramClientState::send_packet).
    ///
    /// # Errors
    ///
    /// The same.
    #[inline]
    pub fn send_packet(&mut self, packet: &P::Sent) -> Result<(), SendPacketError> {
        self.outgoing.send_packet(&self.protocol, packet)
    }
}

/// The receiving half of a [`DatagramClientState`](crate::DatagramClientState); the methods are the
/// same.
#[derive(Debug)]
pub struct ReceiverState<P> {
    protocol: P,
    incoming: Incoming,
}

impl<P> ReceiverState<P> {
    pub(crate) const fn from_parts(protocol: P, incoming: Incoming) -> Self {
        Self { protocol, incoming }
    }

    /// See [`DatagramClientState::handle_datagram`](crate::DatagramClientState::handle_datagram).
    pub fn handle_datagram(&mut self, source: SocketAddr, datagram: impl Into<Bytes>) {
        self.incoming.handle_datagram(source, datagram);
    }

    /// See [`DatagramClientState::handle_datagrams`](crate::DatagramClientState::handle_datagrams).
    pub fn handle_datagrams(&mut self, source: SocketAddr, contents: Bytes, stride: usize) {
        self.incoming.handle_datagrams(source, contents, stride);
    }

    /// See [`DatagramClientState::incoming_mut`](crate::DatagramClientState::incoming_mut).
    pub const fn incoming_mut(&mut self) -> &mut Incoming {
        &mut self.incoming
    }

    /// See
    /// [`DatagramClientState::set_remote_address`](crate::DatagramClientState::set_remote_address).
    pub const fn set_remote_address(&mut self, remote_address: SocketAddr) {
        self.incoming.set_remote_address(remote_address);
    }

    /// Returns the only address from which datagrams are taken.
    #[must_use]
    pub const fn remote_address(&self) -> SocketAddr {
        self.incoming.remote_address()
    }

    /// Returns the counters of this half; those of what went out are zero.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.incoming.stats()
    }
}

impl<P: DatagramProtocol> ReceiverState<P> {
    /// See [`DatagramClientState::receive`](crate::DatagramClientState::receive).
    ///
    /// # Errors
    ///
    /// The same.
    #[inline]
    pub fn receive(
        &mut self,
        source: SocketAddr,
        datagram: &[u8],
    ) -> Option<Result<P::Received, DatagramProtocolParseError>> {
        self.incoming.receive(&self.protocol, source, datagram)
    }

    /// See [`DatagramClientState::poll_packet`](crate::DatagramClientState::poll_packet).
    #[must_use = "the packet is off the queue"]
    #[inline]
    pub fn poll_packet(&mut self) -> Option<Result<P::Received, DatagramProtocolParseError>> {
        self.incoming.poll_packet(&self.protocol)
    }
}
