//! Putting another socket under a client that is in use.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, atomic::Ordering::SeqCst},
};

use datagram_protocol_core::{ClientClosedError, Incoming, Outgoing};

use crate::{
    Closable, Closed, ConnectOptions, ConnectedUdpSocket, Descriptor, Seat, descriptor::sock_ref,
};

impl<S: Descriptor> ConnectedUdpSocket<S> {
    /// Connects a new socket in place of this one, as [`connect`](ConnectedUdpSocket::connect) does.
    ///
    /// If `options` name a local port, the new socket gets it although this one still has it.
    ///
    /// # Errors
    ///
    /// The same. This socket is as before.
    pub fn reconnect(
        &self,
        addresses: &[SocketAddr],
        options: &ConnectOptions,
    ) -> io::Result<ConnectedUdpSocket> {
        let connected = ConnectedUdpSocket::connect(addresses, options);
        if !matches!(&connected, Err(error) if error.kind() == io::ErrorKind::AddrInUse) {
            return connected;
        }
        // Both have to agree to share the port, and only for as long as it takes to connect.
        let this = sock_ref(&self.io);
        let shared = this.reuse_address()?;
        this.set_reuse_address(true)?;
        let mut sharing = options.clone();
        sharing.reuse_address = true;
        let connected = ConnectedUdpSocket::connect(addresses, &sharing);
        this.set_reuse_address(shared)?;
        connected
    }
}

impl<S> ConnectedUdpSocket<S> {
    /// Tells whether the peer is at one of `addresses`. The unspecified one stands for this host, as
    /// in connecting (ip(7)).
    #[must_use]
    pub fn is_peer_among(&self, addresses: &[SocketAddr]) -> bool {
        let peer = self.addresses.remote;
        let this_host = SocketAddr::new(
            match peer {
                SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            },
            peer.port(),
        );
        addresses.contains(&peer) || self.is_peer_on_this_host && addresses.contains(&this_host)
    }

    /// Tells whether another socket has taken the place of this one: then there is nothing to wait
    /// for here.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        self.replaced.load(SeqCst)
    }
}

/// Puts `socket` in place of the one that a client has. Then the driver has to wake whoever waits for
/// the old one.
///
/// What has arrived at the old socket is taken into the incoming queue first, as far as that has
/// room. Waits for an attempt in progress, one direction after the other; only one thread at a time
/// may do this.
///
/// # Errors
///
/// The client is closed.
pub fn replace_socket<S: Descriptor>(
    closed: &Closed,
    sending: &Closable<Seat<Outgoing, S>>,
    receiving: &Closable<Seat<Incoming, S>>,
    socket: ConnectedUdpSocket<S>,
) -> Result<(), ClientClosedError> {
    let remote_address = socket.remote_address();
    let socket = Arc::new(socket);

    let mut seat = sending.enter(closed);
    seat.open(closed)?.0.set_destination(remote_address);
    seat.socket = Some(Arc::clone(&socket));
    drop(seat);

    let mut seat = receiving.enter(closed);
    let (incoming, old) = seat.open(closed)?;
    old.drain(incoming);
    incoming.set_remote_address(remote_address);
    old.replaced.store(true, SeqCst);
    seat.socket = Some(socket);
    Ok(())
}
