//! The client for an event loop of the user's own. It never waits.

use std::{
    convert::Infallible,
    fmt, io,
    net::{SocketAddr, UdpSocket},
};

use datagram_protocol_core::{
    ClientClosedError, DatagramClientState, DatagramProtocol, Outgoing, SendPacketError, Stats,
};
use datagram_udp_socket::{
    Attempt, ConnectOptions, ConnectedUdpSocket, Progress, RecvError, RemoteAddress, SendError,
    SendPacketsError, closed_error, within,
};
use mio::{Interest, Registry, Token, event};

use crate::origin::Origin;

/// Receives of one call that may bring nothing but what is dropped.
const MOST_DROPPED: usize = 64;

/// A client of one UDP peer as a source of events in a [`mio::Poll`] of your own, talking in the
/// packets of `P`.
///
/// For programs that are a loop already, and for many clients in one thread. No method waits, but
/// for the resolver in [`connect`](Self::connect); there is no lock and no thread inside.
///
/// Application side: [`try_send_packet`](Self::try_send_packet),
/// [`try_recv_packet`](Self::try_recv_packet), [`close`](Self::close).
///
/// Event side: register it, with [`READABLE`](Interest::READABLE) and
/// [`WRITABLE`](Interest::WRITABLE). When an event [is readable] or [is an error], call
/// `try_recv_packet`; when it is writable, call [`flush`](Self::flush).
///
/// [is readable]: mio::event::Event::is_readable
/// [is an error]: mio::event::Event::is_error
///
/// # Edge triggering
///
/// mio tells when a source *becomes* ready, and not again before the socket has said that it would
/// block. So an event has to be used up before the next poll, and an error does not use it up:
///
/// - Call `try_recv_packet` until it says `Ok(None)`. After an error that is not
///   [fatal](RecvError::is_fatal), call it again.
/// - Call `flush` until it says `Ok(())`. After an error, call it again; each error means that there
///   is less left to do, so this ends. If the source still [wants to write](Self::wants_write), the
///   socket has blocked, and a writable event goes on.
///
/// `try_send_packet` is called once, at any time: if it leaves packets queued, a writable event
/// comes. `WRITABLE` may also be registered only while the source wants to write.
///
/// # Fairness
///
/// A peer that sends as fast as the loop receives keeps `try_recv_packet` from ever saying
/// `Ok(None)`. Take a bounded number of packets per wake-up. No further event comes for the rest, so
/// remember which sources have not been drained, poll with [`Duration::ZERO`] while there are some,
/// and let each have its turn again after the events.
///
/// [`Duration::ZERO`]: std::time::Duration::ZERO
///
/// # Examples
///
/// A complete loop. That it handles one source makes no difference; `mio_event_loop`, among the
/// examples of this crate, has several.
///
/// ```
/// use std::time::Duration;
///
/// use datagram_driver_mio::UdpEventSource;
/// use datagram_protocol_core::Line;
/// use mio::{Events, Interest, Poll, Token};
///
/// const CLIENT: Token = Token(0);
/// const PACKETS_PER_WAKE_UP: usize = 64;
///
/// # let peer = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// # let address = peer.local_addr()?;
/// # std::thread::spawn(move || {
/// #     let mut buffer = [0; 100];
/// #     loop {
/// #         let (len, source) = peer.recv_from(&mut buffer).unwrap();
/// #         peer.send_to(&buffer[..len], source).unwrap();
/// #     }
/// # });
/// let mut client = UdpEventSource::connect(address, Line::new())?;
/// let mut poll = Poll::new()?;
/// let interests = Interest::READABLE | Interest::WRITABLE;
/// poll.registry().register(&mut client, CLIENT, interests)?;
///
/// client.try_send_packet("hello")?;
///
/// let mut events = Events::with_capacity(64);
/// let mut is_drained = true;
/// while !client.is_closed() {
///     // While packets may be left, only look at what else has happened.
///     let timeout = (!is_drained).then_some(Duration::ZERO);
///     poll.poll(&mut events, timeout)?;
///     for event in &events {
///         if event.is_writable() {
///             while let Err(error) = client.flush() {
///                 eprintln!("sending: {error}");
///             }
///         }
///         if event.is_readable() || event.is_error() {
///             is_drained = false;
///         }
///     }
///     if !is_drained {
///         for _ in 0..PACKETS_PER_WAKE_UP {
///             match client.try_recv_packet() {
///                 Ok(Some(packet)) => {
///                     assert_eq!(packet, "hello");
///                     client.close();
///                     is_drained = true;
///                     break;
///                 }
///                 Ok(None) => {
///                     is_drained = true;
///                     break;
///                 }
///                 Err(error) if error.is_fatal() => return Err(error.into()),
///                 Err(error) => eprintln!("receiving: {error}"),
///             }
///         }
///     }
/// }
/// poll.registry().deregister(&mut client)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct UdpEventSource<P: DatagramProtocol> {
    client: Client<P>,
    socket: ConnectedUdpSocket<mio::net::UdpSocket>,
    origin: Origin,
}

