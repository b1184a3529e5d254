//! Where a client connects to, kept for when that is done again.

use std::{io, net::SocketAddr};

use datagram_udp_socket::{ConnectOptions, ConnectedUdpSocket, RemoteAddress};

/// `None` if the address of the peer says it all, as for most clients of many: that takes a pointer.
#[derive(Debug)]
pub(crate) struct Origin(Option<Box<Details>>);

#[derive(Debug)]
struct Details {
    address: RemoteAddress,
    options: ConnectOptions,
}

const DEFAULT_OPTIONS: ConnectOptions = ConnectOptions::new();

impl Origin {
    pub(crate) fn connect(
        address: RemoteAddress,
        options: &ConnectOptions,
    ) -> io::Result<(ConnectedUdpSocket, Self)> {
        let socket = ConnectedUdpSocket::connect(&address.resolve()?, options)?;
        let origin = Self::new(address, socket.remote_address(), options);
        Ok((socket, origin))
    }

    pub(crate) fn of_socket(socket: &ConnectedUdpSocket, options: &ConnectOptions) -> Self {
        let peer = socket.remote_address();
        Self::new(peer.into(), peer, options)
    }

    fn new(address: RemoteAddress, peer: SocketAddr, options: &ConnectOptions) -> Self {
        let is_plain = address.as_resolved() == Some(&[peer]) && *options == DEFAULT_OPTIONS;
        Self((!is_plain).then(|| {
            Box::new(Details {
                address,
                options: options.clone(),
            })
        }))
    }

    /// Returns the addresses that this has now. `peer` is the one that is connected to.
    pub(crate) fn resolve(&self, peer: SocketAddr) -> io::Result<Vec<SocketAddr>> {
        match &self.0 {
            Some(details) => details.address.resolve(),
            None => Ok(vec![peer]),
        }
    }

    pub(crate) fn options(&self) -> &ConnectOptions {
        match &self.0 {
            Some(details) => &details.options,
            None => &DEFAULT_OPTIONS,
        }
    }
}
