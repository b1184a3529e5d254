//! The blocking client under the suite. It already is what the suite wants.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use datagram_driver_mio::UdpNetworkClient;
use datagram_protocol_core::{ClientClosedError, Stats};
use datagram_udp_socket::{
    ConnectOptions, RecvError, RemoteAddress, SendError, SendPacketsError, SocketProxy,
    closed_error,
};

use crate::{Client, Driver, Protocol};

/// `datagram-driver-mio`.
#[derive(Debug)]
#[non_exhaustive]
pub struct MioDriver;

impl Driver for MioDriver {
    type Client<P: Protocol> = UdpNetworkClient<P>;
}

// Inherent methods win over those of the trait, so each of these calls the client's own.
impl<P: Protocol> Client<P> for UdpNetworkClient<P> {
    fn connect_with(
        address: impl Into<RemoteAddress>,
        protocol: P,
        options: &ConnectOptions,
    ) -> io::Result<Self> {
        Self::connect_with(address, protocol, options)
    }

    fn connect(address: impl Into<RemoteAddress>, protocol: P) -> io::Result<Self> {
        Self::connect(address, protocol)
    }

    fn from_socket_with(
        socket: UdpSocket,
        protocol: P,
        options: &ConnectOptions,
    ) -> io::Result<Self> {
        Self::from_socket_with(socket, protocol, options)
    }

    fn from_socket(socket: UdpSocket, protocol: P) -> io::Result<Self> {
        Self::from_socket(socket, protocol)
    }

    fn send_packet(&self, packet: &P::Sent) -> Result<(), SendError> {
        self.send_packet(packet)
    }

    fn send_packet_timeout(&self, packet: &P::Sent, timeout: Duration) -> Result<(), SendError> {
        self.send_packet_timeout(packet, timeout)
    }

    fn send_packets<'p>(
        &self,
        packets: impl IntoIterator<Item = &'p P::Sent>,
    ) -> Result<usize, SendPacketsError>
    where
        P::Sent: 'p,
    {
        self.send_packets(packets)
    }

    fn recv_packet(&self) -> Result<P::Received, RecvError> {
        self.recv_packet()
    }

    fn recv_packet_timeout(&self, timeout: Duration) -> Result<P::Received, RecvError> {
        self.recv_packet_timeout(timeout)
    }

    fn iter_received_packets(
        &self,
        timeout: impl Into<Option<Duration>>,
    ) -> impl Iterator<Item = Result<P::Received, RecvError>> {
        self.iter_received_packets(timeout)
    }

    fn rebind(&self) -> io::Result<()> {
        self.rebind()
    }

    fn re_resolve(&self) -> io::Result<bool> {
        self.re_resolve()
    }

    fn close(&self) {
        self.close();
    }

    fn is_closed(&self) -> bool {
        self.is_closed()
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.local_address()
    }

    fn remote_address(&self) -> io::Result<SocketAddr> {
        self.remote_address()
    }

    fn with_socket<R>(&self, call: impl FnOnce(SocketProxy<'_>) -> io::Result<R>) -> io::Result<R> {
        let socket = self
            .socket()
            .map_err(|ClientClosedError { .. }| closed_error())?;
        call(socket)
    }

    fn stats(&self) -> Stats {
        self.stats()
    }
}