impl<P: DatagramProtocol> UdpEventSource<P> {
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
        let client = Client::new(DatagramClientState::with_config(
            protocol,
            socket.remote_address(),
            origin.options().to_client_config(),
        ));
        Self {
            client,
            socket: for_mio(socket),
            origin,
        }
    }

    /// Sends `packet` as one datagram, or queues it behind what the socket has not taken yet.
    ///
    /// Then sends what it can of the queue. What the socket does not take stays queued, in order, and
    /// leaves through [`flush`](Self::flush) or a later call of this; see
    /// [`wants_write`](Self::wants_write). So `Ok` means sent or queued.
    ///
    /// # Errors
    ///
    /// After an error `packet` is not queued: [`SendError::was_sent`] tells whether its datagram has
    /// left or never will. What befalls a packet of an earlier call is never reported here but by
    /// `flush`, for which a writable event comes.
    ///
    /// [`NotSent`](SendError::NotSent) of kind [`WouldBlock`](io::ErrorKind::WouldBlock): the queue
    /// is full; try again after a writable event. When the system is merely [out of
    /// buffers](SendError::is_out_of_buffers), `packet` is given up as well: no event tells when there
    /// are some again.
    ///
    /// [`Serialize`](SendError::Serialize) is also what a protocol gets that breaks its promise and
    /// destroys what was queued before; [`dropped`](Stats::dropped) counts that.
    ///
    /// On Linux, a peer port on this host that nobody listens on is reported by this very call as
    /// [`Unreachable`](SendError::Unreachable).
    ///
    /// # Panics
    ///
    /// If the protocol does. `packet` is not queued then, and the client works on.
    pub fn try_send_packet(&mut self, packet: &P::Sent) -> Result<(), SendError> {
        let Self { client, socket, .. } = self;
        client.send(packet, |outgoing| pump_out(socket, outgoing))
    }

    /// Receives the next packet; `None` only if the socket would block. Call it when the source is
    /// readable, until it says `None`.
    ///
    /// # Errors
    ///
    /// After [`Parse`](RecvError::Parse), [`Truncated`](RecvError::Truncated) and
    /// [`Unreachable`](RecvError::Unreachable), the next call gets what comes next, and no event may
    /// come for it. After a [fatal](RecvError::is_fatal) error nothing comes any more.
    ///
    /// [`Io`](RecvError::Io) of kind [`Interrupted`](io::ErrorKind::Interrupted): of what has arrived,
    /// a lot was dropped, since [the queue](datagram_protocol_core::ClientConfig::incoming_bytes) has
    /// no room for such long datagrams. The source is not drained, and others may have their turn.
    ///
    /// # Panics
    ///
    /// If the protocol does. That datagram is lost then, and the client works on.
    pub fn try_recv_packet(&mut self) -> Result<Option<P::Received>, RecvError> {
        let Self { client, socket, .. } = self;
        if client.state.is_closing() {
            return Err(ClientClosedError::new().into());
        }
        if let Some(packet) = client.state.poll_packet() {
            return Ok(Some(packet?));
        }
        for _ in 0..MOST_DROPPED {
            match within(
                |io| socket.io().try_io(io),
                || socket.receive(&mut client.state),
            )? {
                Attempt::Ready(packet) => return Ok(Some(packet)),
                Attempt::WouldBlock => return Ok(None),
                // What arrived was dropped.
                Attempt::Again => {}
            }
        }
        Err(RecvError::Io(io::Error::new(
            io::ErrorKind::Interrupted,
            "what arrived had no room in the queue and was dropped, and there may be more",
        )))
    }

    /// Sends what is queued, as far as the socket takes it. Call it when the source is writable,
    /// until it says `Ok(())`; when nothing is queued, it does nothing. Also for after
    /// [`close`](Self::close).
    ///
    /// # Errors
    ///
    /// Stops at the first error; the rest stays queued, and the next call goes on, for which no event
    /// may come. An error here is about packets for which [`try_send_packet`](Self::try_send_packet)
    /// has said `Ok`, and each is reported once: [`NotSent`](SendError::NotSent) means that the next
    /// one in order is lost (and counted as [`dropped`](Stats::dropped)),
    /// [`Unreachable`](SendError::Unreachable) that one which has left came back. No packet is lost
    /// otherwise, and none is sent twice.
    pub fn flush(&mut self) -> Result<(), SendError> {
        let Self { client, socket, .. } = self;
        client.flush(|outgoing| pump_out(socket, outgoing))
    }

    /// Moves to a new socket, connected to the same address with the options of the first: after the
    /// network changed, or after a [fatal](RecvError::is_fatal) error. Then
    /// [register](mio::Registry::register) the source again, also with the same registry: the old
    /// socket is gone from it.
    ///
    /// Packets that are queued leave through the new socket, and those that have arrived at the old one
    /// are still received, for which no event comes. The local port is another one, unless the options name it; what is sent to
    /// the old one is lost.
    ///
    /// # Errors
    ///
    /// As for connecting; then the source stays as it was, and registered.
    /// [`NotConnected`](io::ErrorKind::NotConnected) if [`close`](Self::close) was called.
    pub fn rebind(&mut self) -> io::Result<()> {
        let remote_address = self.remote_address()?;
        self.replace(&[remote_address])
    }

    /// Resolves the address again, and [rebinds](Self::rebind) to the first that works of those it now
    /// has, unless the source's peer is still among them. Tells whether the peer has changed; only
    /// then it has to be registered again.
    ///
    /// What is queued goes to the new peer, and packets of the old one are ignored, but for those that
    /// have arrived. Blocks, like [`connect`](Self::connect), in the system's resolver.
    ///
    /// # Errors
    ///
    /// As for [`connect`](Self::connect); then the source stays as it was, and registered.
    /// [`NotConnected`](io::ErrorKind::NotConnected) if [`close`](Self::close) was called.
    pub fn re_resolve(&mut self) -> io::Result<bool> {
        let addresses = self.origin.resolve(self.remote_address()?)?;
        if self.socket.is_peer_among(&addresses) {
            return Ok(false);
        }
        self.replace(&addresses)?;
        Ok(true)
    }

    fn replace(&mut self, addresses: &[SocketAddr]) -> io::Result<()> {
        let socket = self.socket.reconnect(addresses, self.origin.options())?;
        self.socket.drain(self.client.state.incoming_mut());
        self.client
            .state
            .set_remote_address(socket.remote_address());
        self.socket = for_mio(socket);
        Ok(())
    }

    /// Closes the client: from now on [`try_send_packet`](Self::try_send_packet) and
    /// [`try_recv_packet`](Self::try_recv_packet) fail, and packets that have arrived are given up.
    /// Calling it again does nothing.
    ///
    /// Never waits. What is queued leaves as far as the socket takes it; the rest, and any error,
    /// through [`flush`](Self::flush), until the source [is closed](Self::is_closed). The descriptor
    /// stays open, so that the source can be deregistered, and is closed when the source is dropped.
    /// Dropping an unclosed one closes it, and gives up what the socket does not take.
    pub fn close(&mut self) {
        let Self { client, socket, .. } = self;
        client.close(|outgoing| pump_out(socket, outgoing));
    }

    /// Tells whether there is something to do for [`flush`](Self::flush): packets that the socket has
    /// not taken, or an error about an earlier one.
    #[must_use]
    pub const fn wants_write(&self) -> bool {
        self.client.wants_write()
    }

    /// Tells whether [`close`](Self::close) was called.
    #[must_use]
    pub const fn is_closing(&self) -> bool {
        self.client.state.is_closing()
    }

    /// Tells whether [`close`](Self::close) was called and nothing is left to do for
    /// [`flush`](Self::flush). Then the source can be deregistered and dropped without losing
    /// anything.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.is_closing() && !self.wants_write()
    }

    /// Returns the address that the socket is bound to.
    ///
    /// # Errors
    ///
    /// [`close`](Self::close) was called.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.unless_closing(self.socket.local_address())
    }

    /// Returns the address of the peer.
    ///
    /// # Errors
    ///
    /// [`close`](Self::close) was called.
    pub fn remote_address(&self) -> io::Result<SocketAddr> {
        self.unless_closing(self.socket.remote_address())
    }

    /// Returns what this client has seen so far, also after it was closed.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.client.state.stats()
    }

    fn unless_closing(&self, address: SocketAddr) -> io::Result<SocketAddr> {
        if self.is_closing() {
            return Err(closed_error());
        }
        Ok(address)
    }
}

