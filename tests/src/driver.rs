//! One face for every driver: the contract's names, each call blocking until it is done.

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    time::Duration,
};

use datagram_protocol_core::{DatagramProtocol, Stats};
use datagram_udp_socket::{
    ConnectOptions, RecvError, RemoteAddress, SendError, SendPacketsError, SocketProxy,
};

use crate::{DEADLINE, Peer};

/// A protocol that threads and tasks can share.
pub trait Protocol: DatagramProtocol<Received: Send + 'static> + Send + Sync + 'static {}
impl<P: DatagramProtocol<Received: Send + 'static> + Send + Sync + 'static> Protocol for P {}

/// A driver, as the suite sees it.
pub trait Driver: 'static {
    /// Its client.
    type Client<P: Protocol>: Client<P>;
}

/// A client, as the suite sees it: the methods of the contract, blocking. An async client blocks on
/// each of its futures.
pub trait Client<P: Protocol>: Clone + Send + Sync + 'static {
    /// Connects, and waits until that is done.
    fn connect_with(
        address: impl Into<RemoteAddress>,
        protocol: P,
        options: &ConnectOptions,
    ) -> io::Result<Self>;

    /// Connects with the default options.
    fn connect(address: impl Into<RemoteAddress>, protocol: P) -> io::Result<Self> {
        Self::connect_with(address, protocol, &ConnectOptions::new())
    }

    /// Takes a socket over, and waits until that is done.
    fn from_socket_with(
        socket: UdpSocket,
        protocol: P,
        options: &ConnectOptions,
    ) -> io::Result<Self>;

    /// Takes a socket over with the default options.
    fn from_socket(socket: UdpSocket, protocol: P) -> io::Result<Self> {
        Self::from_socket_with(socket, protocol, &ConnectOptions::new())
    }

    /// Sends one packet.
    fn send_packet(&self, packet: &P::Sent) -> Result<(), SendError>;

    /// Sends one packet; [`TimedOut`](SendError::TimedOut) if there is no room for it in time.
    fn send_packet_timeout(&self, packet: &P::Sent, timeout: Duration) -> Result<(), SendError>;

    /// Sends many packets. The iterator is read on the calling thread.
    fn send_packets<'p>(
        &self,
        packets: impl IntoIterator<Item = &'p P::Sent>,
    ) -> Result<usize, SendPacketsError>
    where
        P::Sent: 'p;

    /// Receives a packet.
    fn recv_packet(&self) -> Result<P::Received, RecvError>;

    /// Receives a packet; [`TimedOut`](RecvError::TimedOut) if there is none in time. A timeout of
    /// zero takes only what is there.
    fn recv_packet_timeout(&self, timeout: Duration) -> Result<P::Received, RecvError>;

    /// Receives a packet that is known to come.
    #[track_caller]
    fn recv(&self) -> P::Received {
        match self.recv_packet_timeout(DEADLINE) {
            Ok(packet) => packet,
            Err(error) => panic!("no packet, but {error:?}"),
        }
    }

    /// Iterates over received packets.
    fn iter_received_packets(
        &self,
        timeout: impl Into<Option<Duration>>,
    ) -> impl Iterator<Item = Result<P::Received, RecvError>>;

    /// Moves to a new socket.
    fn rebind(&self) -> io::Result<()>;

    /// Resolves the address again.
    fn re_resolve(&self) -> io::Result<bool>;

    /// Closes, and waits until that is done.
    fn close(&self);

    /// Tells whether the client was closed.
    fn is_closed(&self) -> bool;

    /// Returns the local address.
    fn local_address(&self) -> io::Result<SocketAddr>;

    /// Returns the remote address.
    fn remote_address(&self) -> io::Result<SocketAddr>;

    /// Uses the socket options. A client that is closed is an [`io::Error`] around a
    /// [`ClientClosedError`](datagram_protocol_core::ClientClosedError), whatever the driver returns.
    fn with_socket<R>(&self, call: impl FnOnce(SocketProxy<'_>) -> io::Result<R>) -> io::Result<R>;

    /// Returns the counters.
    fn stats(&self) -> Stats;
}

/// Makes a client and its peer, each connected to the other.
#[track_caller]
pub fn connected<D: Driver, P: Protocol>(ip: IpAddr, protocol: P) -> (D::Client<P>, Peer) {
    let peer = Peer::bind(ip);
    let client = D::Client::connect(peer.address(), protocol).expect("loopback can be reached");
    peer.connect(client.local_address().expect("it is open"));
    (client, peer)
}

/// Makes two clients that are each other's peers, the second with `options`.
#[track_caller]
pub fn pair<D: Driver, P: Protocol + Clone>(
    ip: IpAddr,
    protocol: P,
    first: &ConnectOptions,
    second: &ConnectOptions,
) -> (D::Client<P>, D::Client<P>) {
    let peer = Peer::bind(ip);
    let one = D::Client::connect_with(peer.address(), protocol.clone(), first)
        .expect("loopback can be reached");
    peer.connect(one.local_address().expect("it is open"));
    let other = D::Client::from_socket_with(peer.into_socket(), protocol, second)
        .expect("it is a connected UDP socket");
    (one, other)
}

/// Waits until the client's socket has something to receive, without receiving it.
#[track_caller]
pub fn wait_until_readable<P: Protocol>(client: &impl Client<P>) {
    #[cfg(unix)]
    client
        .with_socket(|socket| {
            crate::wait_until_ready(
                std::os::fd::AsFd::as_fd(&socket),
                nix::poll::PollFlags::POLLIN,
            );
            Ok(())
        })
        .expect("it is open");
    #[cfg(not(unix))]
    {
        let _cannot_be_asked = client;
        std::thread::sleep(Duration::from_millis(100));
    }
}
