//! The async client under the suite, over each kind of runtime: each call blocks on a future, on
//! whatever thread it is made.

use std::{
    fmt, io, iter,
    marker::PhantomData,
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

/// `datagram-driver-tokio`, on a current-thread runtime that all clients share: one of the threads
/// that call drives the sockets and timers of all.
#[derive(Debug)]
#[non_exhaustive]
pub struct CurrentThreadTokioDriver;

impl Driver for TokioDriver {
    type Client<P: Protocol> = BlockingClient<P, Self>;
}

impl Driver for CurrentThreadTokioDriver {
    type Client<P: Protocol> = BlockingClient<P, Self>;
}

/// Where the clients of a driver live.
pub trait HasRuntime: Send + Sync + 'static {
    /// Returns the runtime that they share.
    fn runtime() -> &'static Runtime;
}

impl HasRuntime for TokioDriver {
    fn runtime() -> &'static Runtime {
        static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
            Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("the system has threads")
        });
        &RUNTIME
    }
}

impl HasRuntime for CurrentThreadTokioDriver {
    fn runtime() -> &'static Runtime {
        static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
            Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("the system has descriptors")
        });
        &RUNTIME
    }
}

/// An async client whose calls block, on the runtime of the driver `D`.
pub struct BlockingClient<P: Protocol, D>(AsyncUdpNetworkClient<P>, PhantomData<D>);

impl<P: Protocol, D> BlockingClient<P, D> {
    const fn new(client: AsyncUdpNetworkClient<P>) -> Self {
        Self(client, PhantomData)
    }
}

impl<P: Protocol, D> Clone for BlockingClient<P, D> {
    fn clone(&self) -> Self {
        Self::new(self.0.clone())
    }
}

impl<P: Protocol, D> fmt::Debug for BlockingClient<P, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<P: Protocol, D: HasRuntime> Client<P> for BlockingClient<P, D> {
    fn connect_with(
        address: impl Into<RemoteAddress>,
        protocol: P,
        options: &ConnectOptions,
    ) -> io::Result<Self> {
        let connecting = AsyncUdpNetworkClient::connect_with(address, protocol, options);
        D::runtime().block_on(connecting).map(Self::new)
    }

    fn from_socket_with(
        socket: UdpSocket,
        protocol: P,
        options: &ConnectOptions,
    ) -> io::Result<Self> {
        let client = AsyncUdpNetworkClient::from_socket_with(socket, protocol, options)?;
        D::runtime().block_on(client.wait_connected())?;
        Ok(Self::new(client))
    }

    fn send_packet(&self, packet: &P::Sent) -> Result<(), SendError> {
        D::runtime().block_on(self.0.send_packet(packet))
    }

    fn send_packet_timeout(&self, packet: &P::Sent, limit: Duration) -> Result<(), SendError> {
        D::runtime()
            .block_on(async { timeout(limit, self.0.send_packet(packet)).await })
            .unwrap_or(Err(SendError::TimedOut))
    }

    fn send_packets<'p>(
        &self,
        packets: impl IntoIterator<Item = &'p P::Sent>,
    ) -> Result<usize, SendPacketsError>
    where
        P::Sent: 'p,
    {
        D::runtime().block_on(self.0.send_packets(packets))
    }

    fn recv_packet(&self) -> Result<P::Received, RecvError> {
        D::runtime().block_on(self.0.recv_packet())
    }

    fn recv_packet_timeout(&self, limit: Duration) -> Result<P::Received, RecvError> {
        D::runtime()
            .block_on(async { timeout(limit, self.0.recv_packet()).await })
            .unwrap_or(Err(RecvError::TimedOut))
    }

    fn iter_received_packets(
        &self,
        limit: impl Into<Option<Duration>>,
    ) -> impl Iterator<Item = Result<P::Received, RecvError>> {
        let mut packets = self.0.iter_received_packets(limit);
        iter::from_fn(move || D::runtime().block_on(packets.next()))
    }

    fn rebind(&self) -> io::Result<()> {
        D::runtime().block_on(self.0.rebind())
    }

    fn re_resolve(&self) -> io::Result<bool> {
        D::runtime().block_on(self.0.re_resolve())
    }

    fn close(&self) {
        D::runtime().block_on(self.0.close());
    }

    fn is_closed(&self) -> bool {
        self.0.is_closing()
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.0.local_address()
    }

    fn remote_address(&self) -> io::Result<SocketAddr> {
        self.0.remote_address()
    }

    fn with_socket<R>(&self, call: impl FnOnce(SocketProxy<'_>) -> io::Result<R>) -> io::Result<R> {
        call(self.0.socket()?)
    }

    fn stats(&self) -> Stats {
        self.0.stats()
    }
}
