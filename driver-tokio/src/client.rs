//! The async client.

use std::{
    fmt, io,
    net::{SocketAddr, UdpSocket},
    slice,
    sync::{Arc, OnceLock},
    time::Duration,
};

use arrayvec::ArrayVec;
use datagram_protocol_core::{ClientClosedError, DatagramProtocol, Stats};
use datagram_udp_socket::{
    ConnectOptions, ConnectedUdpSocket, LockSocket, RecvError, RemoteAddress, SendError,
    SendPacketsError, SocketProxy, closed_error,
};
use tokio::task::{coop::consume_budget, yield_now};

use crate::{
    PacketSink, ReceivedPackets,
    halves::{Halves, Unready},
    link::{Link, Obstacle},
    turn::take_turn,
};

/// Packets that are encoded under one lock. Enough for the largest run that can leave in one system
/// call.
pub(crate) const LOT: usize = 128;

/// How often a datagram is tried when the system is out of buffers, yielding in between.
pub(crate) const BUFFER_TRIES: usize = 3;

/// An async client of one UDP peer, talking in the packets of `P`.
///
/// All methods take `&self`: a client can be shared by reference or cloned (clones are the same
/// client) and used by any number of tasks. One may send, another receive and a third close at the
/// same time. Dropping the last clone, and the last [`ReceivedPackets`] and [`PacketSink`] made of
/// it, closes it.
///
/// The socket belongs to the runtime in which the connection was made. It can be used from another
/// one for as long as the first lives.
///
/// # Examples
///
/// ```
/// use datagram_driver_tokio::AsyncUdpNetworkClient;
/// use datagram_protocol_core::json::Json;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let peer = tokio::net::UdpSocket::bind("127.0.0.1:0").await?;
/// # let address = peer.local_addr()?;
/// # tokio::spawn(async move {
/// #     let mut buffer = [0; 100];
/// #     let (len, source) = peer.recv_from(&mut buffer).await.unwrap();
/// #     peer.send_to(&buffer[..len], source).await.unwrap();
/// # });
/// let client = AsyncUdpNetworkClient::connect(address, Json::<Vec<u32>, Vec<u32>>::new()).await?;
/// client.send_packet(&vec![1, 2, 3]).await?;
/// assert_eq!(client.recv_packet().await?, [1, 2, 3]);
/// client.close().await;
/// # Ok(())
/// # }
/// ```
pub struct AsyncUdpNetworkClient<P: DatagramProtocol> {
    shared: Arc<Shared<P>>,
}

struct Shared<P> {
    protocol: P,
    link: Arc<Link>,
    /// Set once the connection is made.
    halves: OnceLock<Halves>,
}

impl<P: DatagramProtocol> AsyncUdpNetworkClient<P> {
    /// Makes a client of `address` that does nothing yet: the connection is made by
    /// [`wait_connected`](Self::wait_connected), or by the first send or receive.
    #[must_use]
    pub fn new(address: impl Into<RemoteAddress>, protocol: P) -> Self {
        Self::new_with(address, protocol, &ConnectOptions::new())
    }

    /// Makes a client, as [`new`](Self::new) does.
    #[must_use]
    pub fn new_with(
        address: impl Into<RemoteAddress>,
        protocol: P,
        options: &ConnectOptions,
    ) -> Self {
        Self::over(Link::to_address(address.into(), options.clone()), protocol)
    }

    /// Connects to `address` with the default options: [`new`](Self::new) and
    /// [`wait_connected`](Self::wait_connected) in one.
    ///
    /// # Errors
    ///
    /// As for [`wait_connected`](Self::wait_connected).
    ///
    /// # Cancel safety
    ///
    /// Cancelling it leaves nothing behind.
    pub async fn connect(address: impl Into<RemoteAddress>, protocol: P) -> io::Result<Self> {
        Self::connect_with(address, protocol, &ConnectOptions::new()).await
    }

