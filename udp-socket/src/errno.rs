//! What a system error means for a UDP client. The table of `docs/internals.md`, as code.

use std::io;

use crate::icmp::IcmpError;

/// What a system error means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nothing to do now.
    WouldBlock,
    /// A signal came in between; try again.
    Interrupted,
    /// Out of buffers for the moment.
    NoBuffers,
    /// The socket itself is dead.
    Dead,
    /// An ICMP message about an earlier datagram, as the kernel translates it. The same code may
    /// also stand for the local routing table or firewall.
    Icmp,
    /// Too long for the path or the system; for what was sent before, or for this datagram.
    TooLong,
    /// Anything else.
    Other,
}

impl Cause {
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock => Self::WouldBlock,
            io::ErrorKind::Interrupted => Self::Interrupted,
            _ => IcmpError::within(error)
                .map_or(error, |details| &details.source)
                .raw_os_error()
                .map_or(Self::Other, of_code),
        }
    }
}

/// What Linux makes of ICMP (`icmp_err_convert` in net/ipv4/icmp.c, `icmpv6_err_convert` in
/// net/ipv6/icmp.c), and other systems alike.
#[cfg(unix)]
fn of_code(code: i32) -> Cause {
    use nix::errno::Errno;

    match Errno::from_raw(code) {
        Errno::ENOBUFS => Cause::NoBuffers,
        Errno::EBADF | Errno::ENOTSOCK | Errno::ENOTCONN | Errno::EPIPE => Cause::Dead,
        Errno::EMSGSIZE => Cause::TooLong,
        Errno::ECONNREFUSED
        | Errno::ECONNRESET
        | Errno::ENETUNREACH
        | Errno::EHOSTUNREACH
        | Errno::ENETDOWN
        | Errno::EHOSTDOWN
        | Errno::ENOPROTOOPT
        | Errno::EOPNOTSUPP
        | Errno::EPROTO
        | Errno::EACCES => Cause::Icmp,
        #[cfg(target_os = "linux")]
        Errno::ENONET => Cause::Icmp,
        _ => Cause::Other,
    }
}

/// The codes of `winsock2.h`.
#[cfg(windows)]
fn of_code(code: i32) -> Cause {
    const WSAEBADF: i32 = 10009;
    const WSAEACCES: i32 = 10013;
    const WSAENOTSOCK: i32 = 10038;
    const WSAEMSGSIZE: i32 = 10040;
    const WSAENETDOWN: i32 = 10050;
    const WSAENETUNREACH: i32 = 10051;
    const WSAENETRESET: i32 = 10052;
    const WSAECONNRESET: i32 = 10054;
    const WSAENOBUFS: i32 = 10055;
    const WSAENOTCONN: i32 = 10057;
    const WSAESHUTDOWN: i32 = 10058;
    const WSAECONNREFUSED: i32 = 10061;
    const WSAEHOSTDOWN: i32 = 10064;
    const WSAEHOSTUNREACH: i32 = 10065;

    match code {
        WSAENOBUFS => Cause::NoBuffers,
        WSAEBADF | WSAENOTSOCK | WSAENOTCONN | WSAESHUTDOWN => Cause::Dead,
        WSAEMSGSIZE => Cause::TooLong,
        WSAENETRESET | WSAECONNRESET | WSAECONNREFUSED | WSAENETDOWN | WSAENETUNREACH
        | WSAEHOSTDOWN | WSAEHOSTUNREACH | WSAEACCES => Cause::Icmp,
        _ => Cause::Other,
    }
}
