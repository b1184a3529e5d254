//! The blocking client.

use std::{
    fmt, io,
    net::{SocketAddr, UdpSocket},
    slice,
    sync::{Arc, Weak},
    thread,
    time::Duration,
};

use arrayvec::ArrayVec;
use datagram_protocol_core::{ClientClosedError, DatagramProtocol, Incoming, Outgoing, Stats};
use datagram_udp_socket::{
    Addresses, Attempt, Closed, ConnectOptions, ConnectedUdpSocket, LeftBehind, LockSocket,
    RecvError, RemoteAddress, SendError, SendPacketsError, SocketProxy, closed_error,
    replace_socket, try_send_packets,
};
use parking_lot::Mutex;

use crate::{
    ReceivedPackets,
    deadline::Deadline,
    direction::{Direction, Ended},
    origin::Origin,
    waits::Waits,
};

/// Packets that are taken from an iterator before the send lock is. Enough for the largest run that
/// can leave in one system call.
const LOT: usize = 128;

/// How often a datagram is tried when the system is out of buffers, and how long to wait in between.
const BUFFER_TRIES: usize = 3;
const BUFFER_PAUSE: Duration = Duration::from_millis(1);

/// A blocking client of one UDP peer, talking in the packets of `P`.
///
/// All methods take `&self`: a client can be shared by reference or cloned (clones are the same
/// client) and used by any number of threads. One may send, another receive and a third close at the
/// same time. Dropping the last clone closes it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use datagram_driver_mio::UdpNetworkClient;
/// use datagram_protocol_core::json::Json;
///
/// # let peer = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// # let address = peer.local_addr()?;
/// # std::thread::spawn(move || {
/// #     let mut buffer = [0; 100];
/// #     let (len, source) = peer.recv_from(&mut buffer).unwrap();
/// #     peer.send_to(&buffer[..len], source).unwrap();
/// # });
/// let client = UdpNetworkClient::connect(address, Json::<Vec<u32>, Vec<u32>>::new())?;
/// client.send_packet(&vec![1, 2, 3])?;
/// let answer = client.recv_packet_timeout(Duration::from_secs(5))?;
/// assert_eq!(answer, [1, 2, 3]);
/// client.close();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct UdpNetworkClient<P: DatagramProtocol> {
    shared: Arc<Shared<P>>,
}

/// There can be very many, so it is kept small.
struct Shared<P> {
    protocol: P,
    closed: Closed,
    /// What is connected to when that is done again.
    origin: Origin,
    /// Held while the socket is replaced.
    replacing: Mutex<()>,
    /// The socket, as long as the client is open, for what may not wait for a direction to be free.
    /// Held only to copy it.
    socket: Mutex<Weak<ConnectedUdpSocket>>,
    waits: Waits,
    sending: Direction<Outgoing>,
    receiving: Direction<Incoming>,
}

impl<P: DatagramProtocol> UdpNetworkClient<P> {
    /// Connects to `address` with the default options.
    ///
    /// A name is resolved by the system's resolver, which may block for seconds; nothing else does.
    /// Every address that it resolves to is tried in order.
    ///
    /// # Errors
    ///
    /// An [`io::Error`] that names what was attempted, and why it failed, for each address. A peer
    /// that is not there cannot be noticed here.
    pub fn connect(address: impl Into<RemoteAddress>, protocol: P) -> io::Result<Self> {
        Self::connect_with(address, protocol, &ConnectOptions::new())
    }

