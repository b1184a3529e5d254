//! Linux: `UDP_SEGMENT` and `UDP_GRO` (udp(7)).

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::AsRawFd,
};

use bytes::Bytes;
use nix::{
    libc::{
        SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6, SO_EE_ORIGIN_LOCAL, sock_extended_err, sockaddr_in,
        sockaddr_in6,
    },
    sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrLike, SockaddrStorage, getsockopt,
        recv, recvmsg, send as send_datagram, sendmsg, setsockopt,
        sockopt::{Ipv4RecvErr, Ipv6RecvErr, RxqOvfl, UdpGroSegment, UdpGsoSegment},
    },
};
use rustix::net::sockopt::{ip_mtu, ipv6_mtu};

use super::{Arrival, Ask};
use crate::{
    buffer::Buffer,
    descriptor::Descriptor,
    icmp::{IcmpError, IcmpKind},
};

/// Datagrams in one `sendmsg`: `UDP_MAX_SEGMENTS` of include/linux/udp.h, which is 128 since Linux
/// 6.9 and 64 before. A kernel that takes only 64 refuses more with `EINVAL`.
pub(crate) const MAX_SEGMENTS: usize = 128;

/// Sends `contents` as datagrams of `segment` bytes, the last perhaps shorter, or as one datagram.
pub(crate) fn send(
    socket: &impl Descriptor,
    contents: &[u8],
    segment: Option<usize>,
) -> io::Result<()> {
    match segment {
        None => send_datagram(raw(socket), contents, MsgFlags::MSG_NOSIGNAL)?,
        Some(size) => sendmsg::<()>(
            raw(socket),
            &[IoSlice::new(contents)],
            // Fits: no datagram is longer than what a `u16` can say.
            &[ControlMessage::UdpGsoSegments(&(size as u16))],
            MsgFlags::MSG_NOSIGNAL,
            None,
        )?,
    };
    Ok(())
}

/// Room for control messages (cmsg(3)), aligned as they are: the stride, and what a user may have
/// asked for through socket options (timestamps, TOS, hop limit).
#[repr(align(8))]
struct ControlBuffer([u8; 256]);

/// Receives into `buffer`. `MSG_TRUNC` makes the kernel tell the full length (recv(2)).
pub(crate) fn receive(
    socket: &impl Descriptor,
    buffer: &mut [u8],
    ask: Ask,
    source: &mut SocketAddr,
) -> io::Result<Arrival> {
    let capacity = buffer.len();
    if !ask.source && !ask.stride && !ask.overflow {
        let full_len = recv(raw(socket), buffer, MsgFlags::MSG_TRUNC)?;
        return Ok(Arrival {
            len: full_len.min(capacity),
            full_len,
            stride: 0,
            overflow: None,
        });
    }
    if !ask.source {
        return receive_message::<()>(socket, buffer).map(|(arrival, _)| arrival);
    }
    let (arrival, address) = receive_message::<SockaddrStorage>(socket, buffer)?;
    if let Some(address) = address.as_ref().and_then(to_std) {
        *source = address;
    }
    Ok(arrival)
}

/// Receives with control messages, and with the source if `A` can hold it: to have the system copy it
/// costs time.
fn receive_message<A: SockaddrLike>(
    socket: &impl Descriptor,
    buffer: &mut [u8],
) -> io::Result<(Arrival, Option<A>)> {
    let capacity = buffer.len();
    let mut control = ControlBuffer([0; 256]);
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<A>(
        raw(socket),
        &mut parts,
        Some(&mut control.0),
        MsgFlags::MSG_TRUNC,
    )?;
    let mut stride = 0;
    let mut overflow = None;
    for control in message.cmsgs()? {
        match control {
            ControlMessageOwned::UdpGroSegments(segment) => {
                stride = usize::try_from(segment).unwrap_or(0);
            }
            ControlMessageOwned::RxqOvfl(datagrams) => overflow = Some(datagrams),
            _ => {}
        }
    }
    let arrival = Arrival {
        len: message.bytes.min(capacity),
        full_len: message.bytes,
        stride,
        overflow,
    };
    Ok((arrival, message.address))
}

/// Lets receives that ask tell how many datagrams were dropped (`SO_RXQ_OVFL`, socket(7)).
pub(crate) fn count_overflow(socket: &impl Descriptor) {
    let _not_counted = setsockopt(&socket.as_fd(), RxqOvfl, &1);
}

pub(crate) fn enable_gro(socket: &impl Descriptor) -> io::Result<()> {
    setsockopt(&socket.as_fd(), UdpGroSegment, &true)?;
    Ok(())
}

/// Tells whether `UDP_GRO` is on, or may be: Linux says so since 5.13 only.
pub(crate) fn may_be_glued(socket: &impl Descriptor) -> bool {
    getsockopt(&socket.as_fd(), UdpGroSegment).unwrap_or(true)
}

