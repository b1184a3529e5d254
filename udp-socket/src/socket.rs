//! The socket itself; connecting it, and the two halves of the pump, have files of their own.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::atomic::AtomicBool,
};

use crate::{ConnectOptions, Descriptor, receive::Reception, send::Segmentation, sys};

/// A connected, non-blocking UDP socket that pumps datagrams between the system and the queues of
/// a client, through segmentation offload where the system has it.
///
/// `S` is whatever holds the descriptor. [`connect`](ConnectedUdpSocket::connect) and
/// [`adopt`](ConnectedUdpSocket::adopt) make one around std's socket; a driver whose event loop has
/// a socket type of its own puts that in with [`try_map_io`](Self::try_map_io), and calls
/// [`flush`](Self::flush) and [`fill`](Self::fill) inside that type's `try_io`.
///
/// All methods take `&self`. One thread may send while another receives; two at once in the same
/// direction are safe, but then the order of datagrams is theirs to keep.
#[derive(Debug)]
pub struct ConnectedUdpSocket<S = UdpSocket> {
    pub(crate) io: S,
    pub(crate) addresses: Addresses,
    /// Whether an ICMP error can already be there when a send returns.
    pub(crate) is_peer_on_this_host: bool,
    /// Whether the system keeps what ICMP says, to be asked for.
    pub(crate) keeps_errors: bool,
    /// Whether another socket has taken the place of this one.
    pub(crate) replaced: AtomicBool,
    pub(crate) segmentation: Segmentation,
    pub(crate) reception: Reception,
}

/// Both ends of a connected socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Addresses {
    /// What it is bound to.
    pub local: SocketAddr,
    /// Its peer.
    pub remote: SocketAddr,
}

impl<S: Descriptor> ConnectedUdpSocket<S> {
    /// Wraps a socket that is connected and non-blocking. `may_be_glued` unless it is known that
    /// receives are not glued together.
    pub(crate) fn from_parts(
        io: S,
        local_address: SocketAddr,
        remote_address: SocketAddr,
        options: &ConnectOptions,
        may_be_glued: bool,
    ) -> Self {
        let remote_ip = remote_address.ip().to_canonical();
        sys::count_overflow(&io);
        Self {
            is_peer_on_this_host: remote_ip.is_loopback()
                || remote_ip == local_address.ip().to_canonical(),
            keeps_errors: options.icmp_details,
            replaced: AtomicBool::new(false),
            segmentation: Segmentation::new(options.offload && sys::has_segmentation(&io)),
            reception: Reception::new(options.offload, may_be_glued, sys::options::is_empty(&io)),
            io,
            addresses: Addresses {
                local: local_address,
                remote: remote_address,
            },
        }
    }
}

impl<S> ConnectedUdpSocket<S> {
    /// Puts another holder of the same descriptor in.
    ///
    /// # Errors
    ///
    /// What `map` says; the socket is then gone.
    pub fn try_map_io<T, E>(
        self,
        map: impl FnOnce(S) -> Result<T, E>,
    ) -> Result<ConnectedUdpSocket<T>, E> {
        Ok(ConnectedUdpSocket {
            io: map(self.io)?,
            addresses: self.addresses,
            is_peer_on_this_host: self.is_peer_on_this_host,
            keeps_errors: self.keeps_errors,
            replaced: self.replaced,
            segmentation: self.segmentation,
            reception: self.reception,
        })
    }

    /// Returns the address that the socket was bound to when it was connected.
    #[must_use]
    pub const fn local_address(&self) -> SocketAddr {
        self.addresses.local
    }

    /// Returns the address of the peer.
    #[must_use]
    pub const fn remote_address(&self) -> SocketAddr {
        self.addresses.remote
    }

    /// Returns both addresses.
    #[must_use]
    pub const fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Returns the holder of the descriptor.
    #[must_use]
    pub const fn io(&self) -> &S {
        &self.io
    }

    /// Takes the holder of the descriptor out, still connected and non-blocking.
    #[must_use]
    pub fn into_io(self) -> S {
        self.io
    }

    /// Returns the holder of the descriptor, to register it with an event loop.
    pub const fn io_mut(&mut self) -> &mut S {
        &mut self.io
    }
}

#[cfg(unix)]
impl<S: std::os::fd::AsFd> std::os::fd::AsFd for ConnectedUdpSocket<S> {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.io.as_fd()
    }
}

#[cfg(windows)]
impl<S: std::os::windows::io::AsSocket> std::os::windows::io::AsSocket for ConnectedUdpSocket<S> {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.io.as_socket()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A socket of another kind knows of segments as little as an old kernel does.
    #[cfg(unix)]
    #[test]
    fn system_without_segmentation_is_asked_for_none() {
        fn max_segments(io: impl Descriptor) -> usize {
            let address = "127.0.0.1:9".parse().unwrap();
            let options = ConnectOptions::new();
            let socket = ConnectedUdpSocket::from_parts(io, address, address, &options, false);
            socket.segmentation.max_segments()
        }
        let (other, _) = std::os::unix::net::UnixDatagram::pair().unwrap();

        assert_eq!(max_segments(other), 1);
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(max_segments(udp), sys::MAX_SEGMENTS);
    }

    #[test]
    fn peer_is_on_this_host_at_a_loopback_or_the_own_address() {
        for (local, remote, expected) in [
            ("127.0.0.1:1", "127.0.0.2:2", true),
            ("[::1]:1", "[::1]:2", true),
            ("[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.2]:2", true),
            ("192.0.2.1:1", "192.0.2.1:2", true),
            ("[2001:db8::1]:1", "[2001:db8::1]:2", true),
            ("192.0.2.1:1", "192.0.2.2:1", false),
            ("[2001:db8::1]:1", "[2001:db8::2]:1", false),
        ] {
            let io = UdpSocket::bind("127.0.0.1:0").unwrap();
            let [local, remote] = [local, remote].map(|address| address.parse().unwrap());

            let socket =
                ConnectedUdpSocket::from_parts(io, local, remote, &ConnectOptions::new(), false);

            assert_eq!(socket.is_peer_on_this_host, expected, "{local}, {remote}");
        }
    }
}