/// Registering after [`close`](UdpEventSource::close) works, too: what is queued may still need it.
impl<P: DatagramProtocol> event::Source for UdpEventSource<P> {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        self.socket.io_mut().register(registry, token, interests)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        self.socket.io_mut().reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.socket.io_mut().deregister(registry)
    }
}

/// Lends the descriptor, for socket options: `socket2::SockRef::from(&source)`.
#[cfg(unix)]
impl<P: DatagramProtocol> std::os::fd::AsFd for UdpEventSource<P> {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Lends the descriptor, for socket options: `socket2::SockRef::from(&source)`.
#[cfg(windows)]
impl<P: DatagramProtocol> std::os::windows::io::AsSocket for UdpEventSource<P> {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.socket.as_socket()
    }
}

impl<P: DatagramProtocol> Drop for UdpEventSource<P> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<P: DatagramProtocol> fmt::Debug for UdpEventSource<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpEventSource")
            .field("local_address", &self.socket.local_address())
            .field("remote_address", &self.socket.remote_address())
            .field("wants_write", &self.wants_write())
            .field("is_closing", &self.is_closing())
            .finish_non_exhaustive()
    }
}

fn for_mio(socket: ConnectedUdpSocket) -> ConnectedUdpSocket<mio::net::UdpSocket> {
    let Ok(socket) = socket.try_map_io(|io| Ok::<_, Infallible>(mio::net::UdpSocket::from_std(io)));
    socket
}

