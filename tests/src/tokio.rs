//! The async client under the suite: each call blocks on a future, on whatever thread it is made.

use std::{
    future::Future,
    io, iter,
    net::{SocketAddr, UdpSocket},
    sync::LazyLock,
    time::Duration,
};

use datagram_driver_tokio::AsyncUdpNetworkClient;
use datagram_protocol_core::Stats;
use datagram_udp_socket::{
    ConnectOptions, RecvError, RemoteAddress, SendError, SendPacketsError, SocketProxy,
};
use futures_util::StreamExt;
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

use crate::{Client, Driver, Protocol};

/// `datagram-driver-tokio`, on a multi-threaded runtime that all clients share.
#[derive(Debug)]
#[non_exhaustive]
pub struct TokioDriver;

impl Driver for TokioDriver {
    type Client<P: Protocol> = AsyncUdpNetworkClient<P>;
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("the system has threads")
});

fn wait<R>(future: impl Future<Output = R>) -> R {
    RUNTIME.block_on(future)
}

// Inherent methods win over those of the trait, so each of these calls the client's own.
impl<P: Protocol> Client<P> for AsyncUdpNetworkClient<P> {
    fn connect_with(
        address: impl Into<RemoteAddress>,
        protocol: P,
        options: &ConnectOptions,
    ) -> io::Result<Self> {
        wait(Self::connect_with(address, protocol, options))
    }

    fn from_socket_with(
        socket: UdpSocket,
        protocol: P,
        options: &ConnectOptions,
    ) -> io::Result<Self> {
        let client = Self::from_socket_with(socket, protocol, options)?;
        wait(client.wait_connected())?;
        Ok(client)
    }

    fn send_packet(&self, packet: &P::Sent) -> Result<(), SendError> {
        wait(self.send_packet(packet))
    }

    fn send_packet_timeout(&self, packet: &P::Sent, limit: Duration) -> Result<(), SendError> {
        wait(async { timeout(limit, self.send_packet(packet)).await })
            .unwrap_or(Err(SendError::TimedOut))
    }

    fn send_packets<'p>(
        &self,
        packets: impl IntoIterator<Item = &'p P::Sent>,
    ) -> Result<usize, SendPacketsError>
    where
        P::Sent: 'p,
    {
        wait(self.send_packets(packets))
    }

    fn recv_packet(&self) -> Result<P::Received, RecvError> {
        wait(self.recv_packet())
    }

    fn recv_packet_timeout(&self, limit: Duration) -> Result<P::Received, RecvError> {
        wait(async { timeout(limit, self.recv_packet()).await }).unwrap_or(Err(RecvError::TimedOut))
    }

    fn iter_received_packets(
        &self,
        limit: impl Into<Option<Duration>>,
    ) -> impl Iterator<Item = Result<P::Received, RecvError>> {
        let mut packets = self.iter_received_packets(limit);
        iter::from_fn(move || wait(packets.next()))
    }

    fn rebind(&self) -> io::Result<()> {
        wait(self.rebind())
    }

    fn re_resolve(&self) -> io::Result<bool> {
        wait(self.re_resolve())
    }

    fn close(&self) {
        wait(self.close());
    }

    fn is_closed(&self) -> bool {
        self.is_closing()
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.local_address()
    }

    fn remote_address(&self) -> io::Result<SocketAddr> {
        self.remote_address()
    }

    fn with_socket<R>(&self, call: impl FnOnce(SocketProxy<'_>) -> io::Result<R>) -> io::Result<R> {
        call(self.socket()?)
    }

    fn stats(&self) -> Stats {
        self.stats()
    }
}