    /// Connects to `address`, as [`connect`](Self::connect) does.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn connect_with(
        address: impl Into<RemoteAddress>,
        protocol: P,
        options: &ConnectOptions,
    ) -> io::Result<Self> {
        let (socket, origin) = Origin::connect(address.into(), options)?;
        Ok(Self::around(socket, protocol, origin))
    }

    /// Takes over a socket that is connected already.
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
        let socket = ConnectedUdpSocket::adopt(socket, options)?;
        let origin = Origin::of_socket(&socket, options);
        Ok(Self::around(socket, protocol, origin))
    }

    fn around(socket: ConnectedUdpSocket, protocol: P, origin: Origin) -> Self {
        let (peer, config) = (socket.remote_address(), origin.options().to_client_config());
        let socket = Arc::new(socket);
        Self {
            shared: Arc::new(Shared {
                protocol,
                closed: Closed::new(),
                origin,
                replacing: Mutex::new(()),
                socket: Mutex::new(Arc::downgrade(&socket)),
                waits: Waits::new(),
                sending: Direction::new(Outgoing::new(peer, &config), Arc::clone(&socket)),
                receiving: Direction::new(Incoming::new(peer, &config), socket),
            }),
        }
    }

    /// Sends `packet` as one datagram. Blocks while the system has no room for it.
    ///
    /// # Errors
    ///
    /// [`SendError::was_sent`] tells whether the datagram left. After every error but a
    /// [fatal](SendError::is_fatal) one, the client works on.
    ///
    /// On Linux, a peer port on this host that nobody listens on is reported by this very call as
    /// [`Unreachable`](SendError::Unreachable), unless a receive in progress gets hold of the error
    /// first.
    ///
    /// # Panics
    ///
    /// If the protocol does. Nothing was sent then, and the client works on.
    pub fn send_packet(&self, packet: &P::Sent) -> Result<(), SendError> {
        self.send_one(packet, &mut Deadline::after(None))
    }

    /// Sends `packet` like [`send_packet`](Self::send_packet), but blocks for at most `timeout`,
    /// waiting for other senders included. With [`Duration::ZERO`] it does not wait at all.
    ///
    /// # Errors
    ///
    /// The same, and [`TimedOut`](SendError::TimedOut), after which the packet is not sent.
    pub fn send_packet_timeout(
        &self,
        packet: &P::Sent,
        timeout: Duration,
    ) -> Result<(), SendError> {
        self.send_one(packet, &mut Deadline::after(timeout))
    }

    /// Sends many packets, each as one datagram, in order. Returns how many.
    ///
    /// Consecutive datagrams of one length (the last may be shorter) leave in one system call where
    /// the system has segmentation offload; that is many times faster than sending one by one. The
    /// iterator is read before the send lock is taken, so a slow one blocks nobody, and packets of
    /// other threads may get in between.
    ///
    /// # Errors
    ///
    /// [`SendPacketsError::sent`] counts the packets that were sent before the error, from the
    /// first. Those behind the one that failed were not tried.
    pub fn send_packets<'p>(
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
                .send_lot(&lot, &mut Deadline::after(None))
                .map_err(|error| SendPacketsError::new(sent + error.sent, error.error))?;
        }
    }

    fn send_one(&self, packet: &P::Sent, deadline: &mut Deadline) -> Result<(), SendError> {
        match self.send_lot(slice::from_ref(&packet), deadline) {
            Ok(_) => Ok(()),
            Err(error) => Err(error.error),
        }
    }

    /// Sends all of `packets` and returns how many that are.
    fn send_lot(
        &self,
        packets: &[&P::Sent],
        deadline: &mut Deadline,
    ) -> Result<usize, SendPacketsError> {
        let shared = &*self.shared;
        let mut sent = 0;
        // Of the packet at the front, which is the one behind those that were sent.
        let (mut front, mut tries) = (0, 0);
        loop {
            let Shared { closed, waits, .. } = shared;
            let attempt = shared
                .sending
                .run(closed, waits, deadline, |outgoing, socket, gate| {
                    let rest = packets[sent..].iter().copied();
                    let protocol = &shared.protocol;
                    match try_send_packets(protocol, outgoing, rest, |outgoing, more| {
                        gate.pass(|| socket.flush_part(outgoing, more))
                    }) {
                        Ok(more) => {
                            sent += more;
                            if sent == packets.len() {
                                Attempt::Ready(Ok(()))
                            } else {
                                Attempt::WouldBlock
                            }
                        }
                        Err(error) => {
                            sent += error.sent;
                            Attempt::Ready(Err(error.error))
                        }
                    }
                });
            let error = match attempt {
                Ok(Ok(())) => return Ok(sent),
                Ok(Err(error)) => error,
                Err(Ended::Closed(error)) => error.into(),
                Err(Ended::TimedOut) => SendError::TimedOut,
                Err(Ended::CannotWait(error)) => SendError::NotSent(error),
            };
            if sent > front {
                (front, tries) = (sent, 0);
            }
            tries += 1;
            if !error.is_out_of_buffers() || tries == BUFFER_TRIES || deadline.is_over() {
                return Err(SendPacketsError::new(sent, error));
            }
            thread::sleep(
                deadline
                    .remaining()
                    .unwrap_or(BUFFER_PAUSE)
                    .min(BUFFER_PAUSE),
            );
        }
    }

    /// Receives the next packet. Blocks until one arrives or the client is closed.
    ///
    /// # Errors
    ///
    /// After [`Parse`](RecvError::Parse), [`Truncated`](RecvError::Truncated) and
    /// [`Unreachable`](RecvError::Unreachable), the next call gets what comes next. After a
    /// [fatal](RecvError::is_fatal) error nothing comes any more, short of [`rebind`](Self::rebind).
    ///
    /// # Panics
    ///
    /// If the protocol does. That datagram is lost then, and the client works on.
    pub fn recv_packet(&self) -> Result<P::Received, RecvError> {
        self.recv_until(&mut Deadline::after(None))
    }

    /// Receives like [`recv_packet`](Self::recv_packet), but blocks for at most `timeout`, waiting
    /// for other receivers included. With [`Duration::ZERO`] it takes only what is there.
    ///
    /// # Errors
    ///
    /// The same, and [`TimedOut`](RecvError::TimedOut).
    pub fn recv_packet_timeout(&self, timeout: Duration) -> Result<P::Received, RecvError> {
        self.recv_until(&mut Deadline::after(timeout))
    }

    #[inline]
    pub(crate) fn recv_until(&self, deadline: &mut Deadline) -> Result<P::Received, RecvError> {
        let shared = &*self.shared;
        let mut seat = shared.receiving.take(&shared.closed, deadline)?;
        // What came with an earlier datagram.
        let (incoming, _) = seat.open(&shared.closed)?;
        if let Some(packet) = incoming.poll_packet(&shared.protocol) {
            return Ok(packet?);
        }
        shared.receiving.run_in(
            seat,
            &shared.closed,
            &shared.waits,
            deadline,
            |incoming, socket, gate| {
                // Beside a receiver that has a waiter nobody waits in mio, and who gets the turn next
                // tries before waiting.
                let may_others_wait = gate.is_open();
                let mut left = LeftBehind::new(incoming, || {
                    if may_others_wait {
                        shared.waits.wake_receiver();
                    }
                });
                let protocol = &shared.protocol;
                match gate.pass(|| socket.receive(&mut (protocol, left.incoming_mut()))) {
                    Ok(Attempt::Ready(packet)) => Attempt::Ready(Ok(packet)),
                    Ok(Attempt::WouldBlock) => Attempt::WouldBlock,
                    Ok(Attempt::Again) => Attempt::Again,
                    Err(error) => Attempt::Ready(Err(error)),
                }
            },
        )?
    }

    /// Iterates over received packets until `timeout` is used up or the client is closed.
    ///
    /// [`Duration::ZERO`] iterates over what is already there, `None` goes on until the client is
    /// closed. The timeout is for the whole iteration; only time spent waiting counts, not what the
    /// loop body takes.
    ///
    /// Parse, truncation and unreachable errors are items, and iteration goes on. A
    /// [fatal](RecvError::is_fatal) error is the last item.
    pub fn iter_received_packets(
        &self,
        timeout: impl Into<Option<Duration>>,
    ) -> ReceivedPackets<'_, P> {
        ReceivedPackets::new(self, timeout.into())
    }

    /// Moves to a new socket, connected to the same address with the options of the first: after the
    /// network changed, or after a [fatal](RecvError::is_fatal) error.
    ///
    /// Nobody who sends or receives notices: a wait goes on at the new socket, and packets that have
    /// arrived at the old one are still received. The local port is another one, unless the options
    /// name it; what is sent to the old one is lost.
    ///
    /// Blocks only while an attempt to send or receive is in progress.
    ///
    /// # Errors
    ///
    /// As for connecting; then the client stays as it was. [`NotConnected`](io::ErrorKind::NotConnected)
    /// if it is closed.
    pub fn rebind(&self) -> io::Result<()> {
        let _replacing = self.shared.replacing.lock();
        let remote_address = self.remote_address()?;
        self.replace(&[remote_address])
    }

    /// Resolves the address again, and [rebinds](Self::rebind) to the first that works of those it now
    /// has, unless the client's peer is still among them. Tells whether the peer has changed.
    ///
    /// What is sent from now on goes to the new peer, and packets of the old one are ignored, but for
    /// those that have arrived. Blocks, like [`connect`](Self::connect), in the system's resolver.
    ///
    /// # Errors
    ///
    /// As for [`connect`](Self::connect); then the client stays as it was.
    /// [`NotConnected`](io::ErrorKind::NotConnected) if it is closed.
    pub fn re_resolve(&self) -> io::Result<bool> {
        let addresses = self.shared.origin.resolve(self.remote_address()?)?;
        let _replacing = self.shared.replacing.lock();
        let is_peer_among_them = self
            .with_socket(|socket| socket.is_peer_among(&addresses))
            .map_err(|ClientClosedError { .. }| closed_error())?;
        if is_peer_among_them {
            return Ok(false);
        }
        self.replace(&addresses)?;
        Ok(true)
    }

    /// To be called by one thread at a time.
    fn replace(&self, addresses: &[SocketAddr]) -> io::Result<()> {
        let shared = &*self.shared;
        let old = self
            .with_socket(Arc::clone)
            .map_err(|ClientClosedError { .. }| closed_error())?;
        let socket = old.reconnect(addresses, shared.origin.options())?;
        replace_socket(
            &shared.closed,
            shared.sending.seat(),
            shared.receiving.seat(),
            socket,
        )
        .map_err(|ClientClosedError { .. }| closed_error())?;
        // Until here, the old one is alive to tell its addresses.
        *shared.socket.lock() = self
            .with_socket(Arc::downgrade)
            .map_err(|ClientClosedError { .. }| closed_error())?;
        shared.waits.wake();
        Ok(())
    }

    /// Closes the client: every operation, also one in progress in another thread, now ends with a
    /// closed error. Calling it again does nothing.
    ///
    /// Blocks only while another thread is inside a send (never while one waits in it). Nothing is
    /// left to flush: a send ends only when its datagrams have left or are given up. The descriptor
    /// is closed as soon as the last operation in progress has ended.
    pub fn close(&self) {
        let shared = &*self.shared;
        if shared.closed.close() {
            shared.waits.wake();
            shared.receiving.release();
            shared.sending.release();
            // After whoever is inside; entering and leaving lets the socket go.
            drop(shared.sending.enter(&shared.closed));
        }
    }

    /// Tells whether [`close`](Self::close) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.closed.is_closed()
    }

    /// Returns the address that the socket is bound to.
    ///
    /// # Errors
    ///
    /// The client is closed.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        Ok(self.addresses()?.local)
    }

    /// Returns the address of the peer.
    ///
    /// # Errors
    ///
    /// The client is closed.
    pub fn remote_address(&self) -> io::Result<SocketAddr> {
        Ok(self.addresses()?.remote)
    }

    fn addresses(&self) -> io::Result<Addresses> {
        if self.is_closed() {
            return Err(closed_error());
        }
        let socket = self.shared.socket.lock().upgrade();
        Ok(socket.ok_or_else(closed_error)?.addresses())
    }

    /// Returns the socket options. Each call through it takes the send lock.
    ///
    /// # Errors
    ///
    /// The client is closed.
    pub fn socket(&self) -> Result<SocketProxy<'_>, ClientClosedError> {
        self.with_socket(|socket| SocketProxy::new(self, Arc::clone(socket)))
    }

    /// Runs `call` with the socket, while nothing is being sent.
    fn with_socket<R>(
        &self,
        call: impl FnOnce(&Arc<ConnectedUdpSocket>) -> R,
    ) -> Result<R, ClientClosedError> {
        let shared = &*self.shared;
        let mut seat = shared.sending.enter(&shared.closed);
        let (_, socket) = seat.open(&shared.closed)?;
        Ok(call(socket))
    }

    /// Returns what this client has sent and received so far, also after it was closed.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let shared = &*self.shared;
        let sent = shared.sending.enter(&shared.closed).state.stats();
        let received = shared.receiving.enter(&shared.closed).state.stats();
        sent.merged_with(received)
    }
}

impl<P: DatagramProtocol> LockSocket for UdpNetworkClient<P> {
    fn while_not_sending(&self, call: &mut dyn FnMut()) -> Result<(), ClientClosedError> {
        self.with_socket(|_socket| call())
    }
}

impl<P: DatagramProtocol> Clone for UdpNetworkClient<P> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<P: DatagramProtocol> fmt::Debug for UdpNetworkClient<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = self.remote_address().ok().or_else(|| {
            // Once closed, only the queues know it.
            let mut now = Deadline::after(Duration::ZERO);
            let seat = self.shared.receiving.take(&self.shared.closed, &mut now);
            Some(seat.ok()?.state.remote_address())
        });
        f.debug_struct("UdpNetworkClient")
            .field("local_address", &self.local_address().ok())
            .field("remote_address", &peer)
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
