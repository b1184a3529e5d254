//! Where a client connects to, kept for when that is done again.

use std::io;

use datagram_udp_socket::{ConnectOptions, ConnectedUdpSocket, RemoteAddress};

#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) address: RemoteAddress,
    pub(crate) options: ConnectOptions,
}

impl Origin {
    pub(crate) fn new(address: RemoteAddress, options: &ConnectOptions) -> Self {
        Self {
            address,
            options: options.clone(),
        }
    }

    pub(crate) fn connect(&self) -> io::Result<ConnectedUdpSocket> {
        ConnectedUdpSocket::connect(&self.address.resolve()?, &self.options)
    }
}
