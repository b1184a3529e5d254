//! The socket options of a client.

use std::{
    fmt, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use datagram_protocol_core::ClientClosedError;
use socket2::SockRef;

use crate::{ConnectedUdpSocket, Descriptor, closed_error};

/// What a driver supplies for its [`SocketProxy`].
pub trait LockSocket {
    /// Runs `call` while nothing is being sent.
    ///
    /// # Errors
    ///
    /// The client is closed; `call` was not run.
    fn while_not_sending(&self, call: &mut dyn FnMut()) -> Result<(), ClientClosedError>;
}

/// The socket options of a client, under the names that socket2 gives them, and none of the calls
/// that would disrupt it (close, connect, bind, shutdown, non-blocking mode).
///
/// Each call takes the client's send lock for as long as it runs, and waits for a write in progress
/// to end. After the client was closed, each is an error of kind
/// [`NotConnected`](io::ErrorKind::NotConnected) around a [`ClientClosedError`].
#[derive(Clone)]
pub struct SocketProxy<'a> {
    client: &'a dyn LockSocket,
    /// Holds the descriptor open for as long as it is borrowed from here.
    socket: Arc<dyn Descriptor + Send + Sync + 'a>,
}

impl<'a> SocketProxy<'a> {
    /// Makes a proxy for `socket`, which belongs to `client`.
    pub fn new<S>(client: &'a dyn LockSocket, socket: Arc<ConnectedUdpSocket<S>>) -> Self
    where
        S: Descriptor + Send + Sync + 'a,
    {
        Self { client, socket }
    }

    /// Returns the address that the socket is bound to.
    ///
    /// # Errors
    ///
    /// The client is closed, or the system's error.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.address(|socket| socket.local_addr())
    }

    /// Returns the address that the socket is connected to.
    ///
    /// # Errors
    ///
    /// The client is closed, or the system's error.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.address(|socket| socket.peer_addr())
    }

    fn address(
        &self,
        address: impl Fn(&socket2::Socket) -> io::Result<socket2::SockAddr>,
    ) -> io::Result<SocketAddr> {
        self.call(address)?
            .as_socket()
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    fn call<R>(&self, call: impl Fn(&socket2::Socket) -> io::Result<R>) -> io::Result<R> {
        let mut result = Err(closed_error());
        self.client
            .while_not_sending(&mut || {
                let descriptor = self.descriptor();
                result = call(&SockRef::from(&descriptor));
            })
            .map_err(|ClientClosedError { .. }| closed_error())?;
        result
    }

    #[cfg(unix)]
    fn descriptor(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }

    #[cfg(windows)]
    fn descriptor(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.socket.as_socket()
    }
}

macro_rules! options {
    ($($(#[$attribute:meta])* $name:ident($($argument:ident: $type:ty),*) -> $returned:ty;)+) => {
        impl SocketProxy<'_> {$(
            #[doc = concat!("As [`socket2::Socket::", stringify!($name), "`].")]
            ///
            /// # Errors
            ///
            /// The client is closed, or the system's error.
            $(#[$attribute])*
            pub fn $name(&self, $($argument: $type),*) -> io::Result<$returned> {
                self.call(|socket| socket.$name($($argument),*))
            }
        )+}
    };
}

options! {
    recv_buffer_size() -> usize;
    set_recv_buffer_size(bytes: usize) -> ();
    send_buffer_size() -> usize;
    set_send_buffer_size(bytes: usize) -> ();
    broadcast() -> bool;
    set_broadcast(broadcast: bool) -> ();
    reuse_address() -> bool;
    set_reuse_address(reuse: bool) -> ();

    ttl_v4() -> u32;
    set_ttl_v4(hops: u32) -> ();
    tos_v4() -> u32;
    set_tos_v4(tos: u32) -> ();
    multicast_if_v4() -> Ipv4Addr;
    set_multicast_if_v4(interface: &Ipv4Addr) -> ();
    multicast_loop_v4() -> bool;
    set_multicast_loop_v4(multicast_loop: bool) -> ();
    multicast_ttl_v4() -> u32;
    set_multicast_ttl_v4(hops: u32) -> ();
    join_multicast_v4(group: &Ipv4Addr, interface: &Ipv4Addr) -> ();
    leave_multicast_v4(group: &Ipv4Addr, interface: &Ipv4Addr) -> ();

    unicast_hops_v6() -> u32;
    set_unicast_hops_v6(hops: u32) -> ();
    only_v6() -> bool;
    multicast_if_v6() -> u32;
    set_multicast_if_v6(interface: u32) -> ();
    multicast_loop_v6() -> bool;
    set_multicast_loop_v6(multicast_loop: bool) -> ();
    multicast_hops_v6() -> u32;
    set_multicast_hops_v6(hops: u32) -> ();
    join_multicast_v6(group: &Ipv6Addr, interface: u32) -> ();
    leave_multicast_v6(group: &Ipv6Addr, interface: u32) -> ();
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    tclass_v6() -> u32;
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    set_tclass_v6(class: u32) -> ();

    #[cfg(unix)]
    reuse_port() -> bool;
    #[cfg(unix)]
    set_reuse_port(reuse: bool) -> ();
    #[cfg(target_os = "linux")]
    device() -> Option<Vec<u8>>;
    #[cfg(target_os = "linux")]
    bind_device(interface: Option<&[u8]>) -> ();
    #[cfg(target_os = "linux")]
    mark() -> u32;
    #[cfg(target_os = "linux")]
    set_mark(mark: u32) -> ();
    #[cfg(target_os = "linux")]
    priority() -> u32;
    #[cfg(target_os = "linux")]
    set_priority(priority: u32) -> ();
}

/// Lends the descriptor, for options that are not here. It stays open for as long as the proxy
/// lives, even when the client is closed meanwhile.
#[cfg(unix)]
impl std::os::fd::AsFd for SocketProxy<'_> {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.descriptor()
    }
}

/// Lends the descriptor, for options that are not here. It stays open for as long as the proxy
/// lives, even when the client is closed meanwhile.
#[cfg(windows)]
impl std::os::windows::io::AsSocket for SocketProxy<'_> {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.descriptor()
    }
}

impl fmt::Debug for SocketProxy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketProxy").finish_non_exhaustive()
    }
}