    /// Connects to `address`, as [`connect`](Self::connect) does.
    ///
    /// # Errors
    ///
    /// The same.
    ///
    /// # Cancel safety
    ///
    /// The same.
    pub async fn connect_with(
        address: impl Into<RemoteAddress>,
        protocol: P,
        options: &ConnectOptions,
    ) -> io::Result<Self> {
        let client = Self::new_with(address, protocol, options);
        client.wait_connected().await?;
        Ok(client)
    }

    /// Takes over a socket that is connected already. It needs no runtime yet; the client is
    /// [connected](Self::is_connected) after [`wait_connected`](Self::wait_connected), or the first
    /// send or receive.
    ///
    /// # Errors
    ///
    /// [`NotConnected`](io::ErrorKind::NotConnected) if it has no peer,
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if it is no UDP socket over IPv4 or IPv6. The
    /// socket is then closed.
    pub fn from_socket(socket: UdpSocket, protocol: P) -> io::Result<Self> {
        Self::from_socket_with(socket, protocol, &ConnectOptions::new())
    }

    /// Takes over a socket, as [`from_socket`](Self::from_socket) does. Of the options, those apply
    /// that [`ConnectOptions`] names for this case.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn from_socket_with(
        socket: UdpSocket,
        protocol: P,
        options: &ConnectOptions,
    ) -> io::Result<Self> {
        let socket = ConnectedUdpSocket::adopt(socket, options)?.into_io();
        Ok(Self::over(
            Link::around_socket(socket, options.clone()),
            protocol,
        ))
    }

    fn over(link: Link, protocol: P) -> Self {
        Self {
            shared: Arc::new(Shared {
                protocol,
                link: Arc::new(link),
                halves: OnceLock::new(),
            }),
        }
    }

    /// Makes the connection: resolves the address, tries every address it resolves to, in order, and
    /// registers the socket with the runtime. If the connection is made already, does nothing.
    ///
    /// Any number of tasks may call it at once; one connection is made.
    ///
    /// # Errors
    ///
    /// An [`io::Error`] that names what was attempted, and why it failed, for each address; the next
    /// call tries again. [`Unsupported`](io::ErrorKind::Unsupported) outside a tokio runtime with
    /// I/O. A closed client is an error around a [`ClientClosedError`]. A peer that is not there
    /// cannot be noticed here.
    ///
    /// # Cancel safety
    ///
    /// Cancelling it leaves the client unconnected, unless another task makes the connection.
    pub async fn wait_connected(&self) -> io::Result<()> {
        while let Err(obstacle) = self.halves().map(drop) {
            self.shared.link.overcome(obstacle).await?;
        }
        if self.is_closing() {
            return Err(closed_error());
        }
        Ok(())
    }

    /// Tells whether the connection is made and the client is open.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.halves().is_ok() && !self.is_closing()
    }

    /// Sends `packet` as one datagram. Waits while the system has no room for it.
    ///
    /// # Errors
    ///
    /// [`SendError::was_sent`] tells whether the datagram left. After every error but a
    /// [fatal](SendError::is_fatal) one, the client works on. A connection that cannot be made is
    /// [`NotSent`](SendError::NotSent).
    ///
    /// On Linux, a peer port on this host that nobody listens on is reported by this very call as
    /// [`Unreachable`](SendError::Unreachable), unless a receive in progress gets hold of the error
    /// first.
    ///
    /// # Cancel safety
    ///
    /// A send that is cancelled has sent nothing and left nothing behind.
    ///
    /// # Panics
    ///
    /// If the protocol does. Nothing was sent then, and the client works on.
    pub async fn send_packet(&self, packet: &P::Sent) -> Result<(), SendError> {
        match self.send_lot(slice::from_ref(&packet)).await {
            Ok(_) => Ok(()),
            Err(error) => Err(error.error),
        }
    }

    /// Sends many packets, each as one datagram, in order. Returns how many.
    ///
    /// Consecutive datagrams of one length (the last may be shorter) leave in one system call where
    /// the system has segmentation offload; that is many times faster than sending one by one. The
    /// iterator is read in lots of 128, outside of any lock; packets of other tasks may get in
    /// between. An endless iterator starves nobody: after some 2,000 packets other tasks have their
    /// turn.
    ///
    /// # Errors
    ///
    /// [`SendPacketsError::sent`] counts the packets that were sent before the error, from the
    /// first. Those behind the one that failed were not tried.
    ///
    /// # Cancel safety
    ///
    /// Each packet is sent or not, and none leaves later; but how many were sent is lost. If that
    /// matters, send fewer at a time.
    pub async fn send_packets<'p>(
        &self,
        packets: impl IntoIterator<Item = &'p P::Sent>,
    ) -> Result<usize, SendPacketsError>
    where
        P::Sent: 'p,
    {
        let mut packets = packets.into_iter().fuse();
        let mut sent = 0;
        loop {
            let lot = packets.by_ref().take(LOT).collect::<ArrayVec<_, LOT>>();
            if lot.is_empty() {
                return Ok(sent);
            }
            sent += self
                .send_lot(&lot)
                .await
                .map_err(|error| SendPacketsError::new(sent + error.sent, error.error))?;
        }
    }

    /// Sends all of `packets` and returns how many that are.
    async fn send_lot(&self, packets: &[&P::Sent]) -> Result<usize, SendPacketsError> {
        take_turn(packets.len()).await;
        let mut sent = 0;
        // Of the packet at the front, which is the one behind those that were sent.
        let (mut front, mut tries) = (0, 0);
        loop {
            let rest = packets[sent..].iter().copied();
            match self.try_send(rest, &mut sent) {
                Ok(Ok(())) => return Ok(sent),
                Ok(Err(obstacle)) => {
                    if let Err(error) = self.shared.link.overcome(obstacle).await {
                        let error = self.or_closed(error, SendError::NotSent);
                        return Err(SendPacketsError::new(sent, error));
                    }
                }
                Err(error) => {
                    sent += error.sent;
                    if sent > front {
                        (front, tries) = (sent, 0);
                    }
                    tries += 1;
                    if !error.error.is_out_of_buffers() || tries == BUFFER_TRIES {
                        return Err(SendPacketsError::new(sent, error.error));
                    }
                    yield_now().await;
                }
            }
        }
    }

    /// Receives the next packet. Waits until one arrives or the client is closed.
    ///
    /// For a timeout, wrap it in [`tokio::time::timeout`].
    ///
    /// # Errors
    ///
    /// After [`Parse`](RecvError::Parse), [`Truncated`](RecvError::Truncated) and
    /// [`Unreachable`](RecvError::Unreachable), the next call gets what comes next. After a
    /// [fatal](RecvError::is_fatal) error nothing comes any more, short of [`rebind`](Self::rebind).
    /// A connection that cannot be made is [`Io`](RecvError::Io).
    ///
    /// # Cancel safety
    ///
    /// No packet is lost when it is cancelled.
    ///
    /// # Panics
    ///
    /// If the protocol does. That datagram is lost then, and the client works on.
    pub async fn recv_packet(&self) -> Result<P::Received, RecvError> {
        consume_budget().await;
        loop {
            match self.try_recv() {
                Ok(packet) => return Ok(packet),
                Err(Unready::Failed(error)) => return Err(error),
                Err(Unready::Obstacle(obstacle)) => self
                    .shared
                    .link
                    .overcome(obstacle)
                    .await
                    .map_err(|error| self.or_closed(error, RecvError::Io))?,
            }
        }
    }

    /// Streams received packets until `timeout` is used up or the client is closed.
    ///
    /// [`Duration::ZERO`] streams what is already there, `None` goes on until the client is closed.
    /// The timeout is for the whole stream; only time spent waiting counts, not what happens between
    /// items. It needs a runtime with time enabled.
    ///
    /// Parse, truncation and unreachable errors are items, and the stream goes on. A
    /// [fatal](RecvError::is_fatal) error is the last item, and so is a connection that cannot be
    /// made.
    ///
    /// The stream holds a clone of the client.
    pub fn iter_received_packets(
        &self,
        timeout: impl Into<Option<Duration>>,
    ) -> ReceivedPackets<P> {
        ReceivedPackets::new(self.clone(), timeout.into())
    }

    /// Makes a sink of packets, which may be owned or borrowed: any `T: Borrow<P::Sent>`.
    ///
    /// The sink holds a clone of the client.
    pub fn sink<T>(&self) -> PacketSink<P, T> {
        PacketSink::new(self.clone())
    }

    /// Moves to a new socket, connected to the same address with the options of the first: after the
    /// network changed, or after a [fatal](RecvError::is_fatal) error. If the connection is not made
    /// yet, makes it.
    ///
    /// Nobody who sends or receives notices: a wait goes on at the new socket, and packets that have
    /// arrived at the old one are still received. The local port is another one, unless the options
    /// name it; what is sent to the old one is lost. The new socket belongs to the runtime in which
    /// this is called.
    ///
    /// # Errors
    ///
    /// As for [`wait_connected`](Self::wait_connected); then the client stays as it was.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it has done nothing.
    pub async fn rebind(&self) -> io::Result<()> {
        self.wait_connected().await?;
        self.replace(&[self.remote_address()?])
    }

    /// Resolves the address again, and [rebinds](Self::rebind) to the first that works of those it now
    /// has, unless the client's peer is still among them. Tells whether the peer has changed.
    ///
    /// What is sent from now on goes to the new peer, and packets of the old one are ignored, but for
    /// those that have arrived.
    ///
    /// # Errors
    ///
    /// As for [`wait_connected`](Self::wait_connected); then the client stays as it was.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it has done nothing.
    pub async fn re_resolve(&self) -> io::Result<bool> {
        self.wait_connected().await?;
        let peer = self.remote_address()?;
        let addresses = self.shared.link.resolve(peer).await?;
        let is_peer_among_them = self
            .connected()?
            .with_socket(&self.shared.link.closed, |socket| {
                socket.is_peer_among(&addresses)
            })
            .map_err(|ClientClosedError { .. }| closed_error())?;
        if is_peer_among_them {
            return Ok(false);
        }
        self.replace(&addresses)?;
        Ok(true)
    }

    fn replace(&self, addresses: &[SocketAddr]) -> io::Result<()> {
        let link = &*self.shared.link;
        self.connected()?
            .replace(&link.closed, |old| link.reconnect(old, addresses))?;
        link.wake();
        Ok(())
    }

    /// Closes the client: every operation, also one in progress in another task, now ends with a
    /// closed error. Calling it again does nothing.
    ///
    /// Nothing is left to flush: a send ends only when its datagrams have left or are given up. The
    /// descriptor is closed as soon as the last operation in progress has ended. It never waits.
    ///
    /// # Cancel safety
    ///
    /// The client is closed when this is first polled.
    #[expect(clippy::unused_async, reason = "closing may have to wait one day")]
    pub async fn close(&self) {
        if self.shared.link.close()
            && let Ok(halves) = self.halves()
        {
            halves.release(&self.shared.link.closed);
        }
    }

    /// Tells whether [`close`](Self::close) was called.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.shared.link.closed.is_closed()
    }

    /// Returns the address that the socket is bound to.
    ///
    /// # Errors
    ///
    /// The connection is not made yet, or the client is closed.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        Ok(self.connected()?.addresses().local)
    }

    /// Returns the address of the peer.
    ///
    /// # Errors
    ///
    /// The connection is not made yet, or the client is closed.
    pub fn remote_address(&self) -> io::Result<SocketAddr> {
        Ok(self.connected()?.addresses().remote)
    }

    /// Returns the socket options. Each call through it takes the send lock.
    ///
    /// # Errors
    ///
    /// The connection is not made yet, or the client is closed.
    pub fn socket(&self) -> io::Result<SocketProxy<'_>> {
        self.connected()?
            .with_socket(&self.shared.link.closed, |socket| {
                SocketProxy::new(self, Arc::clone(socket))
            })
            .map_err(|ClientClosedError { .. }| closed_error())
    }

    /// Returns what this client has sent and received so far, also after it was closed.
    #[must_use]
    pub fn stats(&self) -> Stats {
        match self.halves() {
            Ok(halves) => halves.stats(&self.shared.link.closed),
            Err(_) => Stats::default(),
        }
    }

    /// Receives a packet, if one is there.
    #[inline]
    pub(crate) fn try_recv(&self) -> Result<P::Received, Unready> {
        match self.shared.halves.get() {
            Some(halves) => halves.try_recv(&self.shared.protocol, &self.shared.link),
            None => self.try_recv_first(),
        }
    }

    /// Receives a packet, if the connection turns out to be made.
    #[cold]
    fn try_recv_first(&self) -> Result<P::Received, Unready> {
        self.check_open()?;
        match self.halves() {
            Ok(halves) => halves.try_recv(&self.shared.protocol, &self.shared.link),
            Err(obstacle) => Err(Unready::Obstacle(obstacle)),
        }
    }

    /// Sends those of `packets` that the socket takes, and counts them in `sent`.
    pub(crate) fn try_send<'p>(
        &self,
        packets: impl ExactSizeIterator<Item = &'p P::Sent>,
        sent: &mut usize,
    ) -> Result<Result<(), Obstacle>, SendPacketsError>
    where
        P::Sent: 'p,
    {
        self.check_open()
            .map_err(|closed| SendPacketsError::new(0, closed.into()))?;
        match self.halves() {
            Ok(halves) => {
                let Shared { protocol, link, .. } = &*self.shared;
                halves.try_send(protocol, &link.closed, packets, sent)
            }
            Err(obstacle) => Ok(Err(obstacle)),
        }
    }

    /// Waits until it makes sense to try again, in a future that holds what it needs.
    pub(crate) fn overcome(
        &self,
        obstacle: Obstacle,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let link = Arc::clone(&self.shared.link);
        async move { link.overcome(obstacle).await }
    }

    /// Says what an error from a wait means: that of a closed client, or `otherwise`.
    pub(crate) fn or_closed<E: From<ClientClosedError>>(
        &self,
        error: io::Error,
        otherwise: impl FnOnce(io::Error) -> E,
    ) -> E {
        match self.check_open() {
            Ok(()) => otherwise(error),
            Err(closed) => closed.into(),
        }
    }

    fn check_open(&self) -> Result<(), ClientClosedError> {
        if self.is_closing() {
            return Err(ClientClosedError::new());
        }
        Ok(())
    }

    fn connected(&self) -> io::Result<&Halves> {
        if self.is_closing() {
            return Err(closed_error());
        }
        self.halves().map_err(|_not_connected| {
            io::Error::new(
                io::ErrorKind::NotConnected,
                "the connection is not made yet (see `wait_connected`)",
            )
        })
    }

    /// Returns the halves, once the connection is made.
    #[inline]
    fn halves(&self) -> Result<&Halves, Obstacle> {
        let shared = &*self.shared;
        if let Some(halves) = shared.halves.get() {
            return Ok(halves);
        }
        // The lock is held until the halves are there, so that nobody finds neither.
        let mut slot = shared.link.socket.lock();
        match slot.take() {
            Some(socket) => Ok(shared.halves.get_or_init(|| {
                let config = shared.link.options.to_client_config();
                Halves::new(&config, Arc::new(socket))
            })),
            None => shared.halves.get().ok_or(Obstacle::NotConnected),
        }
    }
}

impl<P: DatagramProtocol> LockSocket for AsyncUdpNetworkClient<P> {
    fn while_not_sending(&self, call: &mut dyn FnMut()) -> Result<(), ClientClosedError> {
        match self.halves() {
            Ok(halves) => halves.with_socket(&self.shared.link.closed, |_socket| call()),
            Err(_not_connected) => Err(ClientClosedError::new()),
        }
    }
}

impl<P: DatagramProtocol> Clone for AsyncUdpNetworkClient<P> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<P: DatagramProtocol> fmt::Debug for AsyncUdpNetworkClient<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let halves = self.shared.halves.get();
        f.debug_struct("AsyncUdpNetworkClient")
            .field("addresses", &halves.map(Halves::addresses))
            .field("is_closing", &self.is_closing())
            .finish_non_exhaustive()
    }
}
