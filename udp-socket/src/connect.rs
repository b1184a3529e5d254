//! Connecting and adopting sockets.

use std::{
    fmt, io,
    net::{SocketAddr, UdpSocket},
};

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;

use crate::{
    AddressFamily, ConnectOptions, ConnectedUdpSocket, Descriptor, descriptor::sock_ref, sys,
};

impl ConnectedUdpSocket {
    /// Connects to the first of `addresses` that works, each with a socket of its family.
    ///
    /// Nothing is sent by that: a wrong family or no route is noticed, a peer that is not there is
    /// not. Never waits.
    ///
    /// # Errors
    ///
    /// An [`io::Error`] around a [`ConnectError`] that names each address with its cause.
    pub fn connect(addresses: &[SocketAddr], options: &ConnectOptions) -> io::Result<Self> {
        let mut failures = Vec::new();
        for &address in addresses {
            match connect_one(address, options) {
                Ok(socket) => return Ok(socket),
                Err(error) => failures.push(ConnectFailure { address, error }),
            }
        }
        let kind = failures
            .last()
            .map_or(io::ErrorKind::InvalidInput, |last| last.error.kind());
        Err(io::Error::new(kind, ConnectError { failures }))
    }

    /// Takes over a socket that is connected already, and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// An [`io::Error`] around an [`AdoptError`] if it is no UDP socket over IPv4 or IPv6
    /// ([`InvalidInput`](io::ErrorKind::InvalidInput)) or not connected
    /// ([`NotConnected`](io::ErrorKind::NotConnected)); or the system's error. The socket is then
    /// closed.
    pub fn adopt(socket: UdpSocket, options: &ConnectOptions) -> io::Result<Self> {
        let (local_address, remote_address) = addresses_of(&socket)?;
        socket.set_nonblocking(true)?;
        prepare(&socket, remote_address, options)?;
        let may_be_glued = sys::may_be_glued(&socket);
        Ok(Self::from_parts(
            socket,
            local_address,
            remote_address,
            options,
            may_be_glued,
        ))
    }
}

fn connect_one(address: SocketAddr, options: &ConnectOptions) -> io::Result<ConnectedUdpSocket> {
    if !options.family.admits(address) {
        return Err(invalid(match options.family {
            AddressFamily::V6 => "not an IPv6 address",
            _ => "not an IPv4 address",
        }));
    }
    if address.port() == 0 {
        return Err(invalid("port 0 is nobody's"));
    }
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_nonblocking(true)?;
    if options.reuse_port {
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
        #[cfg(not(unix))]
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "ports cannot be shared on this system",
        ));
    }
    if options.reuse_address {
        socket.set_reuse_address(true)?;
    }
    if let Some(local_address) = options.local_address {
        if local_address.is_ipv4() != address.is_ipv4() {
            return Err(invalid("the local address is of another family"));
        }
        socket.bind(&local_address.into())?;
    }
    prepare(&socket, address, options)?;
    // That of std goes on after a signal.
    let socket = UdpSocket::from(socket);
    socket.connect(address)?;
    if options.reuse_address {
        sock_ref(&socket).set_reuse_address(false)?;
    }
    let local_address = socket.local_addr()?;
    // The system makes this host of an unspecified address.
    let remote_address = socket.peer_addr()?;
    Ok(ConnectedUdpSocket::from_parts(
        socket,
        local_address,
        remote_address,
        options,
        false,
    ))
}

fn prepare(
    socket: &impl Descriptor,
    remote_address: SocketAddr,
    options: &ConnectOptions,
) -> io::Result<()> {
    if let Some(bytes) = options.recv_buffer_size {
        sys::options::raise_recv_buffer(socket, bytes)?;
    }
    if let Some(bytes) = options.send_buffer_size {
        sys::options::raise_send_buffer(socket, bytes)?;
    }
    if options.dont_fragment {
        sys::options::forbid_fragments(socket, remote_address)?;
    }
    if options.icmp_details {
        sys::enable_error_queue(socket, remote_address)?;
    }
    Ok(())
}

/// Returns the local and the remote address of a socket that can be adopted.
fn addresses_of(socket: &UdpSocket) -> io::Result<(SocketAddr, SocketAddr)> {
    let socket = sock_ref(socket);
    let local_address = socket.local_addr()?.as_socket();
    let is_datagram = socket.r#type()? == Type::DGRAM;
    // Linux has other datagram sockets over IP (`IPPROTO_ICMP`, `IPPROTO_UDPLITE`).
    #[cfg(target_os = "linux")]
    let is_datagram = is_datagram && socket.protocol()? == Some(Protocol::UDP);
    let (Some(local_address), true) = (local_address, is_datagram) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            AdoptError::NotUdp,
        ));
    };
    let remote_address = socket.peer_addr().map_err(|error| {
        io::Error::new(
            error.kind(),
            AdoptError::NotConnected {
                local_address,
                source: error,
            },
        )
    })?;
    let remote_address = remote_address
        .as_socket()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, AdoptError::NotUdp))?;
    Ok((local_address, remote_address))
}

fn invalid(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// No address could be connected to, found inside the [`io::Error`] of connecting.
#[derive(Debug)]
pub struct ConnectError {
    failures: Vec<ConnectFailure>,
}

impl ConnectError {
    /// Returns the addresses in the order they were tried, each with its cause.
    #[must_use]
    pub fn failures(&self) -> &[ConnectFailure] {
        &self.failures
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.failures.is_empty() {
            return f.write_str("no address to connect to");
        }
        f.write_str("cannot connect to ")?;
        for (index, failure) in self.failures.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{} ({})", failure.address, failure.error)?;
        }
        Ok(())
    }
}

/// Each cause is part of the message, since there may be several; so none is the source.
impl std::error::Error for ConnectError {}

/// An address that could not be connected to.
#[derive(Debug)]
#[non_exhaustive]
pub struct ConnectFailure {
    /// The address that was tried.
    pub address: SocketAddr,
    /// Why it failed.
    pub error: io::Error,
}

/// A socket cannot be adopted, found inside the [`io::Error`] of adopting.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// It is something else than UDP over IPv4 or IPv6.
    #[error("not a UDP socket over IPv4 or IPv6")]
    NotUdp,
    /// It has no peer.
    #[error("the socket on {local_address} is not connected")]
    #[non_exhaustive]
    NotConnected {
        /// What it is bound to.
        local_address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}