/// Runs the sending half of the pump so that mio sees when the socket would block.
fn pump_out(
    socket: &ConnectedUdpSocket<mio::net::UdpSocket>,
    outgoing: &mut Outgoing,
) -> Result<Progress, SendPacketsError> {
    within(|io| socket.io().try_io(io), || socket.flush(outgoing))
}

/// All of the event source but the socket, which is behind the `pump` of each call.
struct Client<P> {
    state: DatagramClientState<P>,
    /// Whether datagrams are queued, as of the last call that could change it.
    is_queued: bool,
    /// An error about a datagram of an earlier call. Nothing is sent before `flush` has reported it.
    unreported: Option<SendError>,
}

impl<P: DatagramProtocol> Client<P> {
    const fn new(state: DatagramClientState<P>) -> Self {
        Self {
            state,
            is_queued: false,
            unreported: None,
        }
    }

    fn send(
        &mut self,
        packet: &P::Sent,
        mut pump: impl FnMut(&mut Outgoing) -> Result<Progress, SendPacketsError>,
    ) -> Result<(), SendError> {
        let mut queued = self.queue(packet);
        if matches!(queued, Err(SendPacketError::QueueFull)) && self.unreported.is_none() {
            // Those in front may leave by now, and make room.
            self.unreported = self.pump(&mut pump).err();
            queued = self.queue(packet);
        }
        queued?;
        if self.unreported.is_some() {
            return Ok(());
        }
        match self.pump(pump) {
            // The pump stops at an error; if that left something queued, `packet` is among it.
            Err(error) if self.is_queued => {
                self.unreported = Some(error);
                Ok(())
            }
            result => result,
        }
    }

    fn flush(
        &mut self,
        pump: impl FnMut(&mut Outgoing) -> Result<Progress, SendPacketsError>,
    ) -> Result<(), SendError> {
        match self.unreported.take() {
            Some(error) => Err(error),
            None => self.pump(pump),
        }
    }

    fn close(&mut self, pump: impl FnMut(&mut Outgoing) -> Result<Progress, SendPacketsError>) {
        let was_closing = self.state.is_closing();
        self.state.close();
        if !was_closing && self.unreported.is_none() {
            self.unreported = self.pump(pump).err();
        }
    }

    const fn wants_write(&self) -> bool {
        self.is_queued || self.unreported.is_some()
    }

    fn queue(&mut self, packet: &P::Sent) -> Result<(), SendPacketError> {
        let queued = self.state.send_packet(packet);
        // Not only if it succeeded: a protocol that breaks its promise destroys the queue.
        self.is_queued = !self.state.outgoing_mut().is_empty();
        queued
    }

    fn pump(
        &mut self,
        mut pump: impl FnMut(&mut Outgoing) -> Result<Progress, SendPacketsError>,
    ) -> Result<(), SendError> {
        if !self.is_queued {
            return Ok(());
        }
        let pumped = pump(self.state.outgoing_mut());
        self.is_queued = !self.state.outgoing_mut().is_empty();
        match pumped {
            // The queue says which of the two it was.
            Ok(Progress::Done | Progress::WouldBlock) => Ok(()),
            Err(error) => Err(error.error),
        }
    }
}

#[cfg(test)]
mod tests;