/// Tells whether the kernel knows `UDP_SEGMENT` (Linux 4.18). One that does not passes over the
/// control message and sends a run as one long datagram.
pub(crate) fn has_segmentation(socket: &impl Descriptor) -> bool {
    getsockopt(&socket.as_fd(), UdpGsoSegment).is_ok()
}

/// Makes the system keep what ICMP says about this socket's datagrams (`IP_RECVERR`, ip(7)).
pub(crate) fn enable_error_queue(socket: &impl Descriptor, remote: SocketAddr) -> io::Result<()> {
    if remote.is_ipv6() {
        setsockopt(&socket.as_fd(), Ipv6RecvErr, &true)?;
    }
    if remote.ip().to_canonical().is_ipv4() {
        setsockopt(&socket.as_fd(), Ipv4RecvErr, &true)?;
    }
    Ok(())
}

/// Takes the oldest of what was kept. Taking the last makes the system forget its pending error too.
pub(crate) fn take_queued_error(socket: &impl Descriptor) -> Option<IcmpError> {
    loop {
        let mut buffer = Buffer::take();
        let mut control = ControlBuffer([0; 256]);
        let mut parts = [IoSliceMut::new(buffer.bytes())];
        let message = recvmsg::<SockaddrStorage>(
            raw(socket),
            &mut parts,
            Some(&mut control.0),
            MsgFlags::MSG_ERRQUEUE,
        )
        .ok()?;
        let error = message.cmsgs().ok()?.find_map(|control| match control {
            ControlMessageOwned::Ipv4RecvErr(error, reporter) => {
                Some((error, reporter.map(ip_of_v4)))
            }
            ControlMessageOwned::Ipv6RecvErr(error, reporter) => {
                Some((error, reporter.map(ip_of_v6)))
            }
            _ => None,
        });
        let len = message.bytes;
        // Something else may be queued that was asked for through socket options: timestamps.
        if let Some((error, reported_by)) = error
            && let Some(kind) = kind_of(&error)
        {
            return Some(IcmpError {
                kind,
                reported_by: reported_by
                    .filter(|_| error.ee_origin != SO_EE_ORIGIN_LOCAL)
                    .map(|address| address.to_canonical()),
                datagram: Bytes::copy_from_slice(&buffer.bytes()[..len]),
                source: io::Error::from_raw_os_error(error.ee_errno as i32),
            });
        }
    }
}

/// By the origin of the message (include/uapi/linux/errqueue.h).
const fn kind_of(error: &sock_extended_err) -> Option<IcmpKind> {
    let (icmp_type, code, info) = (error.ee_type, error.ee_code, error.ee_info);
    match error.ee_origin {
        SO_EE_ORIGIN_ICMP => Some(IcmpKind::of_v4(icmp_type, code, info)),
        SO_EE_ORIGIN_ICMP6 => Some(IcmpKind::of_v6(icmp_type, code, info)),
        // The only thing that this host says of itself.
        SO_EE_ORIGIN_LOCAL => Some(IcmpKind::PacketTooBig { mtu: info }),
        _ => None,
    }
}

fn ip_of_v4(address: sockaddr_in) -> IpAddr {
    Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)).into()
}

fn ip_of_v6(address: sockaddr_in6) -> IpAddr {
    Ipv6Addr::from(address.sin6_addr.s6_addr).into()
}

/// The path MTU less the headers of IP (20 bytes, RFC 791; 40 bytes, RFC 8200) and UDP (8 bytes, RFC
/// 768). `None` if the system does not tell.
pub(crate) fn max_unfragmented(socket: &impl Descriptor, remote: SocketAddr) -> Option<usize> {
    let (mtu, headers) = if remote.ip().to_canonical().is_ipv4() {
        (ip_mtu(socket.as_fd()).ok()?, 20 + 8)
    } else {
        (ipv6_mtu(socket.as_fd()).ok()?, 40 + 8)
    };
    Some((mtu as usize).saturating_sub(headers))
}

fn raw(socket: &impl Descriptor) -> i32 {
    socket.as_fd().as_raw_fd()
}

fn to_std(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(address) = address.as_sockaddr_in() {
        return Some(SocketAddr::V4((*address).into()));
    }
    let address = address.as_sockaddr_in6()?;
    Some(SocketAddr::V6((*address).into()))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn headers_are_taken_off_the_path_mtu() {
        // The MTU of loopback is 65,536 bytes, of which IPv4 can say one less.
        for (address, longest) in [("127.0.0.1:0", 65_507), ("[::1]:0", 65_488)] {
            let Ok(socket) = UdpSocket::bind(address) else {
                eprintln!("SKIPPED: this machine has no {address}");
                continue;
            };
            let remote = socket.local_addr().unwrap();
            socket.connect(remote).unwrap();

            assert_eq!(max_unfragmented(&socket, remote), Some(longest));
        }
    }
}
