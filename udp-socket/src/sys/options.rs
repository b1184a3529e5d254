//! Socket options that socket2 does not cover.

use std::{io, net::SocketAddr};

use crate::descriptor::{Descriptor, sock_ref};

/// Sets `IP_PMTUDISC_DO` (ip(7), ipv6(7)).
#[cfg(target_os = "linux")]
pub(crate) fn forbid_fragments(socket: &impl Descriptor, remote: SocketAddr) -> io::Result<()> {
    use rustix::net::sockopt::{
        Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
    };

    if remote.is_ipv6() {
        set_ipv6_mtu_discover(socket.as_fd(), Ipv6PathMtuDiscovery::DO)?;
    }
    if remote.ip().to_canonical().is_ipv4() {
        set_ip_mtu_discover(socket.as_fd(), Ipv4PathMtuDiscovery::DO)?;
    }
    Ok(())
}

/// Sets `IP_DONTFRAG` or `IPV6_DONTFRAG`.
#[cfg(target_vendor = "apple")]
pub(crate) fn forbid_fragments(socket: &impl Descriptor, remote: SocketAddr) -> io::Result<()> {
    use nix::sys::socket::{
        setsockopt,
        sockopt::{IpDontFrag, Ipv6DontFrag},
    };

    if remote.is_ipv6() {
        setsockopt(&socket.as_fd(), Ipv6DontFrag, &true)?;
    } else {
        setsockopt(&socket.as_fd(), IpDontFrag, &true)?;
    }
    Ok(())
}

#[cfg(not(any(target_vendor = "apple", target_os = "linux")))]
pub(crate) fn forbid_fragments(_socket: &impl Descriptor, _remote: SocketAddr) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "fragmentation cannot be forbidden on this system",
    ))
}

/// Tells whether nothing waits to be received. Takes no pending error from the socket.
#[cfg(unix)]
pub(crate) fn is_empty(socket: &impl Descriptor) -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    let mut descriptors = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    poll(&mut descriptors, PollTimeout::ZERO).is_ok()
        && descriptors[0]
            .revents()
            .is_some_and(|events| !events.contains(PollFlags::POLLIN))
}

/// Tells whether nothing waits to be received, as far as known.
#[cfg(not(unix))]
pub(crate) const fn is_empty(_socket: &impl Descriptor) -> bool {
    false
}

/// Raises the receive buffer to at least `bytes` as far as the system allows, and never lowers it.
pub(crate) fn raise_recv_buffer(socket: &impl Descriptor, bytes: usize) -> io::Result<()> {
    let socket_ref = sock_ref(socket);
    if socket_ref.recv_buffer_size()? < bytes {
        socket_ref.set_recv_buffer_size(bytes)?;
        #[cfg(target_os = "linux")]
        if socket_ref.recv_buffer_size()? < bytes {
            force(socket, nix::sys::socket::sockopt::RcvBufForce, bytes);
        }
    }
    Ok(())
}

/// Raises the send buffer to at least `bytes` as far as the system allows, and never lowers it.
pub(crate) fn raise_send_buffer(socket: &impl Descriptor, bytes: usize) -> io::Result<()> {
    let socket_ref = sock_ref(socket);
    if socket_ref.send_buffer_size()? < bytes {
        socket_ref.set_send_buffer_size(bytes)?;
        #[cfg(target_os = "linux")]
        if socket_ref.send_buffer_size()? < bytes {
            force(socket, nix::sys::socket::sockopt::SndBufForce, bytes);
        }
    }
    Ok(())
}

/// Goes beyond `net.core.rmem_max` or `wmem_max`, which takes `CAP_NET_ADMIN` (socket(7)). Without
/// it, what was granted stays.
#[cfg(target_os = "linux")]
fn force(
    socket: &impl Descriptor,
    option: impl nix::sys::socket::SetSockOpt<Val = usize>,
    bytes: usize,
) {
    let _without_capability = nix::sys::socket::setsockopt(&socket.as_fd(), option, &bytes);
}
